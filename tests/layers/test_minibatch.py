import pytest
import torch
from torch import Tensor

from gan.layers.minibatch import Alone, MinibatchDiscrimination


def layer() -> MinibatchDiscrimination:
    torch.manual_seed(0)
    return MinibatchDiscrimination(6, kernels=4, dim=3).double()


def features(batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 6, dtype=torch.float64, generator=generator)


def test_closeness_equals_its_definition() -> None:
    discrimination, h = layer(), features(5)
    weight = discrimination.transform.weight.view(4, 3, 6)  # kernel, dimension, feature
    m = torch.einsum("bcf,if->ibc", weight, h)
    expected = torch.zeros(5, 4, dtype=torch.float64)
    for i in range(5):
        for j in range(5):
            if j != i:
                for b in range(4):
                    expected[i, b] += (-(m[i, b] - m[j, b]).abs().sum()).exp()
    joined = discrimination(h)
    assert torch.equal(joined[:, :6], h)
    assert torch.allclose(joined[:, 6:], expected)
    assert discrimination.width == joined.shape[1]


def test_identical_images_have_maximum_closeness() -> None:
    closeness = layer()(features(1).expand(7, 6))[:, 6:]
    assert torch.allclose(closeness, torch.full((7, 4), 6.0, dtype=torch.float64))


def test_closeness_of_a_single_image_is_zero() -> None:
    assert torch.equal(layer()(features(1))[:, 6:], torch.zeros(1, 4, dtype=torch.float64))


def test_gradients_reach_all_images() -> None:
    h = features(3).requires_grad_()
    (gradient,) = torch.autograd.grad(layer()(h)[0, 6:].sum(), h)
    assert (gradient.abs().sum(1) > 0).all()
    assert torch.allclose(
        gradient.sum(0), torch.zeros(6, dtype=torch.float64)
    )  # only differences count


def test_gradients_equal_finite_differences() -> None:
    assert torch.autograd.gradcheck(layer(), (features(4).requires_grad_(),))


@pytest.mark.parametrize("batch", [1, 5])
def test_alone_is_the_identity(batch: int) -> None:
    h = features(batch)
    assert torch.equal(Alone(6)(h), h)
    assert Alone(6).width == 6
