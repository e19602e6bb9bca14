import csv
import json
import os
import struct
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import wandb
from hydra.errors import InstantiationException
from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

from gan.commands.train import train
from gan.errors import InputError
from gan.loggers.wandb import WeightsAndBiases
from gan.metrics.evaluation import protocol
from gan.settings.description import Description
from gan.settings.errors import explain
from tests.configs import ROOT
from tests.conftest import Compose, composing

HEADER, BLOCK = 7, 2**15
WHOLE, LAST = 1, 4


def records(path: Path) -> Iterator[Any]:
    """Yield the records of an offline file, a LevelDB log."""
    content, at, parts = path.read_bytes(), HEADER, b""
    while at + HEADER <= len(content):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", content, at + 4)
        if at + HEADER + length > len(content):
            return
        parts += content[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (WHOLE, LAST):
            record = Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def values(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


@dataclass
class Offline:
    """The offline files of a run."""

    folder: Path

    def __post_init__(self) -> None:
        (path,) = self.folder.glob("*.wandb")
        deadline, self.records = time.monotonic() + 20, list(records(path))
        while not self.of("exit") and time.monotonic() < deadline:  # another process writes
            time.sleep(0.05)
            self.records = list(records(path))

    def of(self, kind: str) -> list[Any]:
        return [getattr(r, kind) for r in self.records if r.WhichOneof("record_type") == kind]

    @property
    def config(self) -> dict[str, Any]:
        parts = [*(run.config for run in self.of("run")), *self.of("config")]
        return {k: v for part in parts for k, v in values(part.update).items()}

    @property
    def history(self) -> list[dict[str, Any]]:
        return [values(row.item) for row in self.of("history")]

    @property
    def summary(self) -> dict[str, Any]:
        return {k: v for s in self.of("summary") for k, v in values(s.update).items()}


def offline_runs(folder: Path) -> list[Offline]:
    return [Offline(path) for path in sorted((folder / "wandb").glob("offline-run-*"))]


@pytest.fixture(scope="module", autouse=True)
def nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Remove the API key, and the terminal to ask for one."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(home))
        patch.setenv("NETRC", str(home / "netrc"))
        patch.setenv("WANDB_CONFIG_DIR", str(home / "config"))
        patch.setenv("WANDB_CACHE_DIR", str(home / "cache"))
        patch.setenv("WANDB_DATA_DIR", str(home / "data"))
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        wandb.teardown()
        yield
        wandb.teardown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with metrics on W&B."""
    root = tmp_path_factory.mktemp("wandb")
    options = ["logger=wandb", "steps=3", "callbacks.telemetry.every=1", "loss=hinge"]
    options += ["backbone=domain", "evaluation.num_fakes=40", "evaluation.min_fakes=2"]
    options += ["evaluation.every=2", "model=dcgan", "metrics=[fid,per_class]"]
    options += ["conditioning=projection", "seed=7", "logger.wandb.artifacts=true"]
    recipe = "backbone.training"
    options += [f"{recipe}._target_=gan.backbones.classifier.Training", f"{recipe}.rounds=[25]"]
    options += ["model.generator.width=4", "model.discriminator.width=4"]
    with composing(root) as config:
        train(config("data=digits", *options))
    return root / "run"


@pytest.fixture(scope="module")
def run(folder: Path) -> Offline:
    (only,) = offline_runs(folder)
    return only


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_config_is_whole(run: Offline) -> None:
    assert run.config["batch_size"] == 8
    settings = run.config["settings"]
    assert settings["loss"]["_target_"] == "gan.losses.hinge.Hinge"
    assert settings["model"]["generator"]["latent_dim"] == 100
    assert settings["data"]["_target_"] == "datamodules.digits.Digits"


def test_the_config_names_the_choices(run: Offline) -> None:
    chosen = {"model": "dcgan", "loss": "hinge", "data": "digits", "conditioning": "projection"}
    assert {key: run.config[key] for key in chosen} == chosen
    assert run.config["metrics"] == ["fid", "per_class"]


def test_the_protocol_is_in_the_config(run: Offline, folder: Path) -> None:
    results = json.loads((folder / "results.json").read_text())
    assert run.config["protocol_stamp"] == results["stamp"]
    assert run.config["protocol"] == protocol(results["stamp"])
    assert [row["protocol"] for row in table(folder) if row["protocol"]] == [
        run.config["protocol"]
    ] * 2


def test_name_group_and_tags_are_of_the_choices(run: Offline) -> None:
    record = run.of("run")[0]
    assert record.project == "ganymede"
    assert record.run_group.startswith(
        "dcgan digits batch_size=8 conditioning=projection loss=hinge"
    )
    assert "seed" not in record.run_group
    assert record.display_name == f"{record.run_group} seed=7"
    assert list(record.tags) == ["dcgan", "digits", "paper", "hinge", "projection"]


def test_the_history_is_that_of_the_table(run: Offline, folder: Path) -> None:
    for name in ("generator/adversarial", "domain/fid", "images_per_second"):
        logged = [(row["step"], row["images"], row[name]) for row in run.history if name in row]
        kept = [
            (int(row["step"]), int(row["images"]), float(row[name]))
            for row in table(folder)
            if row[name]
        ]
        assert np.array(logged) == pytest.approx(np.array(kept))
    assert [row["step"] for row in run.history if "domain/fid" in row] == [2, 3]


def test_the_image_is_logged(run: Offline) -> None:
    (row,) = [row for row in run.history if "samples/path" in row]
    assert (row["step"], row["images"]) == (3, 24)
    assert (run.folder / "files" / row["samples/path"]).read_bytes().startswith(b"\x89PNG")
    labels = ", ".join(map(str, range(10)))
    assert row["samples/caption"] == f"step 3, 24 images seen, seed 7, labels by column: {labels}"


def test_the_summary_holds_last_and_best(run: Offline, folder: Path) -> None:
    distances = [float(row["domain/fid"]) for row in table(folder) if row["domain/fid"]]
    assert run.summary["domain/fid"] == pytest.approx(distances[-1])
    assert run.summary["best/domain/fid"] == pytest.approx(min(distances))
    assert run.summary["best/step"] == 2 + distances.index(min(distances))
    assert run.summary["step"] == 3
    assert not [name for row in run.history for name in row if name.startswith("best/")]


def test_values_of_classes_are_one_table(run: Offline, folder: Path) -> None:
    rows = [row for row in run.history if "classes/path" in row]
    assert [(row["step"], row["images"]) for row in rows] == [(2, 16), (3, 24)]
    last = json.loads((run.folder / "files" / rows[-1]["classes/path"]).read_text())
    names = ["domain/intra_fid", "domain/precision", "domain/recall"]
    assert last["columns"] == ["class", "name", *names]
    kept = table(folder)[-1]
    classes = [k for k in range(10) if kept.get(f"{names[0]}/{k}")]
    assert len(classes) > 2  # which have enough images
    assert last["data"] == [
        [k, str(k), *(pytest.approx(float(kept[f"{name}/{k}"])) for name in names)] for k in classes
    ]
    assert not [name for row in run.history for name in row if name.endswith("/3")]
    assert "domain/intra_fid" in run.summary


def test_checkpoints_are_an_artifact_that_is_a_run_folder(run: Offline, folder: Path) -> None:
    (model,) = [a for a in run.of("artifact") if a.type == "model"]
    assert model.name == f"model-{run.of('run')[0].run_id}"
    assert set(model.aliases) == {"latest", "step-3"}
    files = {entry.path: entry for entry in model.manifest.contents}
    assert {"checkpoints/best.ckpt", "checkpoints/last.ckpt", ".hydra/config.yaml"} <= set(files)
    for path, entry in files.items():
        assert entry.digest == b64encode(md5((folder / path).read_bytes()).digest()).decode()


def test_code_and_environment_are_recorded(run: Offline, folder: Path) -> None:
    (code,) = [a for a in run.of("artifact") if a.type == "code"]
    assert [entry.path for entry in code.manifest.contents] == ["code.zip"]
    with ZipFile(folder / "wandb" / "code.zip") as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    assert kept["gan/loggers/wandb.py"] == (ROOT / "gan/loggers/wandb.py").read_bytes()
    assert {"datamodules/mnist.py", "conf/train.yaml"} <= set(kept)
    assert not [name for name in kept if name.startswith(("tests", "data/", "."))]
    assert run.of("environment")[0].python.startswith("CPython")
    assert "torch==" in (run.folder / "files" / "requirements.txt").read_text()


def test_charts_have_the_images_seen_as_their_axis(run: Offline) -> None:
    axes = {(m.name or m.glob_name): (m.step_metric, m.options.hidden) for m in run.of("metric")}
    assert axes == {"step": ("", True), "images": ("", True), "*": ("images", False)}
    assert all("images" in row for row in run.history)


def test_the_run_has_finished(run: Offline) -> None:
    assert [record.exit_code for record in run.of("exit")] == [0]


def test_two_runs_in_one_process_are_two(config: Compose, tmp_path: Path) -> None:
    tiny = ["model.generator.width=4", "model.discriminator.width=4", "logger=wandb", "steps=1"]
    tiny += ["logger.wandb.code=false"]
    for loss in ("hinge", "lsgan"):
        train(config(*tiny, f"loss={loss}", f"run_dir={tmp_path / loss}", f"name=my-{loss}"))
    runs = [offline_runs(tmp_path / loss) for loss in ("hinge", "lsgan")]
    assert [len(found) for found in runs] == [1, 1]
    (one,), (other,) = runs
    assert one.of("run")[0].run_id != other.of("run")[0].run_id
    assert one.of("run")[0].display_name == "my-hinge"
    assert (one.config["loss"], other.config["loss"]) == ("hinge", "lsgan")
    assert len(one.history) == len(other.history) == 2
    assert wandb.run is None


def test_without_an_answer_of_the_server_the_run_is_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gan.loggers.wandb.offline", lambda: False)
    init, modes = wandb.init, []

    def silent(**arguments: Any) -> Any:
        modes.append(arguments.get("mode"))
        if arguments.get("mode") != "offline":
            raise wandb.errors.CommError("no answer\nin 20 s")
        return init(**arguments)

    monkeypatch.setattr(wandb, "init", silent)
    monkeypatch.setattr(wandb, "teardown", lambda: modes.append("teardown"))
    dashboard = WeightsAndBiases(str(tmp_path), code=False)
    dashboard.log_metrics({"loss": 0.5, "images": 8}, step=1)
    dashboard.finalize("failed")
    assert modes == [None, "teardown", "offline"]  # whose process holds the id of a resumed run
    assert "no answer in 20 s; logging offline" in capsys.readouterr().out
    (run,) = offline_runs(tmp_path)
    assert run.history[0]["loss"] == 0.5
    assert [record.exit_code for record in run.of("exit")] == [1]


def test_a_malformed_key_is_refused(config: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    wandb.teardown()
    with pytest.raises(InstantiationException) as caught:
        train(config("logger=wandb"))
    wandb.teardown()
    line = explain(caught.value)
    assert line is not None
    assert "WANDB_API_KEY" in line


def test_a_given_mode_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    wandb.teardown()
    dashboard = WeightsAndBiases(str(tmp_path))
    dashboard.log_metrics({"loss": 0.5}, step=1)
    dashboard.finalize("success")
    wandb.teardown()
    assert offline_runs(tmp_path) == []


def test_a_resumed_run_continues_the_same_run(tmp_path: Path) -> None:
    options = ["data=digits", "logger=wandb", "callbacks.telemetry.every=1"]
    options += ["logger.wandb.code=false"]
    options += ["model.generator.width=4", "model.discriminator.width=4"]
    with composing(tmp_path) as config:
        train(config(*options, "steps=1"))
        train(config(*options, "steps=3", f"resume={tmp_path / 'run'}"))
    ids = [run.of("run")[0].run_id for run in offline_runs(tmp_path / "run")]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    steps = [
        row["step"]
        for run in offline_runs(tmp_path / "run")
        for row in run.history
        if "lr/generator" in row
    ]
    assert steps == [1, 2, 3]


def test_an_alert_is_sent(tmp_path: Path) -> None:
    dashboard = WeightsAndBiases(str(tmp_path), code=False)
    dashboard.log_alert("mode collapse", "step 10: samples grow alike")
    dashboard.finalize("success")
    (run,) = offline_runs(tmp_path)
    (alert,) = run.of("alert")
    assert (alert.title, alert.text) == ("mode collapse", "step 10: samples grow alike")
    assert alert.level == "WARN"


@pytest.mark.parametrize("setting", ["log_model", "tgas", "resume"])
def test_what_wandb_does_not_take_is_refused(tmp_path: Path, setting: str) -> None:
    given: dict[str, Any] = {setting: True}
    with pytest.raises(InputError, match=rf"logger\.wandb\.{setting}: no such setting"):
        WeightsAndBiases(str(tmp_path), **given)


def test_artifacts_without_a_checkpoint_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dashboard = WeightsAndBiases(str(tmp_path), artifacts=True, code=False)
    dashboard.log_metrics({"loss": 0.5, "images": 8}, step=1)
    dashboard.finalize("success")
    assert "no checkpoint to log" in capsys.readouterr().out
    (run,) = offline_runs(tmp_path)
    assert run.of("artifact") == []


def description() -> Description:
    return Description(
        {"model": "dcgan", "data": "digits"}, ["loss=hinge"], {"seed": 1, "size": "tiny"}
    )


def test_what_is_given_goes_before_the_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_RUN_GROUP", "WANDB_TAGS", "WANDB_PROJECT"):
        monkeypatch.setenv(name, "mine")
    dashboard = WeightsAndBiases(str(tmp_path), name="own", tags=["first"], code=False)
    dashboard.describe(description())
    dashboard.log_metrics({"loss": 0.5, "images": 8}, step=1)
    dashboard.finalize("success")
    (run,) = offline_runs(tmp_path)
    record = run.of("run")[0]
    assert (record.display_name, record.run_group, record.project) == ("own", "mine", "mine")
    assert list(record.tags) == ["mine", "first", "dcgan", "digits", "tiny"]


def test_what_the_agent_of_a_sweep_chose_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = tmp_path / "config.yaml"
    chosen.write_text("wandb_version: 1\nmodel: {value: dcgan}\nsteps: {value: 5}\n")
    for name, value in {"ID": "s1", "PARAM_PATH": str(chosen)}.items():
        monkeypatch.setenv(f"WANDB_SWEEP_{name}", value)
    monkeypatch.setenv("WANDB_RUN_ID", "r1")
    wandb.teardown()  # the process of an agent's run is new
    dashboard = WeightsAndBiases(str(tmp_path / "run"), code=False)
    dashboard.describe(description())
    dashboard.log_hyperparams({"model": "dcgan", "loss": "hinge", "steps": 5})
    dashboard.finalize("success")
    wandb.teardown()
    (run,) = offline_runs(tmp_path / "run")
    assert {k: run.config[k] for k in ("model", "loss", "steps")} == {
        "model": "dcgan",
        "loss": "hinge",
        "steps": 5,
    }
    record = run.of("run")[0]
    assert (record.run_id, record.sweep_id) == ("r1", "s1")
    assert "locked" not in capfd.readouterr().err


WITHOUT_NETWORK = """
import sys
def refuse(event, arguments):
    if event == "socket.getaddrinfo" and arguments[0] not in ("localhost", "127.0.0.1", None):
        print("asked for", arguments[0], file=sys.stderr, flush=True)
sys.addaudithook(refuse)
from gan.loggers.wandb import WeightsAndBiases
dashboard = WeightsAndBiases(sys.argv[1])
dashboard.log_metrics({"loss": 0.5, "images": 8}, step=1)
dashboard.finalize("success")
"""


@pytest.mark.slow
@pytest.mark.parametrize("variables", [{}, {"WANDB_MODE": "offline", "WANDB_API_KEY": "a" * 40}])
def test_offline_asks_for_no_address(tmp_path: Path, variables: dict[str, str]) -> None:
    known = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_ERROR")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK, str(tmp_path)],
        env=known | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "asked for" not in done.stderr
