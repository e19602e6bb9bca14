"""The interfaces of the two players."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

BASE = 4  # pixels a side of the smallest feature maps


def halvings(resolution: int) -> int:
    """Return how often ``resolution`` is halved down to 4 pixels.

    Raises:
        ValueError: if it is no power of two from 8.
    """
    stages = (resolution // BASE).bit_length() - 1
    if stages < 1 or BASE << stages != resolution:
        raise ValueError(
            f"data.resolution={resolution} must be a power of two from 8: set data.resolution to "
            "16, 32, 64 or 128"
        )
    return stages


def draw(network: nn.Module, initialize: Callable[[Tensor], object]) -> None:
    """Draw the weights of linear maps, convolutions and their kin; biases are 0."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            initialize(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


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
