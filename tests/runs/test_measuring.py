"""What chose a checkpoint does not report it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

import gan
from gan.runs import training
from gan.runs.results import Results
from gan.settings.trust import build
from tests.conftest import Compose

SMALL = ["model=mlp", "model.generator.hidden=[16]", "model.discriminator.units=[8]"]
SMALL += ["data=digits", "metrics=[fid]", "evaluation.min_fakes=2", "evaluation.num_fakes=50"]
SMALL += ["backbone.training._target_=gan.backbones.classifier.Training"]
SMALL += ["backbone.training.rounds=[2]", "evaluation.every=2", "data.validation=0.3", "seed=3"]
pytestmark = pytest.mark.slow  # a classifier of two epochs each


def fid(config: Any, run: Path, split: str) -> float:
    """Return the FID of the best checkpoint on a split, by an evaluation of its own."""
    OmegaConf.update(config, "evaluation.split", split, force_add=True)
    evaluation, data = build(config.evaluation), build(config.data)
    evaluation.prepare(data, torch.device("cpu"))
    game = gan.load(run, "best")
    values: dict[str, float] = evaluation.measure([(game.generate(3, range(50)), None)])
    return values["domain/fid"]


def test_the_best_checkpoint_is_reported_on_the_test_split(config: Compose, tmp_path: Path) -> None:
    diverging = ["steps=6", "optimizer.generator.lr=0.05", "callbacks=[checkpoints]"]
    node = config(*SMALL, *diverging)
    done, run = training.train(node), tmp_path / "run"
    stored = Results.read(run)
    assert stored is not None
    assert (stored.test, stored.test_stamp) == (done.test, done.test_stamp)
    assert (done.stamp["real_split"], done.test_stamp["real_split"]) == ("validation", "test")
    assert done.stopped is None
    assert done.test["step"] == done.best["step"] < 6
    assert done.test["domain/fid"] == pytest.approx(fid(node, run, "test"), rel=1e-6)
    assert done.best["domain/fid"] == pytest.approx(fid(node, run, "validation"), rel=1e-6)
    assert done.test_protocols.keys() == done.protocols.keys()
    assert done.test_protocols["domain/fid"] != done.protocols["domain/fid"]


def test_without_a_choice_nothing_is_reported_twice(config: Compose) -> None:
    done = training.train(config(*SMALL, "data.validation=0", "callbacks=[]"))
    assert done.test == done.test_stamp == {}


def test_early_stopping_on_training_images_is_reported_on_the_test_split(config: Compose) -> None:
    given = ["data.validation=0", "stop.patience=1", "steps=40", "callbacks=[]"]
    done = training.train(config(*SMALL, *given))
    assert done.stopped is not None
    assert done.steps < 40
    assert done.test["step"] == done.steps  # no best.ckpt was kept
    assert done.test_stamp["real_split"] == "test"


def test_a_translation_is_reported_on_test_sources(config: Compose) -> None:
    given = [o for o in SMALL if "model" not in o and "fid" not in o]
    given += ["model=pix2pix", "task=inpaint", "size=tiny", "steps=2", "callbacks=[checkpoints]"]
    given += ["metrics=[psnr]", "evaluation.monitor=psnr"]
    done = training.train(config(*given))
    assert done.stamp["sources"] == "digits, inpaint/validation"
    assert done.test_stamp["sources"] == "digits, inpaint/test"
    assert done.test.keys() == done.final.keys()
