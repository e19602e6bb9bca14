import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from gan.errors import InputError
from gan.likelihoods import bernoulli, gaussian, laplace, logistic
from gan.likelihoods.base import Likelihood, ScaledLikelihood
from tests.configs import ROOT, options

CLASSES: list[type[Likelihood]] = [
    gaussian.GaussianLikelihood,
    laplace.LaplaceLikelihood,
    logistic.LogisticLikelihood,
    bernoulli.BernoulliLikelihood,
]
SCALED = [kind for kind in CLASSES if issubclass(kind, ScaledLikelihood)]
D: Any = torch.distributions
LEVELS = torch.arange(256).double() / 127.5 - 1


def draw() -> tuple[Tensor, Tensor]:
    """Return images of 256 levels and the images of a decoder, (3, 2, 4, 4)."""
    torch.manual_seed(0)
    levels = torch.randint(256, (3, 2, 4, 4))
    levels[:, 0, 0] = torch.tensor([0, 255, 0, 255])
    return LEVELS[levels], torch.rand(3, 2, 4, 4).double() * 1.8 - 0.9


def of_logistic(x: Tensor, mean: Tensor, scale: float) -> Tensor:
    """Return the log probability of levels from the distribution function of PyTorch."""
    uniform = D.Uniform(torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64))
    transforms = [D.SigmoidTransform().inv, D.AffineTransform(mean, scale)]
    logistic_distribution = D.TransformedDistribution(uniform, transforms)
    above = torch.where(x > 0.999, torch.ones_like(x), logistic_distribution.cdf(x + 1 / 255))
    below = torch.where(x < -0.999, torch.zeros_like(x), logistic_distribution.cdf(x - 1 / 255))
    return (above - below).log()


EXPECTED: dict[type[Likelihood], Callable[[Tensor, Tensor], Tensor]] = {
    gaussian.GaussianLikelihood: lambda x, m: D.Normal(m, 0.2).log_prob(x),
    laplace.LaplaceLikelihood: lambda x, m: D.Laplace(m, 0.2).log_prob(x),
    logistic.LogisticLikelihood: lambda x, m: of_logistic(x, m, 0.2),
    bernoulli.BernoulliLikelihood: lambda x, m: D.Bernoulli(
        0.5 + (0.5 - 1e-6) * m, validate_args=False
    ).log_prob((x + 1) / 2),
}


def make(kind: type[Likelihood]) -> Likelihood:
    """Return a likelihood, of scale 0.2 if it has one."""
    return (kind(scale=0.2) if issubclass(kind, ScaledLikelihood) else kind()).double()


@pytest.mark.parametrize("kind", CLASSES)
def test_values_are_those_of_torch_distributions(kind: type[Likelihood]) -> None:
    x, mean = draw()
    expected = EXPECTED[kind](x, mean).flatten(1).sum(1)
    torch.testing.assert_close(make(kind).log_prob(x, mean), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mean", [-1.0, -0.4, 0.99])
@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind.cell == 1])
def test_probabilities_sum_to_one(kind: type[Likelihood], mean: float) -> None:
    x = LEVELS[[0, -1]] if kind is bernoulli.BernoulliLikelihood else LEVELS
    x = x.view(-1, 1, 1, 1)
    total = make(kind).log_prob(x, torch.full_like(x, mean)).exp().sum().detach()
    assert float(total) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind.cell < 1])
def test_bits_of_a_density_are_those_of_its_levels(kind: type[Likelihood]) -> None:
    """Each level is as likely as the density integrated over it."""
    likelihood, x = make(kind), LEVELS.view(-1, 1, 1, 1)
    nats = likelihood.log_prob(x, torch.zeros_like(x))
    bits = torch.tensor([likelihood.bits_per_dimension(value, 1) for value in nats.tolist()])
    assert float(torch.exp2(-bits.double()).sum()) == pytest.approx(1, abs=1e-2)
    assert likelihood.bits_per_dimension(-30 * math.log(2), 10) == pytest.approx(
        3 + math.log2(127.5)
    )


@pytest.mark.parametrize("kind", CLASSES)
def test_saturated_decoders_stay_finite(kind: type[Likelihood]) -> None:
    means = torch.tensor([[[[-1.0, 1.0]]]], requires_grad=True)
    likelihood = kind(scale=1e-2) if issubclass(kind, ScaledLikelihood) else kind()
    value = likelihood.log_prob(torch.tensor([[[[1.0, -1.0]]]]), means).sum()
    value.backward()  # type: ignore[no-untyped-call]
    assert value.isfinite()
    assert means.grad is not None
    assert (means.grad * torch.tensor([1, -1]) > 0).all()  # towards the image


@pytest.mark.parametrize("kind", SCALED)
def test_a_learned_scale_fits_the_error(kind: type[ScaledLikelihood]) -> None:
    torch.manual_seed(0)
    x = 0.1 * torch.randn(1, 1, 40, 40)
    likelihood = kind(scale=1.0)
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        (-likelihood.log_prob(x, torch.zeros_like(x)).mean()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    best = likelihood.log_prob(x, torch.zeros_like(x))
    for factor in (0.9, 1.1):
        other = kind(scale=factor * float(likelihood.scale))
        assert other.log_prob(x, torch.zeros_like(x)) < best
    assert not [p for p in kind(learned=False).parameters() if p.requires_grad]


def test_scales_are_positive() -> None:
    with pytest.raises(InputError, match=r"likelihood\.scale=0"):
        gaussian.GaussianLikelihood(scale=0)


def test_every_likelihood_has_a_yaml() -> None:
    named = {
        yaml.safe_load((ROOT / f"conf/likelihood/{n}.yaml").read_text())["_target_"]
        for n in options("likelihood")
    }
    assert named == {f"{kind.__module__}.{kind.__name__}" for kind in CLASSES}
    assert not any(inspect.isabstract(kind) for kind in CLASSES)
