"""Margins of classes and "fake" (Crammer & Singer, 2001; Kavalerov et al., 2021)."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import multi_margin_loss

from gan.algorithms.gan import GAN
from gan.conditioning.base import Conditioning, Unconditional
from gan.conditioning.multi_hinge import MarginHead, MultiHinge
from gan.conditioning.projection import Projection
from gan.errors import InputError
from gan.latents import Gaussian
from gan.losses import multi_hinge
from gan.losses.base import AdversarialLoss
from gan.losses.hinge import Hinge
from gan.networks.mlp import MLPDiscriminator, MLPGenerator


def head(num_classes: int) -> MarginHead:
    """Return a head whose scores are its features."""
    made = MultiHinge(num_classes).head(num_classes + 1)
    assert isinstance(made, MarginHead)
    assert isinstance(made.linear, nn.Linear)
    nn.init.eye_(made.linear.weight)
    nn.init.zeros_(made.linear.bias)
    return made


def margin(scores: list[float], target: int) -> float:
    return scores[target] - max(s for k, s in enumerate(scores) if k != target)


def test_margins_of_known_scores() -> None:
    scores = torch.tensor([[3.0, 1.0, 0.5], [0.0, -2.0, 4.0], [-1.0, -1.0, -5.0]])
    said = head(2)(scores, torch.tensor([0, 1, 1]))
    assert said.tolist() == [[2.0, -2.5], [-6.0, 4.0], [0.0, -4.0]]


def test_margins_equal_their_definition() -> None:
    torch.manual_seed(0)
    scores, y = torch.randn(20, 6), torch.arange(20) % 5
    said = head(5)(scores, y)
    for row, label, (own, fake) in zip(scores.tolist(), y.tolist(), said.tolist(), strict=True):
        assert own == pytest.approx(margin(row, label))
        assert fake == pytest.approx(margin(row, 5))


def test_with_one_class_the_loss_equals_torch_multi_margin_loss() -> None:
    torch.manual_seed(0)
    real, fake, y = torch.randn(20, 2), torch.randn(20, 2), torch.zeros(20, dtype=torch.int64)
    loss, told = multi_hinge.MultiHinge(), head(1)

    def reference(scores: Tensor, target: int) -> Tensor:  # torch divides by the 2 scores
        return 2 * multi_margin_loss(scores, torch.full((20,), target))

    expected = reference(real, 0) + reference(fake, 1)
    assert torch.allclose(loss.discriminator(told(real, y), told(fake, y)), expected)
    assert torch.allclose(loss.generator(told(fake, y)), reference(fake, 0))


def test_with_more_classes_the_loss_is_at_most_torch_multi_margin_loss() -> None:
    torch.manual_seed(0)
    scores, y = torch.randn(20, 6), torch.arange(20) % 5
    largest = multi_hinge.MultiHinge().generator(head(5)(scores, y))
    total = 6 * multi_margin_loss(scores, y)
    assert largest < total
    assert largest > total / 5


def test_gradients_reach_the_label_and_the_largest_other_class() -> None:
    scores = torch.tensor([[0.2, 0.1, -3.0]], requires_grad=True)
    loss = multi_hinge.MultiHinge().generator(head(2)(scores, torch.tensor([0])))
    assert torch.autograd.grad(loss, scores)[0].tolist() == [[-1.0, 1.0, 0.0]]


def game(loss: AdversarialLoss, conditioning: Conditioning) -> GAN:
    adam = partial(torch.optim.Adam, lr=1e-3)
    return GAN(
        MLPGenerator(4, 1, 8, conditioning, hidden=(16,)),
        MLPDiscriminator(1, 8, conditioning, units=(16,), pieces=2),
        loss=loss,
        prior=Gaussian(4),
        optimizer={"generator": adam, "discriminator": adam},
    )


@pytest.mark.parametrize("conditioning", [Projection(3), Unconditional()])
def test_the_loss_needs_the_conditioning(conditioning: Conditioning) -> None:
    with pytest.raises(
        InputError,
        match=r"the loss reads 2, the discriminator gives 1: .* conditioning=multi_hinge",
    ):
        game(multi_hinge.MultiHinge(), conditioning)


def test_the_conditioning_needs_the_loss() -> None:
    with pytest.raises(
        InputError, match=r"the loss reads 1, the discriminator gives 2: loss=multi_hinge"
    ):
        game(Hinge(), MultiHinge(3))
    game(multi_hinge.MultiHinge(), MultiHinge(3))


def test_missing_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="needs labels"):
        head(2)(torch.randn(1, 3))
    with pytest.raises(ValueError, match="conditioning=multi_hinge needs labels"):
        MultiHinge(0)
