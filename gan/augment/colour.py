"""Colour transformations as homogeneous 4x4 matrices."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gan.augment.sampler import ParameterSampler
from gan.augment.stage import Stage
from gan.errors import InputError

ColourTransform = Callable[[ParameterSampler], Tensor]


def _luma_projection(like: Tensor) -> Tensor:
    """Return the projection (3, 3) onto the luma axis, the axis of grey colours."""
    return torch.full((3, 3), 1 / 3, device=like.device)


def _affine(linear: Tensor, offset: Tensor | None = None) -> Tensor:
    """Return matrices (B, 4, 4) from a linear part (B, 3, 3) and an offset of all channels (B,)."""
    matrix = torch.eye(4, device=linear.device).repeat(len(linear), 1, 1)
    matrix[:, :3, :3] = linear
    if offset is not None:
        matrix[:, :3, 3] = offset[:, None]
    return matrix


def _scale_luma_and_chroma(grey: Tensor, colour: Tensor) -> Tensor:
    """Return matrices (B, 4, 4) that scale luma by ``grey`` and chroma by ``colour``, (B,) each."""
    eye, luma = torch.eye(3, device=grey.device), _luma_projection(grey)
    return _affine(colour[:, None, None] * eye + (grey - colour)[:, None, None] * luma)


def brightness(sampler: ParameterSampler) -> Tensor:
    """Return matrices that add N(0, 0.2^2) to all channels."""
    offset = sampler.normal(0.2)
    return _affine(torch.eye(3, device=offset.device).expand(len(offset), 3, 3), offset)


def contrast(sampler: ParameterSampler) -> Tensor:
    """Return matrices that multiply all channels by 2^N(0, 0.5^2)."""
    factor = sampler.normal(0.5).exp2()
    return _scale_luma_and_chroma(factor, factor)


def luma_flip(sampler: ParameterSampler) -> Tensor:
    """Return matrices that invert luma with probability 1/2."""
    sign = 1 - 2 * sampler.integers(2)
    return _scale_luma_and_chroma(sign, torch.ones_like(sign))


def hue(sampler: ParameterSampler) -> Tensor:
    """Return matrices that rotate about the luma axis by a uniform angle."""
    angle = sampler.uniform(math.pi)[:, None, None]
    eye, luma = torch.eye(3, device=angle.device), _luma_projection(angle)
    cross = (eye.roll(1, 0) - eye.roll(-1, 0)) / math.sqrt(3)  # cross product with the luma axis
    return _affine(eye + (angle.cos() - 1) * (eye - luma) + angle.sin() * cross)


def saturation(sampler: ParameterSampler) -> Tensor:
    """Return matrices that multiply chroma by 2^N(0, 1)."""
    factor = sampler.normal(1.0).exp2()
    return _scale_luma_and_chroma(torch.ones_like(factor), factor)


TRANSFORMS: tuple[ColourTransform, ...] = (brightness, contrast, luma_flip, hue, saturation)


class Colour(Stage):
    """Brightness, contrast, luma flip, hue and saturation, applied as one matrix.

    Karras et al., 2020b, appendix B. For grey images (C = 1), the result is the mean of the three
    channels.

    Args:
        multiplier: see :class:`Stage`.
    """

    def forward(self, images: Tensor, p: Tensor) -> Tensor:
        """Return transformed images; see :class:`Stage`.

        Raises:
            InputError: if the images have neither 1 nor 3 channels.
        """
        channels = images.shape[1]
        if channels not in (1, 3):
            raise InputError(
                f"augment.colour={self.multiplier:g} needs 1 or 3 channels, but the images have "
                f"{channels}: set augment.colour=0"
            )
        sampler = self.sampler(images, p)
        matrix = eye = torch.eye(4, device=images.device)
        for transform in TRANSFORMS:
            matrix = transform(sampler) @ matrix
        unchanged = (matrix == eye).all((1, 2))[:, None, None, None]
        rows = matrix[:, :3].to(images.dtype)
        if channels == 1:
            mean = rows.mean(1, keepdim=True)
            rows = torch.stack([mean[..., :3].sum(-1), mean[..., 3]], -1)
        changed = torch.baddbmm(rows[..., -1:], rows[..., :-1], images.flatten(2))
        return torch.where(unchanged, images, changed.view_as(images))
