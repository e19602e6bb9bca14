"""Norms of gradients by finite differences."""

import pytest
import torch
from torch import Tensor, nn

from gan.augment.diffaugment import DiffAugment
from gan.batch import PairBatch
from gan.regularizers.base import DiscriminatorOutputs
from gan.regularizers.gradient import R1, R2
from gan.regularizers.gradient_norm import FiniteDifference
from tests.regularizers.passes import Map, PlainNetworks, discriminator_pass, linear

SHAPE = (8, 3, 4, 4)
KINDS = pytest.mark.parametrize("kind", [R1, R2])


def both(critic: Map, shape: tuple[int, ...] = SHAPE) -> tuple[DiscriminatorOutputs, PlainNetworks]:
    return discriminator_pass(critic, *torch.randn(2, *shape, dtype=torch.float64))


def estimates(critic: Map, shape: tuple[int, ...] = SHAPE) -> Tensor:
    """Return the estimates for the reals."""
    out, networks = both(critic, shape)
    return FiniteDifference().squared(out.real, out.real_logits, out, networks)


@KINDS
def test_the_term_of_a_linear_critic(kind: type[R1]) -> None:
    w = torch.randn(48, dtype=torch.float64, requires_grad=True)
    out, networks = both(linear(w))
    torch.manual_seed(3)
    penalty = kind(gamma=3.0, form="finite_difference").penalty(out, networks)
    torch.manual_seed(3)
    along = torch.randn(2, 3, 4, 4, dtype=torch.float64).flatten(1) @ w
    assert torch.allclose(penalty, 1.5 * along.square().mean(), rtol=1e-9)
    (gradient,) = torch.autograd.grad(penalty, w)
    torch.manual_seed(3)
    n = torch.randn(2, 3, 4, 4, dtype=torch.float64).flatten(1)
    assert torch.allclose(gradient, 3.0 * (n * along[:, None]).mean(0), rtol=1e-9)


def test_its_mean_is_the_squared_norm_of_the_gradient() -> None:
    torch.manual_seed(0)
    w = torch.randn(12, dtype=torch.float64)

    def critic(images: Tensor) -> Tensor:
        return (images.flatten(1) @ w).tanh() + images.flatten(1).square().sum(1)

    out, networks = both(critic, (40_000, 3, 2, 2))
    found = FiniteDifference(part=1).squared(out.real, out.real_logits, out, networks)
    (gradient,) = torch.autograd.grad(out.real_logits.sum(), out.real)
    expected = gradient.square().flatten(1).sum(1).mean().item()
    assert found.mean().item() == pytest.approx(expected, rel=0.03)


@KINDS
def test_no_gradient_of_the_images_is_asked_for(kind: type[R1]) -> None:
    exact, estimate = kind(), kind(form="finite_difference")
    assert exact.needs_real_gradient or exact.needs_fake_gradient
    assert not estimate.needs_real_gradient
    assert not estimate.needs_fake_gradient


class Counter(nn.Module):
    """A critic of which each pass changes a buffer that the next one adds to the logits."""

    passes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros((), dtype=torch.float64))

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        return self.passes + 0.0 * images.flatten(1).sum(1)


def test_both_passes_start_from_the_same_buffers() -> None:
    critic = Counter()
    out, networks = both(critic)
    before = critic.passes.clone()
    found = FiniteDifference().squared(out.real, out.real_logits, out, networks)
    assert (found == 0).all()
    assert critic.passes == before + 1


def test_both_passes_draw_the_same_numbers() -> None:
    noise = estimates(lambda x: torch.randn(len(x), dtype=x.dtype) + 0 * x.flatten(1).sum(1))
    assert (noise == 0).all()
    augment, w = DiffAugment(), torch.randn(3 * 32 * 32, dtype=torch.float64)
    plain = FiniteDifference(part=1)
    out, networks = both(lambda x: linear(w)(augment(x)), (64, 3, 32, 32))
    found = plain.squared(out.real, out.real_logits, out, networks).mean()
    assert found < 3 * w.square().sum()  # other draws would give 10,000 times as much


def test_random_numbers_go_on_as_after_one_pass() -> None:
    critic = linear(torch.randn(48, dtype=torch.float64))
    out, networks = both(lambda x: critic(x) + torch.randn(len(x)))
    torch.manual_seed(5)
    FiniteDifference().squared(out.real, out.real_logits, out, networks)
    after = torch.rand(3)
    torch.manual_seed(5)
    torch.randn(2, 3, 4, 4, dtype=torch.float64)
    torch.randn(2)
    assert torch.equal(after, torch.rand(3))


@pytest.mark.parametrize(("images", "expected"), [(8, 2), (9, 3), (1, 1)])
def test_the_part_of_the_images(images: int, expected: int) -> None:
    assert estimates(lambda x: x.flatten(1).sum(1), (images, 3, 4, 4)).shape == (expected,)


def test_all_images_of_a_critic_with_a_second_input() -> None:
    out, networks = both(lambda x: x.flatten(1).sum(1))
    batch = PairBatch(out.real, None, out.real, torch.rand(8))
    out = DiscriminatorOutputs(
        batch, out.real, out.fake, *[out.real_logits] * 2, *[out.real_features] * 2
    )
    found = FiniteDifference().squared(out.real, out.real_logits, out, networks)
    assert found.shape == (8,)


def test_logits_of_patches_count_by_their_mean() -> None:
    w = torch.randn(48, dtype=torch.float64)
    torch.manual_seed(1)
    one = estimates(linear(w))
    torch.manual_seed(1)
    many = estimates(lambda x: linear(w)(x)[:, None, None] * torch.tensor([[0.5, 1.5]]))
    assert torch.allclose(one, many)
