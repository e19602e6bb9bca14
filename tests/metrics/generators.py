"""Generators with images in closed form, as games without training."""

from functools import partial

import torch
from torch import Tensor

from gan.algorithms.gan import GAN
from gan.conditioning.base import Unconditional
from gan.conditioning.projection import Projection
from gan.latents import Gaussian, Prior, Uniform
from gan.losses.logistic import NonSaturating
from gan.networks.base import Generator
from gan.networks.mlp import MLPDiscriminator


def game_of(generator: Generator, prior: Prior | None = None) -> GAN:
    """Return a game that only generates."""
    optimizer = partial(torch.optim.SGD, lr=0.1)
    classes = generator.num_classes
    conditioning = Projection(classes) if classes else Unconditional()
    return GAN(
        generator,
        MLPDiscriminator(1, 8, conditioning, units=(2,), pieces=2),
        NonSaturating(),
        prior=prior or Gaussian(generator.latent_dim),
        optimizer={"generator": optimizer, "discriminator": optimizer},
    )


class LinearGenerator(Generator):
    """Images of one pixel and C channels, (1 + y) A z."""

    matrix: Tensor

    def __init__(self, matrix: Tensor, num_classes: int = 0) -> None:
        super().__init__()
        self.latent_dim, self.num_classes = matrix.shape[1], num_classes
        self.register_buffer("matrix", matrix)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        images: Tensor = z @ self.matrix.T
        return (images if y is None else images * (1 + y[:, None]))[..., None, None]


class StripeGenerator(Generator):
    """The stripes of `tests.metrics.tiny_data`, from 64 latents uniform in [-1, 1]."""

    latent_dim, num_classes = 64, 3

    def classes(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the classes of the images for labels `y`."""
        return y

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        assert y is not None
        classes = self.classes(z, y)[:, None, None, None]
        pixels = (z.view(-1, 1, 8, 8) + 1) * 49.5
        pixels[:, :, :4] += 150 * (classes == 0)
        pixels[:, :, :, :4] += 150 * (classes == 1)
        return (pixels + 150 * (classes == 2)) / 127.5 - 1


class RandomClassGenerator(StripeGenerator):
    """Stripes of any class, whatever the label."""

    def classes(self, z: Tensor, y: Tensor) -> Tensor:
        return (z[:, 0] * 1e4).long() % 3


class NextClassGenerator(StripeGenerator):
    """Stripes of the class after the label."""

    def classes(self, z: Tensor, y: Tensor) -> Tensor:
        return (y + 1) % 3


class CollapsedGenerator(StripeGenerator):
    """Stripes of the right class, always the same image."""

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return super().forward(torch.zeros_like(z), y)


def stripe_game(generator: StripeGenerator) -> GAN:
    return game_of(generator, Uniform(64))
