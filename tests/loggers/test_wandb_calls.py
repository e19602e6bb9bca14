"""What the W&B logger asks of ``wandb``, without a run of it."""

import os
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch
import wandb

from gan.clock import Clock
from gan.errors import InputError
from gan.loggers.wandb import WeightsAndBiases, _archive_code
from gan.metrics.evaluation import protocol
from gan.metrics.measurement import Measurement
from gan.settings.description import Description

SETTINGS = "NAME", "RUN_GROUP", "JOB_TYPE", "TAGS", "PROJECT", "MODE", "ERROR_REPORTING"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove what the environment says, and let there be an API key."""
    for name in SETTINGS:
        monkeypatch.setenv(f"WANDB_{name}", "")
        monkeypatch.delenv(f"WANDB_{name}")
    monkeypatch.setattr("gan.loggers.wandb.offline", lambda: False)


def arguments(folder: Path, **given: Any) -> dict[str, Any]:
    """Return what ``wandb.init`` is given."""
    return WeightsAndBiases(str(folder), **given)._wandb_init


@pytest.fixture
def run() -> MagicMock:
    """Return what takes the place of a W&B run."""
    return MagicMock(id="r1", sweep_id=None, config={})


@pytest.fixture
def logger(tmp_path: Path, run: MagicMock) -> WeightsAndBiases:
    """Return a logger whose run has begun."""
    made = WeightsAndBiases(str(tmp_path / "run"), artifacts=True)
    made._experiment = run
    return made


def test_a_run_is_quiet_and_waits_as_long_as_told(tmp_path: Path) -> None:
    given = arguments(tmp_path, init_timeout=7.0)
    assert (given["settings"].init_timeout, given["settings"].silent) == (7.0, True)
    assert given["reinit"] == "finish_previous"
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"
    assert (given["project"], given["tags"], given["id"]) == ("ganymede", [], None)
    assert (given["dir"], given.get("mode"), "anonymous" in given) == (str(tmp_path), None, False)


def test_a_project_and_tags_may_be_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PROJECT": "theirs", "TAGS": " a, ,b", "ERROR_REPORTING": "true"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    given = arguments(tmp_path, tags=["c "])
    assert (given["project"], given["tags"]) == ("theirs", ["a", "b", "c"])
    assert arguments(tmp_path, project="mine")["project"] == "mine"
    assert os.environ["WANDB_ERROR_REPORTING"] == "true"


def test_the_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert arguments(tmp_path, offline=True)["mode"] == "offline"
    assert arguments(tmp_path, mode="online")["mode"] == "online"
    monkeypatch.setattr("gan.loggers.wandb.offline", lambda: True)
    assert arguments(tmp_path)["mode"] == "offline"
    assert arguments(tmp_path, mode="online")["mode"] == "online"


def test_a_resumed_run_has_the_id_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "run_id").write_text("abc\n")
    given = arguments(tmp_path)
    assert (given["id"], given["resume"]) == ("abc", "allow")


def description(**given: Any) -> Description:
    choices = given.pop("choices", {"model": "dcgan", "data": "digits"})
    return Description(choices, ["loss=hinge"], {"seed": 1, "size": "tiny"})


@pytest.mark.parametrize(
    ("variables", "given", "expected"),
    [
        ({}, {}, ("dcgan digits loss=hinge seed=1", "dcgan digits loss=hinge", "train")),
        ({"NAME": "n", "RUN_GROUP": "g", "JOB_TYPE": "j"}, {}, ("n", "g", "j")),
        (
            {"NAME": "n", "RUN_GROUP": "g", "JOB_TYPE": "j"},
            {"name": "own", "group": "mine", "job_type": "test"},
            ("own", "mine", "test"),
        ),
    ],
)
def test_name_group_and_kind_of_a_run(
    variables: dict[str, str],
    given: dict[str, str],
    expected: tuple[str, str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    made = WeightsAndBiases(str(tmp_path), tags=["digits", "own"], **given)  # type: ignore[arg-type]
    made.describe(description())
    init = made._wandb_init
    assert tuple(init[key] for key in ("name", "group", "job_type")) == expected
    assert init["tags"] == ["digits", "own", "dcgan", "tiny"]  # each once


def test_a_run_without_a_name_has_that_of_its_folder(tmp_path: Path) -> None:
    made = WeightsAndBiases(str(tmp_path / "first"))
    unnamed: Any = SimpleNamespace(name="", group="", tags=[])
    made.describe(unnamed)
    assert made._wandb_init["name"] == "first"


def test_an_experiment_begins_once(
    tmp_path: Path, run: MagicMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = MagicMock(return_value=run)
    monkeypatch.setattr(wandb, "init", start)
    made = WeightsAndBiases(str(tmp_path / "run"), code=False)
    assert made.experiment is made.experiment is run
    start.assert_called_once_with(**made._wandb_init)
    assert (tmp_path / "run" / "wandb" / "run_id").read_text() == "r1"
    assert [c.args + tuple(c.kwargs.items()) for c in run.define_metric.call_args_list] == [
        ("step", ("hidden", True)),
        ("images", ("hidden", True)),
        ("*", ("step_metric", "images")),
    ]
    run.log_artifact.assert_not_called()


def test_settings_are_logged_but_those_of_the_agent(
    logger: WeightsAndBiases, run: MagicMock
) -> None:
    run.config = MagicMock(keys=lambda: ["steps"])
    for sweep, kept in ((None, {"steps": 3, "model": "mlp"}), ("s1", {"model": "mlp"})):
        run.sweep_id = sweep
        for given in ({"steps": 3, "model": "mlp"}, Namespace(steps=3, model="mlp")):
            run.config.update.reset_mock()
            logger.log_hyperparams(given)
            assert run.config.update.call_args.args[0] == kept


def test_records_have_the_step_of_the_run(logger: WeightsAndBiases, run: MagicMock) -> None:
    logger.log_metrics({"loss": 0.5}, step=4)
    run.log.assert_called_once_with({"loss": 0.5, "step": 4})
    logger.log_metrics({"loss": 0.5})
    assert logger._last == 4


@pytest.mark.parametrize("best_step", [None, 7])
def test_an_evaluation_is_numbers_classes_and_the_best(
    best_step: int | None, logger: WeightsAndBiases, run: MagicMock
) -> None:
    values = {"fid": 2.0, "recall": 0.5, "recall/0": 0.25, "recall/1": 0.75, "fid/1": 3.0}
    names = {"fid", "recall"}
    logger.log_measurement(
        Measurement(9, 72, values, {"fid": 1.0}, best_step, names, ("cat", "dog"))
    )
    (row,) = run.log.call_args.args
    table = row.pop("classes")
    assert row == {"images": 72, "fid": 2.0, "recall": 0.5, "step": 9}
    assert table.columns == ["class", "name", "recall", "fid"]
    assert table.data == [[0, "cat", 0.25, None], [1, "dog", 0.75, 3.0]]
    best = {"best/fid": 1.0} | ({} if best_step is None else {"best/step": best_step})
    run.summary.update.assert_called_once_with(best)
    logger.log_measurement(Measurement(9, 72, {"fid": 2.0}, {}))
    assert "classes" not in run.log.call_args.args[0]


def test_another_protocol_may_follow(logger: WeightsAndBiases, run: MagicMock) -> None:
    run.config, stamp = MagicMock(), {"backbone": "domain"}
    logger.log_protocol(stamp, 3)
    run.config.update.assert_called_once_with(
        {"protocol": protocol(stamp), "protocol_stamp": stamp}, allow_val_change=True
    )


def test_a_picture_stands_upright(logger: WeightsAndBiases, run: MagicMock) -> None:
    picture = torch.arange(3 * 2 * 5, dtype=torch.uint8).view(3, 2, 5)
    logger.log_picture("samples", picture, Clock(3, 2400), "seed 1")
    (row,) = run.log.call_args.args
    image = row.pop("samples")
    assert row == {"step": 3, "images": 2400}
    assert np.array_equal(np.asarray(image.image), picture.permute(1, 2, 0).numpy())
    assert image._caption == "step 3, 2,400 images seen, seed 1"


def test_an_alert_is_a_warning(logger: WeightsAndBiases, run: MagicMock) -> None:
    logger.log_alert("mode collapse", "step 3")
    run.alert.assert_called_once_with(title="mode collapse", text="step 3", level="WARN")


@pytest.mark.parametrize(("status", "code"), [("success", 0), ("failed", 1)])
def test_the_end_of_a_run(
    status: str, code: int, tmp_path: Path, run: MagicMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = WeightsAndBiases(str(tmp_path))
    made.finalize(status)  # before anything was logged
    made._experiment, made._artifacts = run, False
    made.finalize(status)
    run.finish.assert_called_once_with(exit_code=code)
    run.log_artifact.assert_not_called()
    assert made._experiment is None


class Artifact:
    """What takes the place of an artifact."""

    def __init__(self, name: str, **given: str) -> None:
        self.name, self.type, self.files = name, given["type"], list[tuple[str, str]]()

    def add_file(self, path: str, name: str) -> None:
        self.files.append((path, name))


@pytest.mark.parametrize("steps", [(), (4, None)])
def test_checkpoints_are_logged_with_what_they_need(
    steps: tuple[int | None, ...],
    tmp_path: Path,
    logger: WeightsAndBiases,
    run: MagicMock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wandb, "Artifact", Artifact)
    folder = tmp_path / "run"
    names = [".hydra/a.yaml", ".hydra/b.yaml", "classes.json", "checkpoints/last.ckpt"]
    for name in (*names, "checkpoints/previous.ckpt", "metrics.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    for step in steps:
        logger.log_metrics({}, step)
    logger.finalize("success")
    (artifact,) = run.log_artifact.call_args.args
    assert (artifact.name, artifact.type) == ("model-r1", "model")
    assert artifact.files == [(str(folder / name), name) for name in names]
    assert run.log_artifact.call_args.kwargs == {
        "aliases": ["latest", "step-4" if steps else "step-0"]
    }


def test_the_code_is_one_archive(
    logger: WeightsAndBiases, run: MagicMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb, "Artifact", Artifact)
    monkeypatch.setattr("gan.loggers.wandb._archive_code", lambda path: None)
    logger._log_code()
    (artifact,) = run.log_artifact.call_args.args
    assert (artifact.name, artifact.type) == ("ganymede-code", "code")
    assert artifact.files == [(str(tmp_path / "run" / "wandb" / "code.zip"), "code.zip")]


def test_an_archive_depends_on_the_files_alone(tmp_path: Path) -> None:
    _archive_code(tmp_path / "a.zip")
    with ZipFile(tmp_path / "a.zip") as archive:
        entries = archive.infolist()
        assert len(archive.read("gan/__init__.py")) == archive.getinfo("gan/__init__.py").file_size
    names = [entry.filename for entry in entries]
    assert names == sorted(names, key=lambda name: Path(name))
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.compress_type for entry in entries} == {ZIP_DEFLATED}


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("log_model", "artifacts=true logs checkpoints"),
        ("grup", "group"),
        ("dir", ""),
        ("anonymous", ""),
    ],
)
def test_a_setting_that_is_refused_has_a_remedy(tmp_path: Path, setting: str, hint: str) -> None:
    with pytest.raises(InputError, match=rf"^logger\.wandb\.{setting}: no such setting; .*{hint}"):
        WeightsAndBiases(str(tmp_path), **{setting: "x"})  # type: ignore[arg-type]
