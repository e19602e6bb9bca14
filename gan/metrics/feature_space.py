"""Spaces in which images are compared: pixels, or the features of a network."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor

from gan.backbones.base import Backbone, Features
from gan.backbones.dataset import ImageDataset
from gan.backbones.pixels import to_uint8


class FeatureSpace(ABC):
    """A map from images to vectors.

    Attributes:
        name: of the space, for reports.
    """

    name: str

    @abstractmethod
    def vectors(self, images: Tensor) -> Tensor:
        """Return vectors (B, F) of images (B, C, H, W) in [-1, 1], float32 on the CPU."""

    def gather(self, batches: Iterable[Tensor]) -> Tensor:
        """Return the vectors (N, F) of batches of images."""
        return torch.cat([self.vectors(images) for images in batches])


class PixelSpace(FeatureSpace):
    """Pixels in [0, 1], of 8 bits."""

    name = "pixels"

    def vectors(self, images: Tensor) -> Tensor:
        """Return pixels (B, C H W)."""
        return to_uint8(images).flatten(1).cpu() / 255


class BackboneSpace(FeatureSpace):
    """Pooled features of a network.

    Args:
        backbone: the network, which is prepared.
        dataset: of the real images.
        device: of the network.

    Raises:
        InputError: if its weights are not available.
    """

    def __init__(self, backbone: Backbone, dataset: ImageDataset, device: torch.device) -> None:
        backbone.prepare(dataset, device)
        self.backbone, self.device, self.name = backbone, device, backbone.name

    def vectors(self, images: Tensor) -> Tensor:
        """Return features (B, F)."""
        features: Features = self.backbone(images.to(self.device))
        return features.pool.float().cpu()
