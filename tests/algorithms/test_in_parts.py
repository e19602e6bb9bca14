"""What is computed a part at a time does not depend on the size of the parts."""

import importlib
import pkgutil
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import gan.algorithms
from gan.algorithms.classification import class_logits
from gan.algorithms.projection import LatentSpace, Observation, Projection
from gan.algorithms.samples import Samples
from gan.algorithms.sampling import Langevin
from gan.algorithms.styles import Styles
from gan.conditioning.auxiliary import Auxiliary
from gan.conditioning.base import Unconditional
from gan.latents import Gaussian
from gan.layers.noise import PixelNoise
from gan.networks.mlp import MLPGenerator
from tests.algorithms import test_acgan, test_infogan, test_sampling, test_vae
from tests.algorithms.translating import cycle

NAMES = ("SAMPLE_BATCH", "_BATCH")
COUNT = 7


def modules() -> list[str]:
    """Return the modules of games that compute in parts."""
    names = [module.name for module in pkgutil.iter_modules(gan.algorithms.__path__)]
    found = [importlib.import_module(f"gan.algorithms.{name}") for name in names]
    return [m.__name__.rpartition(".")[2] for m in found if any(hasattr(m, n) for n in NAMES)]


def decoded() -> Tensor:
    """Return images with pixel noise of their own."""
    game = test_sampling.styled()
    for layer in game.averaged.modules():
        if isinstance(layer, PixelNoise):
            torch.nn.init.ones_(layer.strength)
    return game.decode(game.latents(COUNT, seed=3), seed=3)


def chains(first: int = 0) -> Tensor:
    """Return the ends of chains under labels in turn."""
    slopes = test_sampling.DRAWN[:3, :2]
    game = test_sampling.game(test_sampling.Plain(num_classes=3), test_sampling.Linear(slopes, 3))
    z, y = game.latents(COUNT), game.labels_for(COUNT, None)
    return Langevin(3, 0.1)(game, z, y, seed=1, first=first)


def samples() -> Tensor:
    """Return samples whose latents are the ends of chains."""
    slopes = test_sampling.DRAWN[:3, :2]
    game = test_sampling.game(test_sampling.Plain(num_classes=3), test_sampling.Linear(slopes, 3))
    chosen = Samples(game, COUNT, 1, game.labels_for(COUNT, None), Langevin(3, 0.1))
    numbers, images = zip(*chosen.batches(), strict=True)
    assert [k for part in numbers for k in part] == list(range(COUNT))
    return torch.cat(images)


def start() -> Tensor:
    """Return where a search begins."""
    torch.manual_seed(0)
    generator = MLPGenerator(6, 2, 8, Unconditional(), [16]).eval().requires_grad_(False)
    space = LatentSpace(generator, Gaussian(6), None, seed=2)
    image = space.images(space.candidates()[41:42])
    return next(Projection(1).path(space, Observation(image, torch.ones(1, 1, 8, 8))))


def pictures(side: int = 8) -> Tensor:
    return test_vae.images(0, COUNT, side)


def of_styles() -> Tensor:
    """Return the images of two styles for each sample."""
    styles = Styles(test_sampling.styled())
    w = styles.sample(0, range(COUNT), None)
    return styles.images(torch.stack([w, w.flip(0)], 1))


MADE: dict[str, Callable[[], Tensor]] = {
    "latent": decoded,
    "sampling": chains,
    "samples": samples,
    "styles": of_styles,
    "projection": start,
    "translation": lambda: cycle().translate(pictures()),
    "encoding": lambda: test_vae.small().encode(pictures()),
    "infogan": lambda: test_infogan.game().encode(pictures()),
    "classification": lambda: class_logits(test_acgan.game(Auxiliary(3)).discriminator, pictures()),
}


def test_every_module_that_computes_in_parts_is_tested() -> None:
    assert set(modules()) == MADE.keys()


@pytest.mark.parametrize("name", MADE)
def test_the_size_of_the_parts_does_not_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for size in (100, 3):
        for module in modules():
            for constant in NAMES:
                place = f"gan.algorithms.{module}.{constant}"
                if hasattr(importlib.import_module(f"gan.algorithms.{module}"), constant):
                    monkeypatch.setattr(place, size)
        torch.manual_seed(0)
        results.append(MADE[name]())
    torch.testing.assert_close(*results, atol=1e-5, rtol=1e-5)
    assert len(torch.unique(results[0].flatten(1), dim=0)) == len(results[0])


def test_chains_have_the_random_numbers_of_their_samples() -> None:
    assert not torch.allclose(chains(), chains(first=COUNT))
