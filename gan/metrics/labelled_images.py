"""Labelled real and generated images that a classifier learns from."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.backbones.dataset import ImageDataset, Split
from gan.backbones.pixels import to_uint8
from gan.progress import bar

BATCH = 100  # images


@dataclass(frozen=True)
class TensorSplit:
    """Images in memory as a split.

    Attributes:
        pixels: uint8 (N, C, R, R) on the CPU.
        labels: int64 (N,) on the CPU.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def images(self, indices: Tensor) -> Tensor:
        """Return the images at `indices`, uint8 (n, C, R, R)."""
        return self.pixels[indices]


@dataclass(frozen=True)
class Subset:
    """Some images of a labelled split.

    Attributes:
        split: of the images.
        indices: of the images in the split, int64 (n,).
    """

    split: Split
    indices: Tensor

    @classmethod
    def full(cls, split: Split) -> "Subset":
        """Return all images of a split."""
        return cls(split, torch.arange(len(split)))

    @property
    def labels(self) -> Tensor:
        """Return the classes of the images, int64 (n,)."""
        assert self.split.labels is not None
        return self.split.labels[self.indices]

    def first(self, count: int | None) -> "Subset":
        """Return the first `count` images, or all of them."""
        return Subset(self.split, self.indices[:count])

    def concatenate(self, other: "Subset") -> "Subset":
        """Return the images of both, in memory."""
        images = [part.split.images(part.indices).cpu() for part in (self, other)]
        labels = torch.cat([self.labels, other.labels])
        return Subset.full(TensorSplit(torch.cat(images), labels))


def train_test(dataset: ImageDataset, seed: int) -> tuple[Subset, Subset]:
    """Return shuffled real images to train on, and others to test on.

    The others are the test split, or a tenth of the train split without a labelled test split.
    """
    train = dataset.split("train")
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    try:
        test = dataset.split("test")
    except ValueError:
        test = None
    if test is not None and test.labels is not None and len(test) > 0:
        return Subset(train, order), Subset.full(test)
    tenth = max(1, len(order) // 10)
    return Subset(train, order[:-tenth]), Subset(train, order[-tenth:])


def generate(game: LatentGame, labels: Tensor, seed: int) -> Subset:
    """Return generated images of the classes `labels` (N,), rounded to 8 bits like real images."""
    parts, count = [], 0
    with bar("labelled fakes", len(labels), "img") as progress:
        for y in torch.split(labels, BATCH):
            images = game.generate(seed, range(count, count + len(y)), y)
            parts.append(to_uint8(images).cpu())
            count += len(y)
            progress.update(len(y))
    return Subset.full(TensorSplit(torch.cat(parts), labels))
