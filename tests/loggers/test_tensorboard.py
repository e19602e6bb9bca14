from pathlib import Path

import pytest

from gan.commands.train import train
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
