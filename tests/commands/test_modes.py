"""Runs on data whose modes can be counted."""

import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from PIL import Image

import gan
from gan.commands.train import train
from gan.errors import InputError
from gan.pictures import picture
from tests.configs import ROOT
from tests.conftest import Compose

QUICK = ["backbone=plane", "evaluation.num_fakes=50", "evaluation.min_fakes=2"]


def results(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "results.json").read_text())
    return content


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_points_are_trained_on_measured_and_drawn(
    config: Compose, tmp_path: Path, name: str
) -> None:
    score = train(config(f"experiment={name}", *QUICK))
    run = tmp_path / "run"
    found = results(run)
    assert found["monitor"] == "plane/misplaced"
    assert found["best"]["plane/misplaced"] == score
    assert set(found["final"]) == {
        "step",
        "images",
        "plane/modes",
        "plane/high_quality",
        "plane/misplaced",
    }
    assert found["baseline"]["plane/modes"] == {"ring": 8, "grid": 25}[name]
    assert found["baseline"]["plane/high_quality"] == pytest.approx(0.989, abs=0.005)
    assert found["baseline"]["plane/misplaced"] < 0.01
    drawn = picture(gan.load(run, "last").sample(2000), 50)
    with Image.open(run / "samples" / "step_00000002.png") as saved:
        assert saved.size == (drawn.shape[2], drawn.shape[1])
        assert list(saved.getdata()) == list(map(tuple, drawn.flatten(1).T.tolist()))


def test_labels_of_points_can_be_asked_for(config: Compose, tmp_path: Path) -> None:
    metrics = "metrics=[misplaced,label_consistency]"
    train(config("experiment=ring", *QUICK, metrics, "conditioning=projection"))
    found = results(tmp_path / "run")
    assert 0 <= found["final"]["plane/label_consistency"] <= 1
    assert found["baseline"]["plane/label_consistency"] == 1
    with pytest.raises(InputError, match="label_consistency: the generated images have no labels"):
        train(config("experiment=ring", *QUICK, metrics))


def test_images_have_no_modes_in_the_plane(config: Compose) -> None:
    with pytest.raises(InputError, match="digits holds images; use data=ring"):
        train(config("data=digits", *QUICK))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "modes", "quality"), [("ring", 8, 0.8), ("grid", 23, 0.5)])
def test_the_modes_are_found(
    config: Compose, tmp_path: Path, name: str, modes: int, quality: float
) -> None:
    own = OmegaConf.load(ROOT / "conf" / "experiment" / f"{name}.yaml")
    size = [f"steps={own.steps}", f"batch_size={own.batch_size}"]
    train(config(f"experiment={name}", "backbone=plane", *size))
    found = results(tmp_path / "run")["final"]
    assert found["plane/modes"] >= modes
    assert found["plane/high_quality"] > quality
