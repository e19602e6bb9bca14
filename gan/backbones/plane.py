"""Points of the plane: the features of a point are its coordinates."""

import torch
from torch import Tensor

from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset, PointDataset
from gan.errors import InputError


class PlaneBackbone(Backbone):
    """No network: the features of a point are its two coordinates.

    Logits are -|x - c_k|^2 / (2 std^2), the log-densities of the modes k up to a constant, so that
    the class of a point is the nearest mode. Centres and std are hashed like weights.
    """

    name = "plane"
    num_features = 2
    resize = "none"
    predicts_labels = True

    centres: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(0, 2))
        self.register_buffer("std", torch.ones(()))

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Copy centres and standard deviation of the modes.

        Raises:
            InputError: the data are no mixture of Gaussians in the plane.
        """
        if not isinstance(dataset, PointDataset):
            raise InputError(
                f"backbone=plane reads points and {dataset.name} holds images; use data=ring, "
                "data=grid or another backbone"
            )
        self.centres, self.std = dataset.centres.clone(), torch.tensor(dataset.std)
        self.freeze(device)

    def quantize(self, images: Tensor) -> Tensor:
        """Return the points in full precision."""
        return images.float()

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return points (B, 2) and logits (B, K) of images float32 (B, 2, 1, 1)."""
        points = images.flatten(1)
        offsets = (points[:, None] - self.centres) / self.std
        return points, -offsets.square().sum(2) / 2
