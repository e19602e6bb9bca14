import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from gan.layers.spectral import apply_spectral_norm
from gan.regularizers.orthogonal import Orthogonal, overlap, weight_matrices
from tests.regularizers.passes import generator_pass


def overlapping(w: Tensor) -> Tensor:
    """Return |W W' o (1 - I)|_F^2, written out."""
    free = 1 - torch.eye(len(w), dtype=w.dtype)
    return ((w @ w.T) * free).square().sum()


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (4, 4), (1, 5)])
def test_either_gram_matrix_gives_the_equation(shape: tuple[int, int]) -> None:
    w = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert torch.allclose(overlap(w), overlapping(w), atol=1e-12)
    (pull,) = torch.autograd.grad(overlap(w), w)
    gram = (w @ w.T) * (1 - torch.eye(len(w)))
    assert torch.allclose(pull, 4 * gram @ w)  # twice what the authors' code adds


def test_rows_of_any_length_that_do_not_overlap_are_free() -> None:
    assert overlap(torch.diag(torch.tensor([1.0, -5.0, 0.3]))).item() == 0
    assert overlap(torch.tensor([[1.0, 0.0], [1.0, 0.0]])).item() == 2


class Network(nn.Module):
    """One of each kind of layer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 5)
        self.conv = nn.Conv2d(2, 4, 3)
        self.transposed = nn.ConvTranspose2d(2, 6, 3)
        self.embedding = nn.Embedding(7, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, z: Tensor) -> Tensor:
        images: Tensor = self.linear(z)
        return images


def test_rows_are_output_maps_of_linear_maps_and_convolutions() -> None:
    network = Network().double()
    linear, conv, transposed = weight_matrices(network.modules())
    assert torch.equal(linear, network.linear.weight)
    x = torch.randn(1, 2, 3, 3).double()
    assert torch.allclose(conv @ x.flatten(), conv2d(x, network.conv.weight).flatten())
    spot = torch.zeros(1, 2, 3, 3).double()
    spot[0, 1, 0, 0] = 1.0  # what one input writes into each output map
    written = nn.functional.conv_transpose2d(spot, network.transposed.weight)[0, :, :3, :3]
    assert torch.equal(transposed.view(6, 2, 3, 3)[:, 1], written)


def test_the_term_is_a_sum_over_the_matrices() -> None:
    network, z = Network().double(), torch.randn(4, 3).double()
    matrices = [
        network.linear.weight,
        network.conv.weight.flatten(1),
        torch.stack([network.transposed.weight[:, i].flatten() for i in range(6)]),
    ]
    expected = 0.3 * sum(float(overlapping(w)) for w in matrices)
    penalty = Orthogonal(beta=0.3).generator_penalty(*generator_pass(network, z))
    assert penalty.item() == pytest.approx(expected)
    penalty.backward()  # type: ignore[no-untyped-call]
    assert network.embedding.weight.grad is None
    assert network.linear.bias.grad is None


def test_a_weight_under_spectral_normalisation_is_taken_as_it_is_learned() -> None:
    network = Network()
    raw = [w.detach().clone() for w in weight_matrices(network.modules())]
    apply_spectral_norm(network)
    followed = {k: v.clone() for k, v in network.named_buffers()}
    assert all(
        torch.equal(*pair) for pair in zip(weight_matrices(network.modules()), raw, strict=True)
    )
    assert all(torch.equal(followed[k], v) for k, v in network.named_buffers())  # no iteration


def test_a_generator_without_matrices_pays_nothing() -> None:
    assert (
        Orthogonal().generator_penalty(*generator_pass(nn.Identity(), torch.randn(2, 2))).item()
        == 0
    )
