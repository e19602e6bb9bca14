from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

import gan
from gan.algorithms.translation import TranslationGame
from gan.commands.train import train
from gan.errors import InputError
from gan.runs import translation
from gan.runs.folder import Run
from gan.runs.translation import RunTranslation
from tests.conftest import Compose

NETWORKS = ["model.generator.width=4", "model.generator.blocks=1", "model.discriminator.width=4"]
NETWORKS += ["model.discriminator.hidden=8", "model.perceptual=null"]


@pytest.mark.parametrize("direction", ["ab", "ba"])
def test_pictures_are_read_as_those_of_their_domain(
    direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translation, "find_pictures", lambda *given: given)
    one = RunTranslation.__new__(RunTranslation)
    one._config, one._direction, one.side = OmegaConf.create(), direction, 8
    for resize, side in ((True, 8), (False, None)):
        found: Any = one.pictures(Path("x"), resize)
        assert found[1:] == (Path("x"), side, direction[0])


@pytest.fixture
def run(config: Compose, tmp_path: Path) -> Path:
    train(config("model=srgan", "data=digits", "steps=1", "metrics=[]", *NETWORKS))
    return tmp_path / "run"


def test_a_convolutional_network_restores_large_pictures_in_large_tiles(run: Path) -> None:
    restored = RunTranslation(Run(run), None, "ab", torch.device("cpu")).in_tiles(None, None)
    game = gan.load(run, kind=TranslationGame)
    draw = torch.Generator().manual_seed(0)
    small, large = (torch.rand(1, *sides, generator=draw) * 2 - 1 for sides in ((8, 8), (150, 170)))
    torch.testing.assert_close(restored(small), game.restore(small[None])[0])
    tiled, whole = restored(large), game.restore(large[None])[0]
    assert tiled.shape == (1, 300, 340)
    inner = (slice(None), slice(32, -32), slice(32, -32))
    torch.testing.assert_close(tiled[inner], whole[inner], rtol=0, atol=1e-5)


def test_a_tile_that_is_given_is_taken(run: Path) -> None:
    translation = RunTranslation(Run(run), None, "ab", torch.device("cpu"))
    large = torch.zeros(1, 150, 170)
    assert not torch.allclose(
        translation.in_tiles(8, 4)(large), translation.in_tiles(None, None)(large)
    )
    with pytest.raises(InputError, match="overlap=8"):
        translation.in_tiles(8, 8)
