import errno
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import torch

from gan.commands.train import train
from gan.errors import InputError
from gan.runs.lock import locked
from gan.runs.storage import check_free_space, checkpoint_size, explain_full_disk
from gan.runs.training import _callbacks
from gan.settings.errors import explain
from gan.settings.trust import build
from tests.configs import ROOT
from tests.conftest import Compose

Usage = namedtuple("Usage", ["total", "used", "free"])
HOLD = """
import sys, time
from pathlib import Path
from gan.runs.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_folder_is_held_by_one_and_let_go(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(InputError, match=f"{tmp_path}: another process trains there"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):
        pass
    assert not list((tmp_path / ".hydra").iterdir())


def test_the_other_processes_of_a_run_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with locked(tmp_path):
        monkeypatch.setenv("LOCAL_RANK", "1")
        with locked(tmp_path):
            pass


def test_training_holds_its_folder(config: Compose, tmp_path: Path) -> None:
    node = config()
    with locked(tmp_path / "run"), pytest.raises(InputError, match="another process"):
        train(node)


@pytest.mark.slow
def test_a_killed_process_lets_go(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another process"), locked(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_size_of_a_checkpoint_is_known_before(config: Compose, optimizer: str) -> None:
    node = config(
        "model.generator.width=8", "model.discriminator.width=8", f"optimizer={optimizer}"
    )
    guess = checkpoint_size(build(node.model))
    train(node)
    size = (Path(node.run_dir) / "checkpoints" / "last.ckpt").stat().st_size
    assert 0.8 * size < guess < 2.5 * size


@pytest.mark.parametrize(
    ("given", "files"),
    [
        (["steps=2"], 1),
        (["steps=2", "callbacks.checkpoints.every=1"], 2),
        (["steps=9", "callbacks.checkpoints.every=1"], 3),
        (["steps=9", "backbone=domain", "callbacks.checkpoints.every=1"], 4),
        (["steps=9", "callbacks=[telemetry]"], 0),
    ],
)
def test_there_must_be_room_for_the_checkpoints(
    config: Compose, given: list[str], files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = config("model.generator.width=4", "model.discriminator.width=4", *given)
    game = build(node.model)
    callbacks = _callbacks(node, game)
    needed = files * checkpoint_size(game)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, needed))
    check_free_space(callbacks, game, node.steps)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, needed - 1))
    if files:
        with pytest.raises(InputError, match=f"{files} checkpoints need about .* make room"):
            check_free_space(callbacks, game, node.steps)


def test_checkpoints_that_are_there_need_no_room(
    config: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = config("steps=2", "model.generator.width=4", "model.discriminator.width=4")
    game = build(node.model)
    callbacks = _callbacks(node, game)
    folder = Path(node.run_dir) / "checkpoints"
    folder.mkdir()
    torch.save(torch.zeros(checkpoint_size(game)), folder / "last.ckpt")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 0))
    check_free_space(callbacks, game, node.steps)


@pytest.mark.parametrize(
    ("there", "remedy"), [([], "start anew"), (["last.ckpt"], "go on by resume=")]
)
def test_a_full_disk_is_one_line_without_half_files(
    there: list[str], remedy: str, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in (*there, "last.ckpt.part"):
        (tmp_path / "checkpoints" / name).touch()
    with pytest.raises(InputError, match=f"No space left .* make room, then {remedy}"):
        fill(tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == there


def fill(folder: Path) -> None:
    with explain_full_disk(folder):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RuntimeError("the logger could not be closed") from error


def test_other_faults_are_left_alone(tmp_path: Path) -> None:
    part = tmp_path / "last.ckpt.part"
    part.touch()
    with pytest.raises(OSError, match="Input/output error"), explain_full_disk(tmp_path):
        raise OSError(errno.EIO, "Input/output error")
    assert part.exists()


def test_a_full_disk_elsewhere_is_explained() -> None:
    assert "No space left" in str(explain(OSError(errno.ENOSPC, "No space left on device")))
    assert explain(OSError(errno.EIO, "Input/output error")) is None
