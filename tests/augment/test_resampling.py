import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from scipy.signal import upfirdn
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from gan.augment.geometry import rotation, scaling, translation
from gan.augment.resampling import (
    SYM6,
    Resampling,
    downsampling_matrix,
    reflect_indices,
    sample_nearest,
    upsampling_matrix,
)
from gan.augment.spectrum import SYM2


def images(height: int = 16, width: int = 16, count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, height, width, generator=generator) * 2 - 1


def repeat_number(value: float, count: int = 4) -> Tensor:
    return torch.full((count,), value)


def affine(angle: float, x: float, y: float, right: float, below: float) -> Tensor:
    """Return inverse matrices of a rotation, scales and a translation, (4, 3, 3)."""
    turned = rotation(repeat_number(angle)) @ scaling(repeat_number(x), repeat_number(y))
    return turned @ translation(repeat_number(right), repeat_number(below))


@pytest.mark.parametrize("taps", [SYM2, SYM6])
def test_wavelets_are_orthonormal(taps: tuple[float, ...]) -> None:
    h = np.array(taps)
    assert h.sum() == pytest.approx(math.sqrt(2), abs=1e-14)
    assert h @ h == pytest.approx(1, abs=1e-12)
    for shift in range(2, len(h), 2):
        assert h[shift:] @ h[:-shift] == pytest.approx(0, abs=1e-12)
    for moment in range(len(h) // 2):  # vanishing moments of the high-pass filter
        powers = (np.arange(len(h)) - len(h) / 2) ** moment
        assert (h * (-1) ** np.arange(len(h))) @ powers == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("side", [1, 2, 3, 8])
def test_reflect_indices_repeats_the_reflected_row(side: int) -> None:
    expected = np.pad(np.arange(side), 3 * side, mode="reflect")
    assert reflect_indices(torch.arange(-3 * side, 4 * side), side).tolist() == expected.tolist()


@pytest.mark.parametrize("side", [1, 2, 5, 16])
def test_downsampling_inverts_upsampling(side: int) -> None:
    taps = torch.tensor(SYM6, dtype=torch.float64)
    doubling, halving = upsampling_matrix(taps, side), downsampling_matrix(taps, side)
    reflection_period = len(doubling) - 1
    assert torch.equal(doubling[0], doubling[reflection_period])
    read = torch.arange(-5, 2 * side + 5) % reflection_period
    assert torch.allclose(halving @ doubling[read], torch.eye(side, dtype=torch.float64))


def upsample_row(x: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return a row after zero insertion and convolution; the first value is at a pixel."""
    long = upfirdn(SYM6, x, up=2, axis=axis)
    return np.take(long, range(5, 5 + 2 * x.shape[axis]), axis)


def downsample_row(x: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return a row after correlation and subsampling by 2."""
    long = upfirdn(SYM6[::-1], x, axis=axis)
    return np.take(long, range(11, x.shape[axis], 2), axis)


def test_matrices_equal_filtering_of_the_reflected_row() -> None:
    x = images()[0, 0].double()
    expected = upsample_row(np.pad(x.numpy(), ((0, 0), (15, 15)), mode="reflect"), 1)
    rows = x @ upsampling_matrix(torch.tensor(SYM6, dtype=torch.float64), 16).T
    assert rows[:, :50].numpy() == pytest.approx(expected[:, 30:80], abs=1e-12)


@pytest.mark.parametrize("side", [16, 15, 1])
def test_flips_copy_pixels(side: int) -> None:
    x = images(16, side)
    assert torch.equal(sample_nearest(x, scaling(repeat_number(-1), repeat_number(1))), x.flip(3))
    assert torch.equal(sample_nearest(x, scaling(repeat_number(1), repeat_number(-1))), x.flip(2))


@pytest.mark.parametrize("turns", [-1, 0, 1, 2, 3])
@pytest.mark.parametrize("side", [16, 15])
def test_rotations_by_90_degrees_copy_pixels(turns: int, side: int) -> None:
    x = images(side, side)
    turned = sample_nearest(x, rotation(repeat_number(-math.pi / 2 * turns)))
    assert torch.equal(turned, torch.rot90(x, -turns, (2, 3)))  # the y axis points down


@pytest.mark.parametrize(("right", "below"), [(0, 0), (3, 0), (0, -2), (-5, 4), (15, 11)])
def test_integer_translations_copy_pixels_and_reflect(right: int, below: int) -> None:
    x = images(12, 16)
    padded = pad(x, (15, 15, 11, 11), mode="reflect")
    expected = padded[:, :, 11 - below : 23 - below, 15 - right : 31 - right]
    shift = translation(repeat_number(-right), repeat_number(-below))
    assert torch.equal(sample_nearest(x, shift), expected)
    assert torch.allclose(Resampling()(x, shift), expected, atol=1e-5)


MAPS = [
    affine(0.0, 1.0, 1.0, 0.3, -1.4),
    affine(0.7, 1.0, 1.0, 0.0, 0.0),
    affine(-2.5, 0.8, 1.25, 1.5, 0.2),
    affine(math.pi, 1.0, 1.0, 0.0, 0.0),
    affine(0.0, -1.0, 1.0, 0.0, 0.0),
    affine(1.1, 4.0, 6.0, 20.0, -30.0),  # many reflections
]


@pytest.mark.parametrize("inverse", MAPS)
def test_resampled_cosines_have_a_closed_form(inverse: Tensor) -> None:
    """A cosine with extrema at the borders equals its own reflection."""
    height, width = 33, 49

    def wave(x: Tensor, y: Tensor) -> Tensor:
        x, y = x + (width - 1) / 2, y + (height - 1) / 2
        return (math.pi * x / (width - 1)).cos() * (2 * math.pi * y / (height - 1)).cos()

    y, x = torch.meshgrid(
        torch.arange(height) - (height - 1) / 2,
        torch.arange(width) - (width - 1) / 2,
        indexing="ij",
    )
    points = torch.stack([x, y, torch.ones_like(x)]).flatten(1)
    source = (inverse[0] @ points).view(3, height, width)
    expected = wave(source[0], source[1])
    resampled = Resampling()(wave(x, y).expand(4, 2, -1, -1), inverse)
    # error of bilinear interpolation at spacing 1 / 2: (w / 2)^2 / 8 = 0.0012, w = 2 pi / 32
    tolerance = 0.03 if inverse[0].abs().max() > 3 else 0.002
    assert (resampled - expected).abs().max() < tolerance


@pytest.mark.parametrize("inverse", MAPS[:5])
def test_resampling_agrees_with_a_spline_on_smooth_images(inverse: Tensor) -> None:
    smooth = torch.nn.functional.interpolate(images(5, 5), (24, 24), mode="bicubic")
    resampled = Resampling()(smooth, inverse)
    swap = [1, 0]
    linear = inverse[0, :2, :2].double().numpy()[np.ix_(swap, swap)]
    shift = inverse[0, :2, 2].double().numpy()[swap]
    middle = np.full(2, 11.5)
    offset = middle + shift - linear @ middle
    expected = affine_transform(
        smooth[0, 0].double().numpy(), linear, offset=offset, order=5, mode="mirror"
    )
    assert np.abs(resampled[0, 0].numpy() - expected).max() < 0.04
    assert np.abs(resampled[0, 0].numpy() - expected).mean() < 0.008


@pytest.mark.parametrize("inverse", MAPS[:5])
def test_resampling_equals_pad_upsample_interpolate_downsample(inverse: Tensor) -> None:
    """The reference pads by reflection and uses scipy's filters and torch's grid_sample."""
    height, width, spare = 20, 16, (19, 15)
    x = images(height, width)[0, 0].double().numpy()
    padded = np.pad(x, [(s, s) for s in spare], mode="reflect")
    dense = torch.tensor(upsample_row(upsample_row(padded, 0), 1))
    middle = np.arange(12) @ SYM6 / np.sum(SYM6) - 5
    y, x_ = np.meshgrid(
        *((np.arange(2 * side + 10) - 5 - middle - side + 1) / 2 for side in (height, width)),
        indexing="ij",
    )
    source = inverse[0].double().numpy() @ np.stack([x_, y, np.ones_like(y)]).reshape(3, -1)
    across = 2 * (source[0] + (width - 1) / 2 + spare[1]) + middle
    down = 2 * (source[1] + (height - 1) / 2 + spare[0]) + middle
    grid = np.stack([2 * across / (dense.shape[1] - 1) - 1, 2 * down / (dense.shape[0] - 1) - 1], 1)
    moved = grid_sample(
        dense[None, None], torch.tensor(grid).view(1, *y.shape, 2), align_corners=True
    )
    expected = downsample_row(downsample_row(moved[0, 0].numpy(), 0), 1)
    resampled = Resampling()(torch.tensor(x).expand(4, 1, -1, -1), inverse)
    assert resampled[0, 0].numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("resample", [sample_nearest, Resampling().double()])
def test_first_and_second_derivatives(resample: Resampling) -> None:
    inverse = affine(0.7, 0.8, 1.3, 0.4, -1.2)[:2]
    x = images(5, 4, 2)[:, :2].double().requires_grad_()

    def squared(x: Tensor) -> Tensor:
        y: Tensor = resample(x, inverse)
        return y.square() * x

    assert torch.autograd.gradcheck(squared, (x,))
    assert torch.autograd.gradgradcheck(squared, (x,))


def test_the_smallest_images_are_resampled() -> None:
    x = torch.randn(4, 1, 1, 1)
    assert torch.allclose(Resampling()(x, MAPS[2]), x, atol=1e-5)
    assert torch.equal(sample_nearest(x, MAPS[2]), x)
