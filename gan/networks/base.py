"""The interfaces of the two players."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Generator(nn.Module, ABC):
    """Latents to images.

    Attributes:
        latent_dim: numbers in z.
        num_classes: labels known; 0 is unconditional.
    """

    latent_dim: int
    num_classes: int

    @abstractmethod
    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1] from z (B, latent_dim) and labels y (B,)."""


class Discriminator(nn.Module, ABC):
    """Images to logits, never probabilities; the critic where the loss is Wasserstein's.

    Attributes:
        num_classes: labels known; 0 is unconditional.
    """

    num_classes: int

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """Return the features h of images (B, C, H, W)."""

    @abstractmethod
    def score(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the logits (B,) of features h under labels y (B,)."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return score(features(x), y)."""
        return self.score(self.features(x), y)
