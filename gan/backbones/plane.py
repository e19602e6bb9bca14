"""Points of the plane as they are: the features of a point are its coordinates."""

import torch
from torch import Tensor

from gan.backbones.base import Backbone
from gan.backbones.source import PlaneSource, RealSource
from gan.errors import InputError


class PlaneBackbone(Backbone):
    """No network: the features of a point are its two coordinates.

    Logits are -|x - c_k|^2 / (2 std^2), the log-densities of the modes k but for a constant, so
    that the class of a point is the nearest mode. Centres and std stand for the weights.
    """

    name = "plane"
    num_features = 2
    resize = "none"
    knows_labels = True

    centres: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(0, 2))
        self.register_buffer("std", torch.ones(()))

    def prepare(self, source: RealSource, device: torch.device) -> None:
        """Takes the modes over.

        Raises:
            InputError: the data are no mixture of Gaussians in the plane.
        """
        if not isinstance(source, PlaneSource):
            raise InputError(
                f"metrics=plane measures points and {source.name} holds images; use data=ring, "
                "data=grid or other metrics"
            )
        self.centres, self.std = source.centres.clone(), torch.tensor(source.std)
        self.freeze(device)

    def quantized(self, images: Tensor) -> Tensor:
        """The points in full precision."""
        return images.float()

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, 2) and logits (B, K) of images float32 (B, 2, 1, 1)."""
        points = images.flatten(1)
        offsets = (points[:, None] - self.centres) / self.std
        return points, -offsets.square().sum(2) / 2
