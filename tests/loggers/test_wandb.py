import csv
import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wandb
from hydra.errors import InstantiationException
from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

from gan.commands.train import train
from gan.loggers.wandb import WeightsAndBiases
from gan.metrics.evaluation import protocol
from gan.settings.errors import explain
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
        return {k: v for c in self.of("config") for k, v in values(c.update).items()}

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
        wandb.teardown()
        yield
        wandb.teardown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with metrics on W&B."""
    root = tmp_path_factory.mktemp("wandb")
    options = ["logger=wandb", "steps=3", "callbacks.telemetry.every=1", "loss=hinge"]
    options += ["backbone=domain", "evaluation.num_fakes=40", "evaluation.min_fakes=2"]
    options += ["evaluation.every=2"]
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
    assert run.config["loss"]["_target_"] == "gan.losses.hinge.Hinge"
    assert run.config["batch_size"] == 8
    assert run.config["model"]["generator"]["latent_dim"] == 100
    assert run.config["data"]["_target_"] == "datamodules.digits.Digits"


def test_the_protocol_is_in_the_config(run: Offline, folder: Path) -> None:
    results = json.loads((folder / "results.json").read_text())
    assert run.config["protocol_stamp"] == results["stamp"]
    assert run.config["protocol"] == protocol(results["stamp"])
    assert [row["protocol"] for row in table(folder) if row["protocol"]] == [
        run.config["protocol"]
    ] * 2


def test_the_run_has_the_name_of_its_folder(run: Offline) -> None:
    assert [(record.project, record.display_name) for record in run.of("run")][:1] == [
        ("ganymede", "run")
    ]


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


def test_the_summary_holds_last_and_best(run: Offline, folder: Path) -> None:
    distances = [float(row["domain/fid"]) for row in table(folder) if row["domain/fid"]]
    assert run.summary["domain/fid"] == pytest.approx(distances[-1])
    assert run.summary["best/domain/fid"] == pytest.approx(min(distances))
    assert run.summary["step"] == 3


def test_the_axis_is_the_step(run: Offline) -> None:
    axes = {(m.name or m.glob_name): m.step_metric for m in run.of("metric")}
    assert axes == {"step": "", "images": "", "*": "step"}


def test_the_run_has_finished(run: Offline) -> None:
    assert [record.exit_code for record in run.of("exit")] == [0]


def test_two_runs_in_one_process_are_two(config: Compose, tmp_path: Path) -> None:
    tiny = ["model.generator.width=4", "model.discriminator.width=4", "logger=wandb", "steps=1"]
    for loss in ("hinge", "lsgan"):
        train(config(*tiny, f"loss={loss}", f"run_dir={tmp_path / loss}", f"name=my-{loss}"))
    runs = [offline_runs(tmp_path / loss) for loss in ("hinge", "lsgan")]
    assert [len(found) for found in runs] == [1, 1]
    (one,), (other,) = runs
    assert one.of("run")[0].run_id != other.of("run")[0].run_id
    assert one.of("run")[0].display_name == "my-hinge"
    assert one.config["loss"] != other.config["loss"]
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
    dashboard = WeightsAndBiases(str(tmp_path))
    dashboard.log_metrics({"loss": 0.5, "images": 8}, step=1)
    dashboard.finalize("failed")
    assert modes == [None, "offline"]
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
    dashboard = WeightsAndBiases(str(tmp_path))
    dashboard.log_alert("mode collapse", "step 10: samples grow alike")
    dashboard.finalize("success")
    (run,) = offline_runs(tmp_path)
    (alert,) = run.of("alert")
    assert (alert.title, alert.text) == ("mode collapse", "step 10: samples grow alike")
    assert alert.level == "WARN"
