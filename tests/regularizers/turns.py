"""Turns of the two players, without a game."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan.networks.base import Generator
from gan.regularizers.base import Attempt, Verdict

Map = Callable[[Tensor], Tensor]


def linear(weight: Tensor) -> Map:
    """Return the critic that is an inner product with ``weight``."""
    return lambda images: images.flatten(1) @ weight


def verdict(
    critic: Map, real: Tensor, fake: Tensor, z: Tensor | None = None, generate: Map | None = None
) -> Verdict:
    """Return what ``critic`` says of images, which are their own features."""
    real, fake = real.requires_grad_(), fake.requires_grad_()
    return Verdict(
        critic,
        real,
        fake,
        critic(real),
        critic(fake),
        real,
        fake,
        torch.rand(len(real)),
        torch.randn(len(real), 2) if z is None else z,
        generate or (lambda z: fake),
    )


def attempt(generator: nn.Module, z: Tensor, real: Tensor | None = None) -> Attempt:
    """Return what ``generator`` makes of latents; flat images are their own features."""

    def trace(z: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        if isinstance(generator, Generator):
            return generator.trace(z, y)
        z = z.detach().requires_grad_()
        return z, generator(z)

    fake = generator(z)
    flat = fake.flatten(1)
    return Attempt(
        generator,
        generator,
        z,
        fake,
        flat.sum(1),
        flat,
        lambda: (fake if real is None else real).detach().flatten(1),
        None,
        trace,
    )
