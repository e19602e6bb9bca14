"""Path lengths of generators whose Jacobian is known."""

import pytest
import torch
from torch import Tensor

from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.networks.base import Generator
from gan.networks.stylegan2 import StyleGAN2Generator
from gan.regularizers.path_length import PathLength
from tests.regularizers.passes import generator_pass


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Linear(Generator):
    """Images A z of 4x4 pixels."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.build_entry(matrix.shape[1], Unconditional())
        self.matrix = torch.nn.Parameter(matrix)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return (z @ self.matrix.T).view(-1, 1, 4, 4)


def test_lengths_of_an_orthogonal_map_are_its_scale() -> None:
    """E |J^T y|^2 = |J|_F^2 / pixels, and nearly every length is its root in many dimensions."""
    matrix = 3 * torch.linalg.qr(torch.randn(16, 16))[0]
    lengths = PathLength(shrink=1).lengths(*generator_pass(Linear(matrix), torch.randn(20_000, 16)))
    assert lengths.square().mean().item() == pytest.approx(9.0, rel=0.02)


def test_the_length_is_that_of_the_transposed_jacobian(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, y = torch.randn(16, 5), torch.randn(7, 1, 4, 4)
    monkeypatch.setattr(torch, "randn_like", lambda images: y)
    lengths = PathLength(shrink=1).lengths(*generator_pass(Linear(matrix), torch.randn(7, 5)))
    expected = (y.view(7, 16) / 4 @ matrix).norm(dim=1)
    assert torch.allclose(lengths, expected, atol=1e-5)


def test_the_term_and_its_running_mean_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, y = torch.randn(16, 5), torch.randn(4, 1, 4, 4)
    monkeypatch.setattr(torch, "randn_like", lambda images: y)
    regularizer, generator = PathLength(weight=2.0, decay=0.01), Linear(matrix)
    lengths = (y.view(4, 16) / 4 @ matrix).norm(dim=1)
    mean = 0.0
    for _ in range(3):
        term = regularizer.generator_penalty(*generator_pass(generator, torch.randn(8, 5)))
        assert term is not None
        mean += 0.01 * (lengths.mean().item() - mean)
        assert regularizer.mean.item() == pytest.approx(mean, rel=1e-4)
        assert term.item() == pytest.approx(2 * (lengths - mean).square().mean().item(), rel=1e-4)


def test_the_running_mean_has_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """d/dA of the term, with a = 0.9 a' + 0.1 E l, is 2 w E (l - a) (dl - 0.1 E dl)."""
    y = torch.randn(4, 1, 4, 4)
    monkeypatch.setattr(torch, "randn_like", lambda images: y)
    matrix = torch.randn(16, 5, requires_grad=True)
    regularizer, generator = PathLength(weight=2.0, decay=0.1, shrink=1), Linear(matrix.detach())
    regularizer.mean.fill_(5.0)
    term = regularizer.generator_penalty(*generator_pass(generator, torch.randn(4, 5)))
    assert term is not None
    (gradient,) = torch.autograd.grad(term, generator.matrix)
    lengths = (y.view(4, 16) / 4 @ matrix).norm(dim=1)
    a = 0.9 * 5.0 + 0.1 * lengths.mean()
    slopes = [torch.autograd.grad(length, matrix, retain_graph=True)[0] for length in lengths]
    mean = sum(slopes) / 4
    pairs = zip(lengths.tolist(), slopes, strict=True)
    expected = sum(2 * 2.0 * (length - a.item()) * (slope - 0.1 * mean) for length, slope in pairs)
    assert torch.allclose(gradient, expected / 4, atol=1e-5)


def test_its_gradient_shortens_long_paths() -> None:
    generator = Linear(torch.randn(16, 5))
    regularizer = PathLength(shrink=1)
    term = regularizer.generator_penalty(*generator_pass(generator, torch.randn(64, 5)))
    assert term is not None
    (slope,) = torch.autograd.grad(term, generator.matrix)
    assert (slope * generator.matrix).sum() > 0


def test_styles_are_what_a_style_generator_is_taken_at() -> None:
    """Of L layers that all hear w, each length is the root of the mean over layers."""
    settings = {"style_dim": 6, "capacity": 32, "depth": 2}
    generator = StyleGAN2Generator(4, 1, 8, Unconditional(), mixing=0, **settings).eval()  # type: ignore[arg-type]
    generator.psi = 1.0
    z = torch.randn(2, 4)
    torch.manual_seed(3)
    lengths = PathLength(shrink=1).lengths(*generator_pass(generator, z))
    torch.manual_seed(3)
    styles = generator.styles(z).detach().requires_grad_()
    images = generator.synthesise(styles)
    y = torch.randn_like(images) / 8
    (slope,) = torch.autograd.grad((images * y).sum(), styles)
    assert torch.allclose(lengths, slope.square().sum(2).mean(1).sqrt(), atol=1e-6)


def test_half_the_batch_is_used() -> None:
    lengths = PathLength(shrink=2).lengths(
        *generator_pass(Linear(torch.randn(16, 5)), torch.randn(9, 5))
    )
    assert len(lengths) == 4
    assert PathLength(shrink=8).lengths(
        *generator_pass(Linear(torch.randn(16, 5)), torch.randn(3, 5))
    ).shape == (1,)


@pytest.mark.parametrize("wrong", [{"decay": 0.0}, {"decay": 2.0}, {"shrink": 0}, {"every": 0}])
def test_impossible_numbers_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises((InputError, ValueError), match="regularizers"):
        PathLength(**wrong)  # type: ignore[arg-type]


def test_no_weight_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PathLength, "lengths", None)
    regularizer = PathLength(weight=0.0)
    assert (
        regularizer.generator_penalty(*generator_pass(Linear(torch.ones(16, 5)), torch.randn(8, 5)))
        is None
    )
