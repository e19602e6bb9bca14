"""The handwritten digits of scikit-learn."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datamodules.base import ImageDataModule
from datamodules.split import Split, TensorSplit, resize
from datamodules.stream import keyed_generator

TRAIN_SHARE = 0.8
_FILE = "datasets/data/digits.csv.gz"  # in scikit-learn, whose import takes a second


@cache
def _read() -> tuple[Tensor, Tensor]:
    """Return the levels, (1797, 8, 8) of float64 from 0 to 16, and the labels, (1797,) of int64."""
    spec = find_spec("sklearn")
    assert spec is not None
    assert spec.origin is not None
    table = torch.from_numpy(np.loadtxt(Path(spec.origin).parent / _FILE, delimiter=","))
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].long()


class Digits(ImageDataModule):
    """1,797 handwritten digits, 8x8, 17 levels of grey, included in scikit-learn.

    The levels 0..16 become 0..255, and the images are resized bilinearly. A fixed permutation puts
    80 % into "train" and the rest into "test".

    Source: Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits (its test part).
    """

    name = "digits"
    reads_files = False
    class_names = tuple("0123456789")

    def load(self, split: str) -> Split:  # noqa: D102
        levels, labels = _read()
        order = torch.from_numpy(keyed_generator(0, 0).permutation(len(levels)))
        parts = order.tensor_split([int(TRAIN_SHARE * len(order))])
        rows = dict(zip(self.splits, parts, strict=True))[split]
        images = (levels[:, None] * (255 / 16)).round().to(torch.uint8)
        return TensorSplit(resize(images[rows], self.resolution), labels[rows])
