from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan.algorithms.sampling import Langevin, set_standing_statistics
from gan.commands.main import dispatch
from gan.commands.train import train
from gan.errors import InputError
from gan.latents import Truncated
from gan.pictures import picture
from gan.runs.checkpoints import load
from tests.commands.test_cli import MLP, TINY, cli
from tests.conftest import composing


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of a conditional model with batch normalisation."""
    folder = tmp_path_factory.mktemp("sample")
    small = ["model.generator.width=4", "model.discriminator.width=4", "critic_norm=none"]
    with composing(folder) as config:
        train(config("data=digits", *small, "conditioning=projection"))
    return folder / "run"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of an unconditional model on a box of latents."""
    run = tmp_path_factory.mktemp("sample") / "run"
    network = "model.generator._target_=gan.networks.mlp.LeakyMLPGenerator"  # no batch statistics
    given = [*TINY, *MLP, network, "prior=uniform", "steps=1"]
    assert cli(*given, f"hydra.run.dir={run}") == 0
    return run


def drawn(run: Path, *given: str) -> np.ndarray:
    """Return the pixels that the command writes for twelve images."""
    out = run.parent / "drawn.png"
    dispatch(["sample", f"run={run}", "n=12", "seed=3", f"out={out}", *given])
    with Image.open(out) as image:
        return np.asarray(image)


def pixels(images: torch.Tensor) -> np.ndarray:
    return picture(images, 8).permute(1, 2, 0).numpy()


def test_nothing_is_changed_by_default(convolutional: Path) -> None:
    expected = load(convolutional).sample(12, seed=3)
    assert np.array_equal(drawn(convolutional), pixels(expected))


def test_truncation(convolutional: Path, plain: Path) -> None:
    for run in (convolutional, plain):
        expected = load(run).sample(12, seed=3, truncation=0.4)
        assert np.array_equal(drawn(run, "truncation=0.4"), pixels(expected))
        assert not np.array_equal(drawn(run, "truncation=0.4"), drawn(run))


def test_standing_statistics_are_those_of_the_truncated_prior(convolutional: Path) -> None:
    game = load(convolutional)
    set_standing_statistics(game, 3)
    assert np.array_equal(drawn(convolutional, "standing=3"), pixels(game.sample(12, seed=3)))
    game.prior = Truncated(game.prior, 0.4)
    set_standing_statistics(game, 3)
    expected = pixels(game.sample(12, seed=3))
    assert np.array_equal(drawn(convolutional, "standing=3", "truncation=0.4"), expected)


def test_langevin(convolutional: Path) -> None:
    game = load(convolutional)
    labels = torch.tensor([7]).expand(12)
    z = Langevin(4, 0.3)(game, game.latents(12, 3), labels, seed=3)
    found = drawn(convolutional, "langevin=4", "langevin_step=0.3", "labels=[7]")
    assert np.array_equal(found, pixels(game.decode(z, labels)))
    assert not np.array_equal(found, drawn(convolutional, "labels=[7]"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("truncation=0", r"truncation=0\.0: give a number above 0"),
        ("truncation=-2", r"truncation=-2\.0"),
        ("standing=-1", "standing=-1"),
        ("langevin=-1", "langevin=-1 must be 1 or more"),
        ("langevin=5 langevin_step=0", r"langevin_step=0\.0 above 0"),
        ("langevin=5 truncation=1", "one of the two"),
        ("langevin=5 langevin_step=1e30", "the chains diverge"),
    ],
)
def test_bad_values(convolutional: Path, given: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dispatch(["sample", f"run={convolutional}", *given.split()])


@pytest.mark.parametrize(
    "given", ["truncation=0", "standing=-1", "langevin=-1", "langevin=5 truncation=1"]
)
def test_bad_values_are_refused_before_anything_is_loaded(tmp_path: Path, given: str) -> None:
    with pytest.raises(InputError) as caught:
        dispatch(["sample", f"run={tmp_path}", *given.split()])
    assert "no run folder" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [("standing=4", "no batch normalisation"), ("langevin=5", "prior=gaussian")],
)
def test_runs_that_lack_what_is_asked_for(plain: Path, given: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dispatch(["sample", f"run={plain}", given])
