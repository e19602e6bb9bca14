"""Discriminators judge in half precision, but for images that a penalty differentiates by."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from gan.algorithms.gan import GAN
from gan.conditioning.base import Unconditional
from gan.networks.r3gan import R3GANDiscriminator
from gan.regularizers.base import DiscriminatorOutputs, GeneratorOutputs, Regularizer
from tests.algorithms.test_two_player import images, plain
from tests.algorithms.translating import cycle, pairs
from tests.layers.test_convolution import nodes
from tests.play import play

JUDGES: dict[str, tuple[Callable[[], Any], Tensor]] = {
    "gan": (plain, images(0)),
    "critic": (lambda: cycle().critic_b, pairs().real),
}


@pytest.mark.parametrize("name", JUDGES)
@pytest.mark.parametrize("differentiated", [True, False])
def test_autocast_is_off_for_what_is_differentiated_by(name: str, differentiated: bool) -> None:
    make, x = JUDGES[name]
    judge = make()
    x = x.clone().requires_grad_(differentiated)
    with torch.autocast("cpu", torch.bfloat16):
        logits, h = judge.discriminate(x, None)
        made, _ = judge.discriminate(x * 1.0, None)  # of a generator: no leaf
    exact, _ = judge.discriminate(x, None)
    assert logits.dtype == made.dtype == torch.float32
    assert torch.equal(logits, exact) == differentiated
    assert h.dtype == (torch.float32 if differentiated else torch.bfloat16)
    assert not torch.equal(made, exact)


@pytest.mark.parametrize("name", JUDGES)
@pytest.mark.parametrize("differentiated", [True, False])
def test_convolutions_are_bilinear_where_they_are_differentiated_twice(
    name: str, differentiated: bool
) -> None:
    make, x = JUDGES[name]
    judge = make()
    if isinstance(judge, GAN):
        judge.discriminator = R3GANDiscriminator(1, 8, Unconditional(), [1, 3, 3, 1], width=16)
    logits, _ = judge.discriminate(x.clone().requires_grad_(differentiated), None)
    assert ("ConvolutionBackward0" in nodes(logits)) != differentiated


class Noting(Regularizer):
    """Keeps what it is given and asks for gradients of the images."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: list[DiscriminatorOutputs | GeneratorOutputs] = []

    def penalty(self, out: DiscriminatorOutputs, networks: Any) -> Tensor:
        self.outputs.append(out)
        return out.real_logits.mean() * 0

    def generator_penalty(self, out: GeneratorOutputs, networks: Any) -> Tensor:
        self.outputs.append(out)
        return out.fake_logits.mean() * 0


def test_regularizers_are_given_real_images_without_a_graph() -> None:
    noting = Noting()
    play(plain(regularizers={"noting": noting}), images, steps=2)
    kinds = [type(out) for out in noting.outputs]
    assert kinds == [DiscriminatorOutputs, GeneratorOutputs] * 2
    for out in noting.outputs:
        assert not out.batch.real.requires_grad
        assert out.fake.requires_grad == isinstance(out, GeneratorOutputs)
        assert len(out.batch.real) == len(out.fake) == 8
