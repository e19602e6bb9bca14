import pytest
import torch
from torch import nn

from gan.regularizers.feature_matching import FeatureMatching
from tests.regularizers.passes import generator_pass


def test_the_squared_distance_of_means_by_hand() -> None:
    generator, z = nn.Linear(2, 3, bias=False), torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    real = torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])  # means (2, 2, 2)
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]])
    generator.weight.data.copy_(weight)
    turn = generator_pass(generator, z, real)  # means (1, 1, 0)
    penalty = FeatureMatching(weight=3.0).generator_penalty(*turn)
    assert penalty.item() == pytest.approx(3 * (1 + 1 + 4))
    (gradient,) = torch.autograd.grad(penalty, generator.weight)
    expected = 3 * 2 * torch.outer(torch.tensor([-1.0, -1.0, -2.0]), torch.tensor([1.0, 1.0]))
    assert torch.allclose(gradient, expected)


def test_equal_means_are_enough() -> None:
    z = torch.randn(6, 4)
    moved = z.flip(0) + torch.tensor([1.0, -1.0]).repeat(3)[:, None]
    assert (
        FeatureMatching().generator_penalty(*generator_pass(nn.Identity(), z, moved)).item() < 1e-12
    )


def test_features_of_half_precision_are_averaged_in_full() -> None:
    z = torch.tensor([[1.0], [1.0078125]], dtype=torch.bfloat16)  # neighbours among these numbers
    penalty = FeatureMatching().generator_penalty(
        *generator_pass(nn.Identity(), z, torch.ones(2, 1))
    )
    assert penalty.item() == pytest.approx((0.0078125 / 2) ** 2)
