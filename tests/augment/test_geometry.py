import math
from itertools import product

import pytest
import torch
from torch import Tensor

from gan.augment import geometry
from gan.augment.geometry import (
    BLITS,
    WARPS,
    Geometry,
    Transform,
    compose,
    rotation,
    scaling,
    translation,
)
from gan.augment.resampling import Resampling, sample_nearest
from gan.augment.sampler import ParameterSampler

COUNT, HEIGHT, WIDTH = 20_000, 600_000, 1_000_000
EYE = torch.eye(3)


def sampler(p: float) -> ParameterSampler:
    return ParameterSampler(COUNT, torch.tensor(p))


def random_matrices(transform: Transform, p: float = 1.0) -> Tensor:
    torch.manual_seed(0)
    return transform(sampler(p), HEIGHT, WIDTH)


def images(side: int = 16, count: int = 200) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, side, side, generator=generator) * 2 - 1


def test_inverses_and_compositions() -> None:
    a, b, c = torch.randn(3, 50, generator=torch.Generator().manual_seed(0)).double()
    eye = EYE.double().expand(50, 3, 3)
    assert torch.allclose(translation(a, b) @ translation(-a, -b), eye)
    assert torch.allclose(scaling(a, b) @ scaling(1 / a, 1 / b), eye)
    assert torch.allclose(rotation(a) @ rotation(-a), eye)
    assert torch.allclose(translation(a, b) @ translation(b, c), translation(a + b, b + c))
    assert torch.allclose(scaling(a, b) @ scaling(b, c), scaling(a * b, b * c))
    assert torch.allclose(rotation(a) @ rotation(b), rotation(a + b))
    assert torch.allclose(rotation(a), torch.linalg.inv(rotation(-a)))
    point = torch.tensor([2.0, 0.0, 1.0]).double()
    turned = rotation(torch.tensor([math.pi / 2], dtype=torch.float64)) @ point
    assert torch.allclose(turned, torch.tensor([[0.0, 2.0, 1.0]]).double())


@pytest.mark.parametrize(
    ("transform", "share"),
    [
        (geometry.flip, 0.5),  # one of two outcomes is the identity
        (geometry.rotate_90, 0.75),
        (geometry.integer_translation, 1.0),
        (geometry.isotropic_scaling, 1.0),
        (geometry.anisotropic_scaling, 1.0),
        (geometry.fractional_translation, 1.0),
    ],
)
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_each_transform_is_applied_with_probability_p(
    transform: Transform, share: float, p: float
) -> None:
    moved = (random_matrices(transform, p) != EYE).any((1, 2)).float().mean().item()
    expected = p * share
    assert abs(moved - expected) <= 4 * math.sqrt(expected * (1 - expected) / COUNT)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_one_of_the_two_rotations_is_applied_with_probability_p(p: float) -> None:
    torch.manual_seed(0)
    turns = [
        transform(sampler(p), HEIGHT, WIDTH)
        for transform in WARPS
        if transform is geometry.arbitrary_rotation
    ]
    first, second = ((t != EYE).any((1, 2)) for t in turns)
    each, either = 1 - math.sqrt(1 - p), p
    for happened, expected in ((first, each), (second, each), (first | second, either)):
        error = happened.float().mean().item() - expected
        assert abs(error) <= 4 * math.sqrt(expected * (1 - expected) / COUNT)


def test_distributions_of_the_paper() -> None:
    isotropic_scaling, anisotropic_scaling = (
        random_matrices(geometry.isotropic_scaling),
        random_matrices(geometry.anisotropic_scaling),
    )
    assert torch.equal(isotropic_scaling[:, 0, 0], isotropic_scaling[:, 1, 1])
    assert torch.allclose(
        anisotropic_scaling[:, 0, 0] * anisotropic_scaling[:, 1, 1], torch.ones(COUNT)
    )
    for matrices in (isotropic_scaling, anisotropic_scaling):
        logs = matrices[:, 0, 0].log2()
        assert logs.std().item() == pytest.approx(0.2, rel=0.02)
        assert logs.mean().item() == pytest.approx(0, abs=0.006)
    angle = torch.atan2(*random_matrices(geometry.arbitrary_rotation)[:, :2, 0].T.flip(0))
    assert angle.abs().max().item() == pytest.approx(math.pi, rel=1e-3)
    assert angle.std().item() == pytest.approx(math.pi / math.sqrt(3), rel=0.02)
    sides = torch.tensor([WIDTH, HEIGHT])
    shift = random_matrices(geometry.fractional_translation)[:, :2, 2] / sides
    assert shift.std(0).tolist() == pytest.approx([0.125, 0.125], rel=0.02)
    whole = random_matrices(geometry.integer_translation)[:, :2, 2]
    assert torch.equal(whole, whole.round())
    assert (whole / sides).abs().amax(0).tolist() == pytest.approx([0.125, 0.125], rel=1e-3)
    assert (whole / sides).std(0).tolist() == pytest.approx([0.125 / 3**0.5] * 2, rel=0.02)


def test_compose_applies_transforms_in_order() -> None:
    """The inverse map applies the inverse of the last transform first."""
    magnify = scaling(torch.tensor([0.5]), torch.tensor([0.5]))
    right = translation(torch.tensor([-3.0]), torch.tensor([0.0]))
    one = ParameterSampler(1, torch.tensor(1.0))
    inverse = compose([lambda *_: magnify, lambda *_: right], one, 8, 8)
    assert (inverse[0] @ torch.tensor([3.0, 0.0, 1.0])).tolist() == [0.0, 0.0, 1.0]
    assert (inverse[0] @ torch.tensor([5.0, 2.0, 1.0])).tolist() == [1.0, 1.0, 1.0]


def test_blits_are_flips_rotations_and_translations() -> None:
    """Each result is one of the results of torch's own operations."""
    torch.manual_seed(0)
    x = images(16, 400)
    found = set()
    for before, after in zip(x, Geometry(warp=0.0)(x, torch.tensor(1.0)), strict=True):
        for flipped, turns in product((False, True), range(4)):
            start = torch.rot90(before.flip(2) if flipped else before, turns, (1, 2))
            wide = torch.nn.functional.pad(start, (2, 2, 2, 2), mode="reflect")
            for y, x_ in product(range(5), range(5)):
                if torch.equal(wide[:, y : y + 16, x_ : x_ + 16], after):
                    found.add((flipped, turns, y, x_))
                    break
            else:
                continue
            break
        else:
            pytest.fail("neither flipped, turned nor shifted")
    assert {f[:2] for f in found} == set(product((False, True), range(4)))
    assert {f[2:] for f in found} == set(product(range(5), range(5)))


def test_blitting_is_exact_and_other_images_are_resampled() -> None:
    torch.manual_seed(0)
    x = images()
    state, p = torch.get_rng_state(), torch.tensor(0.2)
    moved = Geometry()(x, p)
    torch.set_rng_state(state)
    blit, warp = (compose(m, ParameterSampler(len(x), p), 16, 16) for m in (BLITS, WARPS))
    unchanged = (warp == EYE).all((1, 2))
    assert 0 < unchanged.sum() < len(x)
    assert torch.equal(moved[unchanged], sample_nearest(x, blit)[unchanged])
    assert torch.equal(moved[~unchanged], Resampling()(x, blit @ warp)[~unchanged])


def test_constant_images_stay_constant() -> None:
    torch.manual_seed(0)
    x = torch.full((200, 2, 9, 13), 0.7)
    assert torch.allclose(Geometry()(x, torch.tensor(1.0)), x, atol=1e-5)


def test_p_0_is_the_identity_and_p_1_changes_every_image() -> None:
    torch.manual_seed(0)
    x = images()
    assert torch.equal(Geometry()(x, torch.tensor(0.0)), x)
    moved = Geometry()(x, torch.tensor(1.0))
    assert ((moved - x).abs().amax((1, 2, 3)) > 0.1).all()


def test_multipliers_switch_each_kind() -> None:
    x, p = images(), torch.tensor(1.0)
    assert torch.equal(Geometry(0.0, 0.0)(x, p), x)
    assert not torch.equal(Geometry(1.0, 0.0)(x, p), x)
    assert not torch.equal(Geometry(0.0, 1.0)(x, p), x)
    torch.manual_seed(0)
    same = (Geometry(0.0, 0.3)(x, p) == x).flatten(1).all(1).float().mean().item()
    assert same == pytest.approx(0.7**4, abs=4 * math.sqrt(0.24 * 0.76 / 200))
