"""The handwritten digits of scikit-learn."""

import torch
from sklearn.datasets import load_digits

from datamodules.base import ImageDataModule
from datamodules.split import Split, TensorSplit, resize
from datamodules.stream import keyed_generator

TRAIN_SHARE = 0.8


class Digits(ImageDataModule):
    """1,797 handwritten digits, 8x8, 17 levels of grey, included in scikit-learn.

    The levels 0..16 become 0..255, and the images are resized bilinearly. A fixed permutation puts
    80 % into "train" and the rest into "test".

    Source: Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits (its test part).
    """

    name = "digits"

    def load(self, split: str) -> Split:  # noqa: D102
        bunch = load_digits()
        order = torch.from_numpy(keyed_generator(0, 0).permutation(len(bunch.images)))
        parts = order.tensor_split([int(TRAIN_SHARE * len(order))])
        rows = dict(zip(self.splits, parts, strict=True))[split]
        levels = torch.from_numpy(bunch.images)[:, None]
        images = (levels * (255 / 16)).round().to(torch.uint8)
        labels = torch.from_numpy(bunch.target).to(torch.int64)
        return TensorSplit(resize(images[rows], self.resolution), labels[rows])
