"""Geometric transformations as inverse homogeneous 3x3 matrices."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gan.augment.resampling import Resampling, sample_nearest
from gan.augment.sampler import ParameterSampler
from gan.augment.stage import Stage

Transform = Callable[[ParameterSampler, int, int], Tensor]


def _matrix(*rows: Tensor) -> Tensor:
    """Return matrices (B, 3, 3) from the entries (B,) of the first two rows."""
    zero, one = torch.zeros_like(rows[0]), torch.ones_like(rows[0])
    return torch.stack([*rows, zero, zero, one], -1).view(-1, 3, 3)


def translation(x: Tensor, y: Tensor) -> Tensor:
    """Return matrices (B, 3, 3) that translate by ``x`` and ``y``, (B,)."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix(one, zero, x, zero, one, y)


def scaling(x: Tensor, y: Tensor) -> Tensor:
    """Return matrices (B, 3, 3) that scale coordinates by ``x`` and ``y``, (B,)."""
    zero = torch.zeros_like(x)
    return _matrix(x, zero, zero, zero, y, zero)


def rotation(angle: Tensor) -> Tensor:
    """Return matrices (B, 3, 3) that rotate from x to y by ``angle``, (B,), in radians."""
    zero, cos, sin = torch.zeros_like(angle), angle.cos(), angle.sin()
    return _matrix(cos, -sin, zero, sin, cos, zero)


def flip(sampler: ParameterSampler, height: int, width: int) -> Tensor:
    """Return inverse matrices of a horizontal flip with probability 1/2."""
    sign = 1 - 2 * sampler.integers(2)
    return scaling(sign, torch.ones_like(sign))


def rotate_90(sampler: ParameterSampler, height: int, width: int) -> Tensor:
    """Return inverse matrices of a rotation by 0, 90, 180 or 270 degrees."""
    return rotation(-math.pi / 2 * sampler.integers(4))


def integer_translation(sampler: ParameterSampler, height: int, width: int) -> Tensor:
    """Return inverse matrices of a translation by whole pixels, up to 1/8 of height and width."""
    x, y = sampler.uniform(0.125, 2)
    return translation(-(x * width).round(), -(y * height).round())


def isotropic_scaling(sampler: ParameterSampler, height: int, width: int) -> Tensor:
    """Return inverse matrices of an isotropic scaling by 2^N(0, 0.2^2)."""
    factor = sampler.normal(0.2).exp2()
    return scaling(1 / factor, 1 / factor)


def arbitrary_rotation(sampler: ParameterSampler, height: int, width: int) -> Tensor:
    """Return inverse matrices of a rotation by a uniform angle.

    It is drawn twice per image; at least one of the two happens with probability p.
    """
    return rotation(-sampler.for_two_draws().uniform(math.pi))


def anisotropic_scaling(sampler: ParameterSampler, height: int, width: int) -> Tensor:
    """Return inverse matrices of a scaling of x by 2^N(0, 0.2^2) and of y by the reciprocal."""
    factor = sampler.normal(0.2).exp2()
    return scaling(1 / factor, factor)


def fractional_translation(sampler: ParameterSampler, height: int, width: int) -> Tensor:
    """Return inverse matrices of a translation by N(0, 0.125^2) of height and width."""
    x, y = sampler.normal(0.125, 2)
    return translation(-x * width, -y * height)


BLITS = (flip, rotate_90, integer_translation)
WARPS = (
    isotropic_scaling,
    arbitrary_rotation,
    anisotropic_scaling,
    arbitrary_rotation,
    fractional_translation,
)


def compose(
    transforms: Sequence[Transform], sampler: ParameterSampler, height: int, width: int
) -> Tensor:
    """Return the inverse matrices (B, 3, 3) of transformations applied in order."""
    inverse = torch.eye(3, device=sampler.p.device).expand(sampler.count, 3, 3)
    for transform in transforms:
        inverse = inverse @ transform(sampler, height, width)
    return inverse


class Geometry(Stage):
    """Pixel blitting, then general geometric transformations, applied as one map.

    Karras et al., 2020b, appendix B. Blitting alone copies pixels and is exact; an image without
    general transformations is not resampled. A rotation by 90 degrees keeps the frame of images
    that are not square.

    Args:
        blit: multiplier of the probability of pixel blitting.
        warp: multiplier of the probability of the general transformations; 0 disables resampling.
    """

    def __init__(self, blit: float = 1.0, warp: float = 1.0) -> None:
        super().__init__(blit)
        self.warp = warp
        self.resampling = Resampling()

    def forward(self, images: Tensor, p: Tensor) -> Tensor:
        """Return transformed images; see :class:`Stage`."""
        sides = images.shape[2], images.shape[3]
        blit = compose(BLITS, self.sampler(images, p), *sides)
        if not self.warp:
            return sample_nearest(images, blit)
        warp = compose(WARPS, ParameterSampler(len(images), self.warp * p), *sides)
        unchanged = (warp == torch.eye(3, device=warp.device)).all((1, 2))[:, None, None, None]
        inverse = blit @ warp
        return torch.where(
            unchanged, sample_nearest(images, inverse), self.resampling(images, inverse)
        )
