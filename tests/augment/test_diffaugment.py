import pytest
import torch
from torch import Tensor

from gan.augment.diffaugment import DiffAugment, random_colour, random_cutout, random_translation
from gan.errors import InputError


def images() -> Tensor:
    return torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_random_colour_is_affine() -> None:
    torch.manual_seed(0)
    x = images().double()
    y = random_colour(x)
    grey, moved = x.mean(1), y.mean(1)  # saturation keeps the mean over channels
    contrast = (moved - moved.mean((1, 2), keepdim=True)).std((1, 2)) / grey.std((1, 2))
    assert ((contrast > 0.5) & (contrast < 1.5)).all()
    brightness = y.mean((1, 2, 3)) - x.mean((1, 2, 3))
    assert brightness.abs().max() <= 0.5
    assert brightness.std().item() == pytest.approx(1 / 12**0.5, rel=0.2)
    colour = (y - y.mean(1, keepdim=True)).flatten(1), (x - x.mean(1, keepdim=True)).flatten(1)
    ratio = colour[0] / colour[1]
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio))  # one factor per image
    assert 0 <= ratio.min() < 0.3 < 1.5 < ratio.max() <= 3


def test_random_translation_is_by_whole_pixels_up_to_an_eighth() -> None:
    torch.manual_seed(0)
    x = images()
    moves = set()
    for before, after in zip(x, random_translation(x), strict=True):
        for down in range(-2, 3):
            for right in range(-2, 3):
                moved = torch.zeros_like(before)
                rows, columns = (
                    (slice(max(d, 0), 16 + min(d, 0)), slice(max(-d, 0), 16 + min(-d, 0)))
                    for d in (down, right)
                )
                moved[:, rows[0], columns[0]] = before[:, rows[1], columns[1]]
                if torch.equal(moved, after):
                    moves.add((down, right))
                    break
            else:
                continue
            break
        else:
            pytest.fail("no shift by whole pixels")
    assert len(moves) > 15


def test_random_cutout_sets_one_square_to_0() -> None:
    torch.manual_seed(0)
    x = images() + 3
    y = random_cutout(x)
    hole = y == 0
    assert torch.equal(y[~hole], x[~hole])
    for mask in hole[:, 0]:
        rows, columns = mask.any(1).sum(), mask.any(0).sum()
        assert mask.sum() == rows * columns
        assert rows <= 8
        assert columns <= 8
    assert (hole[:, 0].sum((1, 2)) == 64).any()


def test_p_0_is_the_identity() -> None:
    assert torch.equal(DiffAugment(p=0.0)(images()), images())


def test_no_policy_is_the_identity() -> None:
    assert torch.equal(DiffAugment(False, False, False)(images()), images())


def test_p_is_the_probability_per_image() -> None:
    torch.manual_seed(0)
    x = images().repeat(16, 1, 1, 1)
    y = DiffAugment(translation=False, cutout=False, p=0.5)(x)
    same = (x == y).flatten(1).all(1).float().mean()
    assert same.item() == pytest.approx(0.5, abs=0.06)


def test_every_visible_pixel_has_a_gradient() -> None:
    torch.manual_seed(0)
    augment = DiffAugment(cutout=False)
    x = images()[:2].double().requires_grad_()
    state = torch.get_rng_state()

    def seeded(images: Tensor) -> Tensor:
        torch.set_rng_state(state)
        out: Tensor = augment(images)
        return out

    assert torch.autograd.gradcheck(seeded, (x[:, :, :4, :4].detach().requires_grad_(),))
    assert torch.autograd.gradgradcheck(seeded, (x[:, :, :4, :4].detach().requires_grad_(),))


def test_an_illegal_probability_is_refused() -> None:
    with pytest.raises(InputError, match=r"augment\.p=2"):
        DiffAugment(p=2.0)
