"""Consistency terms of a linear critic, whose logits move by what T adds."""

import pytest
import torch
from torch import Tensor

from gan.regularizers.balanced_consistency import BalancedConsistency
from gan.regularizers.consistency import ConsistencyRegularization
from gan.regularizers.latent_consistency import LatentConsistency
from tests.regularizers.passes import PlainNetworks, discriminator_pass, linear

SHAPE = (4, 1, 2, 3)


def shifted(images: Tensor) -> Tensor:
    """Add 1 to the first pixel of the first image, 2 to that of the second, and so on."""
    moves = torch.zeros(SHAPE)
    moves[:, 0, 0, 0] = torch.arange(1.0, 5.0)
    return images + moves


def doubled(images: Tensor) -> Tensor:
    return 2 * images


def weight() -> Tensor:
    return torch.tensor([3.0, -1.0, 0.5, 2.0, 0.0, 1.0], dtype=torch.float64, requires_grad=True)


def test_reals_alone() -> None:
    w = weight()
    passed = discriminator_pass(linear(w), torch.randn(SHAPE).double(), torch.randn(SHAPE).double())
    penalty = ConsistencyRegularization(shifted, weight=10.0).penalty(*passed)
    squares = 1 + 4 + 9 + 16  # times 3, the weight of the pixel
    assert penalty.item() == pytest.approx(10 * 9 * squares / 4, rel=1e-5)
    (gradient,) = torch.autograd.grad(penalty, w)
    assert gradient[0].item() == pytest.approx(10 * 2 * 3 * squares / 4, rel=1e-5)
    assert gradient[1:].abs().max().item() == pytest.approx(0, abs=1e-9)


def test_reals_and_fakes_by_hand() -> None:
    real, fake = torch.randn(SHAPE).double(), torch.randn(SHAPE).double()
    w = weight()
    penalty = BalancedConsistency(doubled, weight=7.0, fake_weight=2.0).penalty(
        *discriminator_pass(linear(w), real, fake)
    )
    expected = 0.0
    for images, part in ((real, 7.0), (fake, 2.0)):  # D(2 x) - D(x) = D(x)
        logits = [float((image.flatten() * w).detach().sum()) for image in images]
        expected += part * sum(logit**2 for logit in logits) / len(logits)
    assert penalty.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", [ConsistencyRegularization, BalancedConsistency])
def test_the_term_of_an_invariant_critic_is_zero(kind: type[ConsistencyRegularization]) -> None:
    passed = discriminator_pass(
        lambda x: x.square().flatten(1).sum(1),
        torch.randn(SHAPE).double(),
        torch.randn(SHAPE).double(),
    )
    assert kind(torch.neg).penalty(*passed).item() == 0


def test_gradients_flow_to_the_logit_of_the_image_itself() -> None:
    passed = discriminator_pass(
        linear(weight()), torch.randn(SHAPE).double(), torch.randn(SHAPE).double()
    )
    penalty = ConsistencyRegularization(doubled, weight=1.0).penalty(*passed)
    (pull,) = torch.autograd.grad(penalty, passed[0].real_logits)
    assert torch.allclose(pull, -2 * passed[0].real_logits / 4)  # d (a - b)^2 / d b, a - b = b


def test_the_weights_of_the_papers() -> None:
    passed = discriminator_pass(
        linear(weight()), torch.randn(SHAPE).double(), torch.randn(SHAPE).double()
    )
    reals = ConsistencyRegularization(doubled).penalty(*passed)
    assert torch.allclose(reals, 10 * passed[0].real_logits.square().mean())
    both = BalancedConsistency(doubled).penalty(*passed)
    assert torch.allclose(both - reals, 10 * passed[0].fake_logits.square().mean())


def classified(h: Tensor) -> Tensor:
    """Return two outputs of flat images: the first pixel, and twice the second."""
    return h[:, :2] * torch.tensor([1.0, 2.0])


def class_distance(images: Tensor, others: Tensor) -> float:
    """Return the mean squared difference of the outputs of a classifier, number by number."""
    pairs = zip(images.flatten(1).tolist(), others.flatten(1).tolist(), strict=True)
    squares = [float((a[0] - b[0]) ** 2 + 4 * (a[1] - b[1]) ** 2) for a, b in pairs]
    return sum(squares) / (2 * len(squares))


def with_classifier(networks: PlainNetworks) -> PlainNetworks:
    networks.classifier = classified
    return networks


@pytest.mark.parametrize("balanced", [False, True])
def test_outputs_of_a_classifier_are_compared_with_the_same_weight(balanced: bool) -> None:
    real, fake = torch.randn(SHAPE).double(), torch.randn(SHAPE).double()
    kind = BalancedConsistency if balanced else ConsistencyRegularization
    term = kind(doubled, weight=7.0)
    out, networks = discriminator_pass(linear(weight()), real, fake)
    logits_alone = term.penalty(out, networks).item()
    both = term.penalty(out, with_classifier(networks)).item()
    expected = 7.0 * class_distance(real.detach(), 2 * real.detach())
    if balanced:
        expected += 10.0 * class_distance(fake.detach(), 2 * fake.detach())
    assert both - logits_alone == pytest.approx(expected, rel=1e-5)


def test_latent_consistency_compares_outputs_of_a_classifier() -> None:
    real, moved = torch.randn(SHAPE).double(), torch.randn(SHAPE).double()
    fake = torch.randn(SHAPE).double()
    out, networks = discriminator_pass(linear(weight()), real, fake, generator=lambda z: moved)
    term = LatentConsistency(weight_dis=3.0)
    logits_alone = term.penalty(out, networks).item()
    both = term.penalty(out, with_classifier(networks)).item()
    assert both - logits_alone == pytest.approx(3.0 * class_distance(fake, moved), rel=1e-5)
