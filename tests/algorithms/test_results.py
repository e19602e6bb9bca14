"""What a trained game returns is float32 on the CPU, whatever the precision of its weights."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from gan.algorithms.encoding import EncodingGame
from gan.algorithms.infogan import InfoGAN
from gan.algorithms.latent import LatentGame
from gan.algorithms.styles import Styles
from gan.algorithms.translation import TranslationGame
from gan.networks.style import StyleGenerator
from gan.settings.trust import build
from tests.golden import cases, formula

NAMES = ["stylegan2", "bigan", "infogan", "acgan", "pix2pix"]


def results(game: Any, images: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield the results of all that a game can be asked."""
    if isinstance(game, TranslationGame):
        for direction in game.directions:
            yield f"translate {direction}", game.translate(images, direction)
        yield "restore", game.restore(images)
        return
    assert isinstance(game, LatentGame)
    yield "sample", game.sample(3)
    yield "decode", game.decode(game.latents(3))
    if isinstance(game, EncodingGame | InfoGAN):
        yield "encode", game.encode(images)
    if game.num_classified:
        yield "classify", game.classify(images)
    if isinstance(game.averaged, StyleGenerator):
        styles = Styles(game)
        yield "styles", styles.images(styles.sample(0, range(3), None))


@pytest.mark.parametrize("model", NAMES)
def test_results_are_float32_without_a_graph(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = cases.config(f"model/{model}")
    game: Any = build(config.model)
    formula.fill(game)
    modes = [module.training for module in game.modules()]
    generator = torch.Generator().manual_seed(0)
    shape = 3, config.data.channels, cases.SIDE, cases.SIDE
    images = torch.rand(shape, generator=generator).double() * 2 - 1
    game = game.double()
    if isinstance(game, LatentGame):
        draw = game.prior.sample_each
        monkeypatch.setattr(game.prior, "sample_each", lambda *key: draw(*key).double())
    for name, found in results(game, images):
        assert found.dtype == torch.float32, name
        assert found.device.type == "cpu", name
        assert not found.requires_grad, name
        assert len(found) == 3, name
    assert [module.training for module in game.modules()] == modes
