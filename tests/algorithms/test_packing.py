"""Packs of images, judged together (Lin et al., 2018)."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan.algorithms.gan import GAN
from gan.batch import LatentBatch
from gan.conditioning.base import Conditioning, Unconditional
from gan.conditioning.projection import Projection
from gan.errors import InputError
from gan.latents import Gaussian
from gan.losses.hinge import Hinge
from gan.networks.base import Discriminator
from gan.networks.mlp import MLPGenerator
from gan.regularizers.base import Regularizer
from gan.regularizers.consistency import ConsistencyRegularization
from gan.regularizers.gradient import DRAGAN, R1, R2, GradientPenalty


class Linear(Discriminator):
    """A logit linear in the pixels of (B, channels, 2, 2)."""

    def __init__(self, channels: int, conditioning: Conditioning) -> None:
        super().__init__()
        self.build_head(channels * 4, conditioning)

    def body(self, x: Tensor) -> Tensor:
        return x.flatten(1)


def game(pack: int = 2, conditioning: Conditioning | None = None, **ingredients: Any) -> GAN:
    torch.manual_seed(0)
    sgd, told = partial(torch.optim.SGD, lr=0.1), conditioning or Unconditional()
    return GAN(
        MLPGenerator(3, 3, 2, told, hidden=(8,)),
        Linear(3 * max(pack, 1), told),
        prior=Gaussian(3),
        optimizer={"generator": sgd, "discriminator": sgd},
        pack=pack,
        **{"loss": Hinge(), **ingredients},
    )


def images(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(count, 3, 2, 2, generator=generator) * 2 - 1


def by_hand(players: GAN, x: Tensor) -> list[float]:
    """Return the logits of packs of two, neighbours in the batch, one upon the other's channels."""
    linear = players.discriminator.head.linear
    assert isinstance(linear, nn.Linear)
    weight = linear.weight.view(2, 3, 2, 2)  # which of the two, channel, row, column
    pairs = [(x[i], x[i + 1]) for i in range(0, len(x), 2)]
    return [
        float((weight[0] * a).sum() + (weight[1] * b).sum() + linear.bias.sum()) for a, b in pairs
    ]


@torch.no_grad()
def test_the_logit_of_a_pack_is_that_of_its_channels() -> None:
    players, x = game(), images(6)
    logits, _ = players.discriminate(x, None)
    assert logits.tolist() == pytest.approx(by_hand(players, x), rel=1e-5)


def test_both_players_are_judged_in_packs() -> None:
    players, x = game(), images(4)
    z = torch.randn(4, 3)
    batch = LatentBatch(x, None, z, torch.rand(4))
    with torch.no_grad():
        real, fake = by_hand(players, x), by_hand(players, players.generator(z))
    hinge = sum(max(0, 1 - a) for a in real) / 2 + sum(max(0, 1 + b) for b in fake) / 2
    said = players.discriminator_loss(batch)
    assert said["adversarial"].item() == pytest.approx(hinge, rel=1e-5)
    attempted = players.generator_loss(batch)
    assert attempted["adversarial"].item() == pytest.approx(-sum(fake) / 2, rel=1e-5)


def test_terms_that_compare_logits_go_with_packs() -> None:
    players, x = (
        game(regularizers={"cr": ConsistencyRegularization(torch.neg, weight=1.0)}),
        images(4),
    )
    with torch.no_grad():
        apart = [a - b for a, b in zip(by_hand(players, x), by_hand(players, -x), strict=True)]
    terms = players.discriminator_loss(LatentBatch(x, None, torch.randn(4, 3), torch.rand(4)))
    assert terms["cr"].item() == pytest.approx(sum(a**2 for a in apart) / 2, rel=1e-4)


def test_an_odd_batch_is_refused() -> None:
    with pytest.raises(InputError, match="pack=2 does not divide the 5 images of a device"):
        game().discriminate(images(5), None)


def test_labels_are_refused() -> None:
    with pytest.raises(InputError, match=r"pack=2: .* set pack=1 or conditioning=none"):
        game(conditioning=Projection(3, 4))
    game(pack=1, conditioning=Projection(3, 4))


@pytest.mark.parametrize("regularizer", [R1(), R2(), GradientPenalty(), DRAGAN()])
def test_gradients_of_one_image_are_refused(regularizer: Regularizer) -> None:
    with pytest.raises(InputError, match=r"regularizers\.penalty needs .* pack=2 .* set pack=1"):
        game(regularizers={"penalty": regularizer})
    game(pack=1, regularizers={"penalty": regularizer})


@pytest.mark.parametrize("pack", [0, -1])
def test_less_than_one_is_refused(pack: int) -> None:
    with pytest.raises(InputError, match=f"pack={pack}: give a number from 1"):
        game(pack=pack)
