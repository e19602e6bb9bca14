import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gan.algorithms.tiles import TiledTranslation, Windows
from gan.errors import InputError

SIZES = [(16, 16), (31, 17), (50, 33), (5, 40), (1, 3), (3, 1)]


class Counted:
    """A translation that counts its tiles and keeps the largest batch."""

    def __init__(self) -> None:
        self.tiles, self.batch = 0, 0

    def __call__(self, images: Tensor) -> Tensor:
        self.tiles += len(images)
        self.batch = max(self.batch, len(images))
        return images


def image(*size: int, channels: int = 3) -> Tensor:
    return torch.rand(channels, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def identity(images: Tensor) -> Tensor:
    return images


@pytest.mark.parametrize("overlap", [0, 1, 5, 8, 15])
@pytest.mark.parametrize("size", SIZES)
def test_the_identity_gives_the_image_back(size: tuple[int, int], overlap: int) -> None:
    x = image(*size)
    torch.testing.assert_close(TiledTranslation(identity, 16, overlap)(x), x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_the_size_of_the_result(size: tuple[int, int], scale: int) -> None:
    def enlarge(images: Tensor) -> Tensor:
        return interpolate(images, scale_factor=scale, mode="nearest")

    found = TiledTranslation(enlarge, 16, 6, scale)(image(*size))
    torch.testing.assert_close(found, enlarge(image(*size)[None])[0], rtol=0, atol=1e-6)


def test_a_constant_and_another_number_of_channels() -> None:
    def constant(images: Tensor) -> Tensor:
        return torch.full((len(images), 2, *images.shape[2:]), 0.3)

    found = TiledTranslation(constant, 16, 7)(image(50, 33))
    torch.testing.assert_close(found, torch.full((2, 50, 33), 0.3), rtol=0, atol=1e-6)


def test_a_convolutional_network_does_as_on_the_whole_image() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 3, 3, padding=1)]
    network, x = nn.Sequential(*layers).requires_grad_(False), image(61, 47)
    expected = network(x[None])[0]
    # outputs see two pixels in each direction, on which the padding at the border depends
    inside = slice(None), slice(2, -2), slice(2, -2)
    torch.testing.assert_close(TiledTranslation(network, 16, 8)(x)[inside], expected[inside])
    seams = TiledTranslation(network, 16, 2)(x)[inside]
    assert (seams - expected[inside]).abs().max() > 1e-2
    # a single tile is the whole image
    torch.testing.assert_close(
        TiledTranslation(network, 16, 8)(x[:, :16, :16]), network(x[None, :, :16, :16])[0]
    )


@pytest.mark.parametrize(
    ("side", "tile", "overlap"),
    itertools.product([16, 17, 24, 31, 100], [16], [0, 1, 7, 8, 12, 15]),
)
def test_windows_cover_an_axis_and_share_its_pixels(side: int, tile: int, overlap: int) -> None:
    windows = Windows(side, tile, overlap)
    starts = windows.starts
    assert (starts[0], starts[-1]) == (0, side - tile)
    assert all(a < b <= a + tile - overlap for a, b in itertools.pairwise(starts))
    # no fewer windows could do so
    assert tile + (len(starts) - 2) * (tile - overlap) < side
    for scale in (1, 2):
        weights = windows.weights(scale)
        assert weights.shape == (len(starts), scale * side)
        assert weights.min() >= 0
        torch.testing.assert_close(weights.sum(0), torch.ones(scale * side))
        for start, row in zip(starts, weights, strict=True):
            inside = torch.zeros_like(row, dtype=torch.bool)
            inside[scale * start : scale * (start + tile)] = True
            assert not row[~inside].any()


def test_the_weights_of_two_windows() -> None:
    # eight shared pixels, 8 to 15: the outer two on each side belong to one window
    first, second = Windows(24, 16, 8).weights()
    shared = torch.tensor([0, 0, 1, 3, 5, 7, 8, 8]) / 8
    torch.testing.assert_close(second, torch.cat([torch.zeros(8), shared, torch.ones(8)]))
    torch.testing.assert_close(first, 1 - second)


def test_no_more_tiles_than_needed_a_few_at_once() -> None:
    counted = Counted()
    TiledTranslation(counted, 16, 8)(image(16, 16))
    assert counted.tiles == 1
    # two pixels are added at each end of a longer axis
    TiledTranslation(counted, 16, 8)(image(20, 21))
    assert counted.tiles == 1 + 2 * 3
    counted = Counted()
    TiledTranslation(counted, 256, 64)(image(608, 800))
    assert counted.tiles == 3 * 4
    assert counted.batch == 8


def test_a_small_image_is_reflected_about_its_middle() -> None:
    seen: list[Tensor] = []

    def record(images: Tensor) -> Tensor:
        seen.append(images)
        return images

    x = torch.tensor([[[0.0, 1, 2]]])
    assert torch.equal(TiledTranslation(record, 8, 4)(x), x)
    assert seen[0].shape == (1, 1, 8, 8)
    assert seen[0][0, 0, 0].tolist() == [2, 1, 0, 1, 2, 1, 0, 1]
    assert torch.equal(seen[0], seen[0][:, :, :1].expand(1, 1, 8, 8))


@pytest.mark.parametrize(
    ("tile", "overlap", "words"),
    [(0, 0, "tile=0"), (16, 16, "overlap=16: .* below tile=16"), (16, -1, "overlap=-1")],
)
def test_impossible_tiles(tile: int, overlap: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        TiledTranslation(identity, tile, overlap)


def test_the_border_of_a_large_image_is_not_that_of_a_tile() -> None:
    def darken(images: Tensor) -> Tensor:
        images = images.clone()
        images[..., (0, -1)], images[..., (0, -1), :] = -9, -9
        return images

    x = image(40, 33)
    torch.testing.assert_close(TiledTranslation(darken, 16, 4)(x), x)
