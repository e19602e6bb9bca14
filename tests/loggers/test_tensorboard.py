import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gan.clock import Clock
from gan.commands.train import train
from gan.errors import InputError
from gan.loggers.tensorboard import TensorBoard
from tests.conftest import Compose

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
TINY = ["data=digits", "model.generator.width=4", "model.discriminator.width=4"]


def test_scalars_and_images_are_in_the_run_folder(config: Compose, tmp_path: Path) -> None:
    train(config(*TINY, "logger=tensorboard", "steps=3", "callbacks.telemetry.every=2"))
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    images = events.Scalars("images")
    assert [(event.step, event.value) for event in images] == [(1, 8), (2, 16), (3, 24)]
    losses = [event.value for event in events.Scalars("generator/adversarial")]
    assert len(set(losses)) == 3
    (picture,) = events.Images("samples")
    assert picture.step == 3
    assert picture.encoded_image_string.startswith(b"\x89PNG")
    assert picture.width >= 10 * 16


def test_a_picture_is_logged_at_its_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    writer = SimpleNamespace(add_image=lambda *given: seen.append(given))
    monkeypatch.setattr(TensorBoard, "experiment", writer)
    picture = torch.zeros(3, 4, 4, dtype=torch.uint8)
    logger = TensorBoard(str(tmp_path))
    logger.log_picture("samples", picture, Clock(3, 24), "seed 1")
    assert seen == [("samples", picture, 3)]
    assert Path(logger.log_dir) == tmp_path / "tensorboard"


def test_without_tensorboard_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"^logger=tensorboard: .*\[tensorboard\]"):
        TensorBoard("runs")
