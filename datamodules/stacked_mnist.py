"""Stacked MNIST: a thousand classes out of ten."""

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
    """Images made on demand, each channel one image of another split.

    Args:
        layer: images of one channel with labels from 0 to 9; held once.
        chosen: which of them are the red, green and blue of each image, int64 (n, 3) on the CPU.
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
        """A thousand, whichever of them occur; 0 without labels."""
        return 0 if self.labels is None else DIGITS**CHANNELS

    def images(self, indices: Tensor) -> Tensor:  # noqa: D102
        layers = self.layer.images(self.chosen[indices].flatten())
        return layers.view(len(indices), CHANNELS, *layers.shape[2:])

    def fingerprint(self) -> str:
        """The sha256 of the images of one channel, which of them are chosen, and the labels."""
        digest = hashlib.sha256(self.layer.fingerprint().encode())
        digest.update(self.chosen.numpy().tobytes())
        digest.update(b"" if self.labels is None else self.labels.numpy().tobytes())
        return digest.hexdigest()

    def on_device(self, device: torch.device) -> "StackedSplit":
        """The split over the images of one channel where those are best held."""
        placed = StackedSplit(self.layer.on_device(device), self.chosen)
        placed.labels = self.labels
        return placed


class StackedMNIST(ImageDataModule):
    """Three digits of MNIST, drawn at random, as red, green and blue; label 100 r + 10 g + b.

    The digits of "train" are MNIST's training images, those of "test" its test images. Image i is
    a function of (content_seed, split, i). Everything about files, padding and resolution is
    MNIST's.

    Source: Metz, Poole, Pfau and Sohl-Dickstein 2017, Unrolled generative adversarial networks; as
    a benchmark of 1,000 modes: Srivastava et al. 2017, VEEGAN. The size of "train" is that of Lin
    et al. 2018, PacGAN; that of "test" the number of generated images that they count modes in.

    Args:
        train_size: images of "train".
        test_size: images of "test".
        content_seed: key of the choice of digits; `seed` orders and never changes it.
        arguments: those of every data set; `root` is MNIST's.
    """

    name = "stacked_mnist"

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
        """The data set that the channels are drawn from, at the same resolution."""
        return self._layer

    def prepare_data(self) -> None:
        """Downloads MNIST where it is missing."""
        self._layer.prepare_data()

    def load(self, split: str) -> Split:  # noqa: D102
        layer = self._layer.split(split)
        random = keyed_generator(self.content_seed, self.splits.index(split))
        chosen = random.integers(len(layer), size=(self.sizes[split], CHANNELS))
        return StackedSplit(layer, torch.from_numpy(chosen))
