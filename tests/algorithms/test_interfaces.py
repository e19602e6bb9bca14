"""The functions that trained games have learned: their inputs, outputs and examples."""

from typing import Any

import pytest
import torch
from hydra.utils import instantiate

from gan.algorithms.interfaces import IMAGES, interfaces
from gan.algorithms.translation import TranslationGame
from tests.configs import options
from tests.conftest import Compose
from tests.golden.cases import overrides

ENCODERS = {"ali", "bigan", "vae", "vaegan", "infogan"}
CLASSIFIERS = {"acgan", "contragan", "reacgan", "semi_supervised", "semi_supervised_cnn"}


def game_of(model: str, config: Compose) -> tuple[Any, tuple[int, int, int]]:
    """Return a small game in evaluation mode, and the shape of its images."""
    node = config("data=cifar10", *overrides(f"model/{model}"))
    game = instantiate(node.model, _convert_="all").eval()
    return game, (node.data.channels, node.data.resolution, node.data.resolution)


@pytest.mark.parametrize("model", options("model"))
def test_a_module_returns_what_its_port_says(model: str, config: Compose) -> None:
    game, shape = game_of(model, config)
    found = {interface.name: interface for interface in interfaces(game, shape)}
    translators = {f"translator_{d}" for d in getattr(game, "directions", [])}
    expected = translators or {"generator"}
    expected |= {"encoder"} if model in ENCODERS else set()
    expected |= {"classifier"} if model in CLASSIFIERS else set()
    assert found.keys() == expected
    for interface in found.values():
        examples = interface.examples(2)
        assert not interface.module.training
        for port, example in zip(interface.ports, examples, strict=True):
            assert example.shape == (2, *port.shape)
            assert str(example.dtype) == f"torch.{port.dtype}"
            if port.values == IMAGES:
                assert -1 <= float(example.min()) < -0.9 < 0.9 < float(example.max()) <= 1
        with torch.no_grad():
            out = interface.module(*examples)
        assert out.shape == (2, *interface.output.shape)
        assert str(out.dtype) == f"torch.{interface.output.dtype}"
        others = zip(interface.examples(2), interface.examples(2, seed=1), examples, strict=True)
        for same, other, example in others:
            assert torch.equal(same, example)
            assert not torch.equal(other, example)


@pytest.mark.parametrize("model", ["cyclegan", "srgan"])
def test_a_translator_is_the_game_in_its_direction(model: str, config: Compose) -> None:
    game, shape = game_of(model, config)
    assert isinstance(game, TranslationGame)
    for interface, direction in zip(interfaces(game, shape), game.directions, strict=True):
        (source,) = interface.examples(1)
        with torch.no_grad():
            assert torch.equal(interface.module(source), game(source, direction))
        if model == "srgan":
            assert source.shape[2:] == (shape[1] // game.scale, shape[2] // game.scale)


def test_labels_are_drawn_of_all_classes(config: Compose) -> None:
    game, shape = game_of("biggan", config)
    (generator,) = interfaces(game, shape)
    assert [port.name for port in generator.ports] == ["z", "y"]
    _, labels = generator.examples(200)
    assert sorted(set(labels.tolist())) == list(range(game.averaged.num_classes))
    assert generator.ports[1].values == f"0..{game.averaged.num_classes - 1}"
