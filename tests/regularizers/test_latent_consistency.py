"""Latent consistency of linear players: G(z) = z A, D(x) = x w."""

import pytest
import torch
from torch import Tensor, nn

from gan.errors import InputError
from gan.regularizers.latent_consistency import LatentConsistency
from tests.regularizers.passes import discriminator_pass, generator_pass, linear

COUNT, SIGMA = 20_000, 0.3  # enough for the mean over n
A = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
W = torch.randn(8, generator=torch.Generator().manual_seed(1))


class Linear(nn.Module):
    """z A as images of two channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(A.clone())

    def forward(self, z: Tensor) -> Tensor:
        images: Tensor = z @ self.a
        return images.view(-1, 2, 2, 2)


def test_the_discriminator_term_by_hand() -> None:
    torch.manual_seed(0)
    generator, z = Linear(), torch.randn(COUNT, 3)
    w = W.clone().requires_grad_()
    fake = generator(z).detach()
    passed = discriminator_pass(linear(w), fake.clone(), fake, z, generator)
    penalty = LatentConsistency(weight_dis=20.0, sigma=SIGMA).penalty(*passed)
    response = A @ w  # D(G(T(z))) - D(G(z)) = sigma n A w
    expected = 20 * SIGMA**2 * response.square().sum()
    assert penalty.item() == pytest.approx(expected.item(), rel=0.05)
    pull, wanted = (torch.autograd.grad(term, w)[0] for term in (penalty, expected))
    assert torch.allclose(pull, wanted, atol=0.05 * float(wanted.abs().max()))


def test_the_generator_term_by_hand() -> None:
    torch.manual_seed(0)
    generator = Linear()
    penalty = LatentConsistency(weight_gen=0.5, sigma=SIGMA).generator_penalty(
        *generator_pass(generator, torch.randn(COUNT, 3))
    )
    expected = -0.5 * SIGMA**2 * A.square().sum() / 8  # the mean over 8 pixels
    assert penalty.item() == pytest.approx(expected.item(), rel=0.05)
    (gradient,) = torch.autograd.grad(penalty, generator.a)
    wanted = -0.5 * SIGMA**2 * 2 * A / 8
    assert torch.allclose(gradient, wanted, atol=0.05 * float(wanted.abs().max()))


def test_perturbations_are_independent_normal_numbers() -> None:
    torch.manual_seed(0)
    z = torch.randn(COUNT, 3)
    move = LatentConsistency(sigma=0.05).perturb(z) - z
    assert torch.allclose(move.T @ move / COUNT, 0.05**2 * torch.eye(3), atol=1e-4)
    assert torch.allclose(move.T @ z / COUNT, torch.zeros(3, 3), atol=2e-3)


def test_the_numbers_of_the_paper() -> None:
    zcr = LatentConsistency()
    assert (zcr.weight_dis, zcr.weight_gen, zcr.sigma) == (20.0, 0.5, 0.05)


def test_a_perturbation_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match=r"regularizers\.zcr\.sigma=0: give"):
        LatentConsistency(sigma=0)
