"""Networks that turn images into the features that metrics compare."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from gan.metrics.source import RealSource


class Features(NamedTuple):
    """One pass of a backbone.

    Attributes:
        pool: penultimate activations, float32 (B, F).
        logits: class scores before softmax, float32 (B, K).
    """

    pool: Tensor
    logits: Tensor


def digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes of a state dict, hexadecimal."""
    sha = hashlib.sha256()
    for name, value in sorted(state.items()):
        sha.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        sha.update(value.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


class Backbone(nn.Module, ABC):
    """Frozen feature network: always in eval mode, without gradients, in full precision.

    A subclass builds its network in `prepare` and ends it with `freeze`. It belongs outside every
    LightningModule, so that its weights enter no checkpoint.

    Attributes:
        name: prefix of every metric's key, such as "inception".
        num_features: F, width of the pooled features.
        resize: how images reach the network's resolution, for the stamp.
        weights: file to read the weights from; None is the backbone's own place.
        weights_hash: SHA-256 of the weights, once prepared.
    """

    name: str
    num_features: int
    resize: str

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        self.weights = weights
        self.weights_hash = ""

    @abstractmethod
    def prepare(self, source: RealSource, device: torch.device) -> None:
        """Loads or trains the weights for `source` and moves them to `device`; idempotent.

        Raises:
            InputError: the weights cannot be had.
        """

    @abstractmethod
    def extract(self, images: Tensor) -> Features:
        """Features of uint8 images (B, C, H, W), called without gradients or autocast."""

    @torch.no_grad()
    def forward(self, images: Tensor) -> Features:
        """Features of uint8 images (B, C, H, W)."""
        if images.dtype != torch.uint8:
            raise TypeError(f"{self.name} backbone reads uint8 images, not {images.dtype}")
        with torch.autocast(images.device.type, enabled=False):
            return self.extract(images)

    def stamp(self) -> dict[str, str | int | float]:
        """What identifies the features, once prepared."""
        return {
            "backbone": self.name,
            "weights_hash": self.weights_hash,
            "resize": self.resize,
        }

    def freeze(self, device: torch.device) -> None:
        """Ends `prepare`: moves, freezes and identifies the weights."""
        self.to(device).requires_grad_(False).eval()
        self.weights_hash = digest(self.state_dict())

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode, whatever a parent asks for."""
        return super().train(False)
