"""Few labelled images of each class beside all images."""

from collections.abc import Callable
from itertools import islice

import pytest
import torch
from torch import Tensor

from datamodules.base import ImageDataModule
from datamodules.digits import Digits
from datamodules.errors import DataError
from tests.datamodules.test_image_datamodule import numbers

CLASSES = 10


def module(labelled: int = 3, seed: int = 0, **settings: int) -> Digits:
    facts = {"channels": 1, "resolution": 8, "num_classes": CLASSES, "batch_size": 64} | settings
    return Digits(**facts, steps=30, seed=seed, labelled=labelled)  # type: ignore[arg-type]


def labelled(given: Digits, steps: int = 30) -> tuple[Tensor, Tensor]:
    """Return the labelled images and the labels of all steps."""
    given.setup()
    batches = [step[0][0] for step in islice(given.train_dataloader(), steps)]
    images, labels = zip(*batches, strict=True)
    return torch.cat(images), torch.cat(labels)


def distinct(rows: Tensor) -> Tensor:
    """Return the rows that differ, sorted."""
    kinds: Tensor = torch.unique(rows, dim=0)
    return kinds


def test_equally_many_of_each_class_come_again() -> None:
    images, labels = labelled(module())
    rows = torch.cat([images.flatten(1), labels[:, None].float()], 1)
    seen = distinct(rows)[:, -1].long()
    assert torch.bincount(seen, minlength=CLASSES).tolist() == [3] * CLASSES
    counts = torch.bincount(labels, minlength=CLASSES)
    assert (counts - 30 * 64 / CLASSES).abs().max() <= 3  # whole epochs


def test_they_are_drawn_by_the_seed() -> None:
    one, same, other = (
        distinct(labelled(module(seed=seed), 1)[0].flatten(1)) for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_other_images_are_all() -> None:
    given = module()
    given.setup()
    plain = Digits(channels=1, resolution=8, num_classes=CLASSES, batch_size=64, steps=30)
    for pairs, images in zip(given.train_dataloader(), plain.train_dataloader(), strict=True):
        assert torch.equal(pairs[0][1][0], images[0][0])


def test_order_and_flips_are_not_those_of_the_other_images(
    numbered: Callable[..., ImageDataModule],
) -> None:
    """Even where the labelled images are all, image k of both does not meet in every epoch."""
    given = numbered(labelled=10, batch_size=10, steps=10, flip=True)
    met: list[tuple[int, int]] = []
    coins: list[list[Tensor]] = []
    for (((some, _), (images, _)),) in given.train_dataloader():
        met += zip(numbers(some), numbers(images), strict=True)
        coins.append([x[:, 0, 0, 0].eq(1) for x in (some, images)])
    assert len(set(met[:50]) & set(met[50:])) < 10
    assert not all(torch.equal(one, other) for one, other in coins)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"labelled": 0}, "data.labelled=0: must be at least 1"),
        ({"labelled": 500}, "give at most 1.., the images of class 0$"),
        ({"num_classes": 0}, "for data with labels"),
    ],
)
def test_impossible_numbers_are_refused_when_the_data_are_read(
    settings: dict[str, int], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        module(**settings).setup()
