"""Networks that turn images into the features that metrics compare."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from gan.backbones.pixels import to_uint8
from gan.backbones.source import RealSource
from gan.errors import InputError

NO_LABEL = -1


class Features(NamedTuple):
    """One pass of a backbone.

    Attributes:
        pool: penultimate activations, float32 (B, F).
        logits: class scores before softmax, float32 (B, K).
        labels: class that each image has or was asked to have, int64 (B,); -1 is none.
    """

    pool: Tensor
    logits: Tensor
    labels: Tensor


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
        classifies: whether there are logits.
        knows_labels: whether the logits are of the data set's own classes.
        weights: file to read the weights from; None is the backbone's own place.
        weights_hash: SHA-256 of the weights, once prepared.
    """

    name: str
    num_features: int
    resize: str
    classifies: bool = True
    knows_labels: bool = False

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        self.weights = weights
        self.weights_hash = ""
        self.expected_hash = ""

    @abstractmethod
    def prepare(self, source: RealSource, device: torch.device) -> None:
        """Loads or trains the weights for `source` and moves them to `device`; idempotent.

        Raises:
            InputError: the weights cannot be had.
        """

    @abstractmethod
    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features and logits of images, called without gradients or autocast.

        Args:
            images: what `quantized` returns, uint8 (B, C, H, W) as a rule.
        """

    def quantized(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] as this network reads them: 8 bits a channel."""
        return to_uint8(images)

    @torch.no_grad()
    def forward(self, images: Tensor, labels: Tensor | None = None) -> Features:
        """Features of images (B, C, H, W) in [-1, 1] with their labels (B,), if they have any."""
        if not images.is_floating_point():
            raise TypeError(f"{self.name} backbone reads images in [-1, 1], not {images.dtype}")
        with torch.autocast(images.device.type, enabled=False):
            pool, logits = self.extract(self.quantized(images))
        if labels is None:
            labels = torch.full((len(images),), NO_LABEL)
        return Features(pool, logits, labels.to(pool.device))

    def stamp(self) -> dict[str, str | int | float]:
        """What identifies the features, once prepared."""
        return {
            "backbone": self.name,
            "weights_hash": self.weights_hash,
            "resize": self.resize,
        }

    def expect(self, weights_hash: str) -> None:
        """Lets `prepare` refuse weights whose hash does not begin with these digits.

        Args:
            weights_hash: from the stamp of another run, hexadecimal; not the hash of a file.

        Raises:
            InputError: it is not hexadecimal.
        """
        if not re.fullmatch("[0-9a-f]{1,64}", weights_hash):
            raise InputError(
                f"metrics.weights_hash={weights_hash} must be 1 to 64 hexadecimal digits (0-9, a-f)"
                ", as the stamp of a run gives them"
            )
        self.expected_hash = weights_hash

    def freeze(self, device: torch.device) -> None:
        """Ends `prepare`: moves, freezes and identifies the weights.

        Raises:
            InputError: they are other than expected.
        """
        self.to(device).requires_grad_(False).eval()
        self.weights_hash = digest(self.state_dict())
        if not self.weights_hash.startswith(self.expected_hash):
            raise InputError(
                f"metrics.weights_hash={self.expected_hash} is not how the hash of these weights "
                f"of {self.name} begins, {self.weights_hash}; name the right file with "
                "metrics.weights=FILE, or leave metrics.weights_hash out"
            )

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode, whatever a parent asks for."""
        return super().train(False)
