"""The interfaces of networks on pairs of image and latent."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from gan.layers.order import layers_in_order
from gan.networks.base import Discriminator, Encoder


def pair(images: Tensor, z: Tensor) -> Tensor:
    """Return each image (B, C, H, W) and its latent (B, dim) as one vector, (B, C H W + dim)."""
    return torch.cat([images.flatten(1), z], dim=1)


class JointEncoder(Encoder):
    """An encoder whose latents are judged beside their images.

    Attributes:
        bounded: its latents lie in (-1, 1).
    """

    bounded: bool = False

    def draw(self, x: Tensor, noise: Tensor) -> Tensor:
        """Return latents (B, latent_dim) of images (B, C, H, W): by default no random ones.

        Args:
            x: images.
            noise: standard normal, (B, latent_dim).
        """
        return self.mean(x)


class JointDiscriminator(Discriminator):
    """A network that maps pairs of image and latent to logits.

    A pair is one vector, see :func:`pair`, so that penalties on gradients read both parts.

    Attributes:
        shape: of the images, (C, H, W).
        latent_dim: dimension of the latents.
        image: the layers on images alone.
    """

    image: nn.Module
    shape: tuple[int, int, int]
    latent_dim: int

    def split(self, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images (B, C, H, W) and the latents (B, dim) of pairs (B, C H W + dim)."""
        pixels, z = torch.split(pairs, [pairs.shape[1] - self.latent_dim, self.latent_dim], 1)
        return pixels.reshape(-1, *self.shape), z

    def layers_from_image(self) -> list[nn.ModuleList]:
        """Return the layers on images alone; those that follow depend on the latent too."""
        return layers_in_order([self.image])

    @abstractmethod
    def join(self, images: Tensor, z: Tensor) -> Tensor:
        """Return the features (B, F) of images (B, C, H, W) beside latents (B, dim)."""

    def body(self, x: Tensor) -> Tensor:
        """Return the features before ``minibatch``, (B, F), of pairs (B, C H W + dim)."""
        return self.join(*self.split(x))
