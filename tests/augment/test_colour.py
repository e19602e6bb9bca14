import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gan.augment import colour
from gan.augment.colour import TRANSFORMS, Colour, ColourTransform
from gan.augment.sampler import ParameterSampler
from gan.errors import InputError

COUNT = 20_000
AXIS = torch.full((3,), 1 / math.sqrt(3))


def random_matrices(transform: ColourTransform, p: float = 1.0) -> Tensor:
    torch.manual_seed(0)
    return transform(ParameterSampler(COUNT, torch.tensor(p)))


def pixels() -> Tensor:
    return torch.rand(COUNT, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1


def apply_matrices(matrices: Tensor, x: Tensor) -> Tensor:
    """Return pixels (B, 3) transformed by matrices (B, 4, 4)."""
    y = (matrices @ torch.cat([x, torch.ones(len(x), 1)], 1)[:, :, None])[..., 0]
    assert torch.equal(y[:, 3], torch.ones(len(x)))
    return y[:, :3]


def luma_and_chroma(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the components (B, 3) parallel and orthogonal to the luma axis."""
    along = (x @ AXIS)[:, None] * AXIS
    return along, x - along


def images(channels: int = 3, count: int = 200) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, channels, 6, 5, generator=generator) * 2 - 1


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_each_transform_is_applied_with_probability_p(transform: ColourTransform, p: float) -> None:
    expected = p / 2 if transform is colour.luma_flip else p  # identity with probability 1/2
    frequency = (random_matrices(transform, p) != torch.eye(4)).any((1, 2)).float().mean().item()
    assert abs(frequency - expected) <= 4 * math.sqrt(expected * (1 - expected) / COUNT)


def test_brightness_adds_one_number() -> None:
    x = pixels()
    added = apply_matrices(random_matrices(colour.brightness), x) - x
    assert torch.allclose(added, added[:, :1].expand(-1, 3), atol=1e-6)
    assert added.std().item() == pytest.approx(0.2, rel=0.02)


def test_contrast_multiplies() -> None:
    x = pixels()
    matrices = random_matrices(colour.contrast)
    factor = matrices[:, 0, 0]
    assert torch.allclose(apply_matrices(matrices, x), factor[:, None] * x, atol=1e-5)
    assert factor.log2().std().item() == pytest.approx(0.5, rel=0.02)


def test_luma_flip_negates_luma() -> None:
    x, matrices = pixels(), random_matrices(colour.luma_flip)
    flipped = (matrices != torch.eye(4)).any((1, 2))
    y = apply_matrices(matrices, x)
    householder = x - 2 * (x @ AXIS)[:, None] * AXIS
    assert torch.allclose(y[flipped], householder[flipped], atol=1e-6)
    assert torch.equal(y[~flipped], x[~flipped])


def test_hue_rotates_chroma_and_keeps_luma() -> None:
    x, matrices = pixels(), random_matrices(colour.hue)
    (luma, before), (kept, after) = luma_and_chroma(x), luma_and_chroma(apply_matrices(matrices, x))
    assert torch.allclose(kept, luma, atol=1e-6)
    assert torch.allclose(after.norm(dim=1), before.norm(dim=1), atol=1e-5)
    assert torch.allclose(torch.linalg.det(matrices), torch.ones(COUNT), atol=1e-5)
    cos = (before * after).sum(1)
    sin = torch.linalg.cross(before, after) @ AXIS
    angle = torch.atan2(sin, cos)
    assert angle.std().item() == pytest.approx(math.pi / math.sqrt(3), rel=0.02)
    assert angle.abs().max().item() == pytest.approx(math.pi, rel=1e-3)
    red = torch.eye(3)[:1]
    third = torch.linalg.matrix_exp(2 * math.pi / 3 * _cross(AXIS))
    assert torch.allclose(third @ red[0], torch.eye(3)[1], atol=1e-6)  # red to green
    by_exponential = torch.linalg.matrix_exp(angle[:50, None, None] * _cross(AXIS))
    assert torch.allclose(matrices[:50, :3, :3], by_exponential, atol=1e-4)


def _cross(v: Tensor) -> Tensor:
    """Return the matrix of the cross product with v."""
    matrix: Tensor = torch.linalg.cross(v.expand(3, 3), torch.eye(3)).T
    return matrix


def test_saturation_multiplies_chroma() -> None:
    x, matrices = pixels(), random_matrices(colour.saturation)
    (luma, before), (kept, after) = luma_and_chroma(x), luma_and_chroma(apply_matrices(matrices, x))
    assert torch.allclose(kept, luma, atol=1e-4)
    factor = after.norm(dim=1) / before.norm(dim=1)
    assert torch.allclose(after, factor[:, None] * before, atol=1e-4)
    assert factor.log2().std().item() == pytest.approx(1.0, rel=0.02)


def test_transforms_are_applied_in_order() -> None:
    x, p = images(), torch.tensor(0.5)
    torch.manual_seed(3)
    y = Colour()(x, p)
    torch.manual_seed(3)
    expected = x.permute(0, 2, 3, 1).double().numpy()
    for transform in TRANSFORMS:
        for image, matrix in zip(
            expected, transform(ParameterSampler(len(x), p)).double().numpy(), strict=True
        ):
            image[:] = image @ matrix[:3, :3].T + matrix[:3, 3]
    assert y.permute(0, 2, 3, 1).numpy() == pytest.approx(expected, abs=1e-4)
    assert np.abs(expected - x.permute(0, 2, 3, 1).numpy()).max() > 1


def test_grey_images_get_the_mean_of_three_channels() -> None:
    x, p = images(1), torch.tensor(0.7)
    torch.manual_seed(3)
    y = Colour()(x, p)
    torch.manual_seed(3)
    assert torch.allclose(y, Colour()(x.expand(-1, 3, -1, -1), p).mean(1, keepdim=True), atol=1e-5)
    assert y.shape == x.shape


@pytest.mark.parametrize("channels", [1, 3])
def test_p_0_is_the_identity_and_p_1_changes_every_image(channels: int) -> None:
    torch.manual_seed(0)
    x = images(channels)
    assert torch.equal(Colour()(x, torch.tensor(0.0)), x)
    assert ((Colour()(x, torch.tensor(1.0)) - x).abs().amax((1, 2, 3)) > 1e-3).all()


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_other_numbers_of_channels_are_refused(channels: int) -> None:
    refusal = rf"augment\.colour=0\.5 needs 1 or 3 channels, .* {channels}: set augment\.colour=0"
    with pytest.raises(InputError, match=refusal):
        Colour(0.5)(images(channels), torch.tensor(0.0))


def test_first_and_second_derivatives() -> None:
    x = images(3, 2)[:, :, :2, :2].double().requires_grad_()

    def squared(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        y: Tensor = Colour()(x, torch.tensor(1.0))
        return y.square()

    assert torch.autograd.gradcheck(squared, (x,))
    assert torch.autograd.gradgradcheck(squared, (x,))
