"""The interface of the networks that turn images into features."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from gan.backbones.dataset import ImageDataset
from gan.backbones.pixels import to_uint8
from gan.errors import InputError

NO_LABEL = -1


class Features(NamedTuple):
    """Output of a backbone for one batch.

    Attributes:
        pool: pooled features of the last layer before the logits, float32 (B, F).
        logits: class scores before softmax, float32 (B, K).
        labels: class of each real image, or class that a fake was conditioned on, int64 (B,);
            -1 without a label.
    """

    pool: Tensor
    logits: Tensor
    labels: Tensor


def digest(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and bytes of a state dict, hexadecimal."""
    sha = hashlib.sha256()
    for name, value in sorted(state.items()):
        sha.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        sha.update(value.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


class Backbone(nn.Module, ABC):
    """A frozen feature network: in eval mode and without gradients.

    A subclass builds its network in `prepare` and calls `freeze` at the end. Keep it outside every
    LightningModule, so that its weights are not part of a checkpoint.

    Args:
        weights: file of the weights; None is the default location of the backbone.
        weights_hash: first hexadecimal digits that the hash of the weights must have, from the
            stamp of another run (not the hash of a file); None accepts any weights.

    Attributes:
        name: prefix of the name of every value, such as "inception".
        num_features: F, number of pooled features.
        resize: how images are resized to the resolution of the network, for the stamp.
        has_logits: whether there are class scores.
        predicts_labels: whether the classes are those of the data set.
        in_bfloat16: whether convolutions and matrix products are computed in bfloat16 (autocast).
        weights_hash: SHA-256 of the weights; empty before `prepare`.

    Raises:
        InputError: `weights_hash` is not hexadecimal.
    """

    name: str
    num_features: int
    resize: str
    has_logits: bool = True
    predicts_labels: bool = False
    in_bfloat16: bool = False

    def __init__(self, weights: str | None = None, weights_hash: str | None = None) -> None:
        super().__init__()
        if weights_hash is not None and not re.fullmatch("[0-9a-f]{1,64}", weights_hash):
            raise InputError(
                f"backbone.weights_hash={weights_hash} must be 1 to 64 hexadecimal digits (0-9, "
                "a-f), as in the stamp of a run"
            )
        self.weights = weights
        self.expected_hash = weights_hash or ""
        self.weights_hash = ""

    @abstractmethod
    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Load or train the weights for `dataset` and move them to `device`; idempotent.

        Raises:
            InputError: the weights are not available.
        """

    @abstractmethod
    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return pooled features (B, F) and logits (B, K).

        `forward` calls it without gradients, and without autocast unless `in_bfloat16`.

        Args:
            images: output of `quantize`; for most backbones uint8 (B, C, H, W).
        """

    def quantize(self, images: Tensor) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1] as input of the network: 8 bits a channel."""
        return to_uint8(images)

    @torch.no_grad()
    def forward(self, images: Tensor, labels: Tensor | None = None) -> Features:
        """Return the features of images (B, C, H, W) in [-1, 1].

        Args:
            images: floating point.
            labels: int64 (B,), or None.
        """
        if not images.is_floating_point():
            raise TypeError(f"{self.name} backbone reads images in [-1, 1], not {images.dtype}")
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.in_bfloat16):
            pool, logits = self.extract(self.quantize(images))
        if labels is None:
            labels = torch.full((len(images),), NO_LABEL)
        return Features(pool.float(), logits.float(), labels.to(pool.device))

    def stamp(self) -> dict[str, str | int | float]:
        """Return what identifies the features; call `prepare` before."""
        stamp: dict[str, str | int | float] = {
            "backbone": self.name,
            "weights_hash": self.weights_hash,
            "resize": self.resize,
        }
        return stamp | ({"precision": "bfloat16"} if self.in_bfloat16 else {})

    def freeze(self, device: torch.device) -> None:
        """Move, freeze and hash the weights at the end of `prepare`.

        Raises:
            InputError: the hash is not the expected one.
        """
        self.to(device).requires_grad_(False).eval()
        self.weights_hash = digest(self.state_dict())
        if not self.weights_hash.startswith(self.expected_hash):
            raise InputError(
                f"backbone.weights_hash={self.expected_hash}, but the hash of these weights of "
                f"{self.name} is {self.weights_hash}: set backbone.weights=FILE to the right file, "
                "or leave backbone.weights_hash out"
            )

    def train(self, mode: bool = True) -> Self:
        """Stay in eval mode for either value of `mode`."""
        return super().train(False)
