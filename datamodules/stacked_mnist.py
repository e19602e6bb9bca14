"""Stacked MNIST: 1,000 classes of three digits."""

import hashlib
from typing import Any

import torch
from torch import Tensor

from datamodules.base import ImageDataModule
from datamodules.mnist import MNIST
from datamodules.split import Split
from datamodules.stream import keyed_generator

CHANNELS = 3
DIGITS = 10


class StackedSplit(Split):
    """Images whose channels are images of another split, assembled at each access.

    Args:
        layer: images of one channel, with labels from 0 to 9.
        chosen: indices of the red, green and blue channel of each image, int64 (n, 3) on the CPU.
    """

    def __init__(self, layer: Split, chosen: Tensor) -> None:
        assert layer.labels is not None
        self.layer, self.chosen = layer, chosen
        weights = DIGITS ** torch.arange(CHANNELS - 1, -1, -1)
        self.labels = (layer.labels[chosen] * weights).sum(1)

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def num_classes(self) -> int:
        """Return 1,000, or 0 without labels."""
        return 0 if self.labels is None else DIGITS**CHANNELS

    def images(self, indices: Tensor) -> Tensor:  # noqa: D102
        layers = self.layer.images(self.chosen[indices].flatten())
        return layers.view(len(indices), CHANNELS, *layers.shape[2:])

    def fingerprint(self) -> str:
        """Return the SHA-256 of the images of one channel, the indices and the labels."""
        digest = hashlib.sha256(self.layer.fingerprint().encode())
        digest.update(self.chosen.numpy().tobytes())
        digest.update(b"" if self.labels is None else self.labels.numpy().tobytes())
        return digest.hexdigest()

    def on_device(self, device: torch.device) -> "StackedSplit":
        """Return the split with the images of one channel on the device, if they fit there."""
        placed = StackedSplit(self.layer.on_device(device), self.chosen)
        placed.labels = self.labels
        return placed


class StackedMNIST(ImageDataModule):
    """Three random digits of MNIST as red, green and blue, with label 100 r + 10 g + b.

    "train" uses MNIST's training images, "test" its test images. Image i depends only on
    (content_seed, split, i). Files, padding and resolution are those of :class:`MNIST`.

    Source: Metz, Poole, Pfau and Sohl-Dickstein 2017, Unrolled generative adversarial networks; as
    a benchmark of 1,000 modes: Srivastava et al. 2017, VEEGAN. The size of "train" is that of Lin
    et al. 2018, PacGAN; the size of "test" is the number of generated images in which they count
    modes.

    Args:
        train_size: images of "train".
        test_size: images of "test".
        content_seed: seed of the choice of digits; `seed` changes only the order of the images.
        arguments: arguments of :class:`ImageDataModule`; `root` is MNIST's folder.
    """

    name = "stacked_mnist"
    class_names = tuple(f"{label:03}" for label in range(DIGITS**CHANNELS))

    def __init__(
        self,
        *,
        train_size: int = 128_000,
        test_size: int = 26_000,
        content_seed: int = 0,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self._layer = MNIST(**arguments | {"channels": 1, "num_classes": DIGITS})
        self.root = self._layer.root
        self.sizes = dict(zip(self.splits, (train_size, test_size), strict=True))
        self.content_seed = content_seed

    def layer(self) -> MNIST:
        """Return the data set of the channels, at the same resolution."""
        return self._layer

    def prepare_data(self) -> None:
        """Download MNIST if it is missing."""
        self._layer.prepare_data()

    def load(self, split: str) -> Split:  # noqa: D102
        layer = self._layer.split(split)
        random = keyed_generator(self.content_seed, self.splits.index(split))
        chosen = random.integers(len(layer), size=(self.sizes[split], CHANNELS))
        return StackedSplit(layer, torch.from_numpy(chosen))
