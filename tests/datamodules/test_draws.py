"""Numbers that are drawn by a seed, a key or a name are those of stored runs."""

import pytest
import torch

from datamodules.degradations.base import draws
from datamodules.layout import _position
from datamodules.split import TensorSplit, cut, few_of_each_class
from datamodules.stream import IndexStream, keyed_generator


@pytest.mark.parametrize(
    ("key", "value"), [((0, 3), 0.351978), ((0, 3, 0), 0.983949), ((1, 2, 0, 1), 0.818247)]
)
def test_the_key_of_a_source(key: tuple[int, ...], value: float) -> None:
    assert draws(key).random() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("key", "value"),
    [((3, 0), 0.54137), ((3, 1), 0.194316), ((3, 0, 1), 0.100336), ((0, 0), 0.942938)],
)
def test_the_key_of_an_order(key: tuple[int, ...], value: float) -> None:
    assert keyed_generator(*key).random() == pytest.approx(value, abs=1e-6)


def test_order_and_flips() -> None:
    first, second = (IndexStream(10, 4, seed=3, number=number) for number in (0, 1))
    assert [first.batch(k).tolist() for k in (0, 2)] == [[0, 5, 1, 8], [3, 7, 9, 3]]
    assert second.batch(0).tolist() == [2, 0, 7, 5]
    assert [first.flips(k).int().tolist() for k in (0, 256)] == [[1, 1, 0, 1], [1, 0, 0, 0]]
    assert second.flips(1).int().tolist() == [0, 1, 0, 0]


def test_parts_of_a_split() -> None:
    pixels = torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1)
    whole = TensorSplit(pixels, torch.arange(20) % 2)
    assert cut(whole, 0.25)[1].indices.tolist() == [2, 7, 8, 19]
    assert few_of_each_class(whole, 2, seed=5).indices.tolist() == [2, 8, 9, 5]


@pytest.mark.parametrize(
    ("name", "salt", "position"),
    [("a/1.png", "", 0.524184), ("a/1.png", "validation/", 0.407922), ("2.png", "", 0.201021)],
)
def test_images_that_are_held_out_by_name(name: str, salt: str, position: float) -> None:
    assert _position(name, salt) == pytest.approx(position, abs=1e-6)
