import math
from itertools import pairwise

import pytest
import torch

from gan.errors import InputError
from gan.latents import Codes, Gaussian, Prior, Truncated, Uniform, keyed_generator

stats = pytest.importorskip("scipy.stats")
CODES = Codes(5, [2], continuous=1)
PRIORS = pytest.mark.parametrize(
    "prior",
    [Gaussian(5), Uniform(5), CODES, Truncated(Gaussian(5), 0.7)],
    ids=["gaussian", "uniform", "codes", "truncated"],
)


@PRIORS
def test_samples_depend_on_the_key_only(prior: Prior) -> None:
    first = prior.sample(3, keyed_generator(1, 2, 3))
    torch.rand(7)
    assert torch.equal(first, prior.sample(3, keyed_generator(1, 2, 3)))
    assert not torch.equal(first, prior.sample(3, keyed_generator(1, 3, 2)))
    assert first.shape == (3, 5)
    assert first.dtype == torch.float32


def test_different_keys_give_different_seeds() -> None:
    keys = [(a, b, c) for a in range(4) for b in range(4) for c in range(4)]
    drawn = {tuple(torch.rand(4, generator=keyed_generator(*key)).tolist()) for key in keys}
    assert len(drawn) == len(keys)


@PRIORS
def test_latent_k_does_not_depend_on_the_other_indices(prior: Prior) -> None:
    many = prior.sample_each(4, range(10))
    assert torch.equal(prior.sample_each(4, range(3, 6)), many[3:6])
    assert not torch.equal(prior.sample_each(5, range(10)), many)
    assert len(torch.unique(many, dim=0)) == 10


@PRIORS
def test_the_global_random_state_is_unchanged(prior: Prior) -> None:
    before = torch.get_rng_state()
    prior.sample(3, keyed_generator(0))
    prior.sample_each(0, range(3))
    assert torch.equal(before, torch.get_rng_state())


@PRIORS
def test_interpolation_has_the_right_ends(prior: Prior) -> None:
    a, b = prior.sample_each(0, range(8)).view(2, 4, 1, 5)
    t = torch.linspace(0, 1, 6)[:, None]
    way = prior.interpolate(a, b, t)
    assert way.shape == (4, 6, 5)
    assert way.dtype == torch.float32
    torch.testing.assert_close(way[:, 0], a[:, 0])
    torch.testing.assert_close(way[:, -1], b[:, 0])
    torch.testing.assert_close(way.flip(1), prior.interpolate(b, a, t))
    alone = prior.interpolate(a[2, 0], b[2, 0], torch.tensor([0.4]))
    torch.testing.assert_close(alone, way[2, 2])


def test_gaussian_interpolation_is_spherical() -> None:
    a, b = torch.tensor([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    t = torch.linspace(0, 1, 4)[:, None]
    angles = torch.linspace(0, torch.pi / 2, 4)
    expected = 3 * torch.stack([angles.cos(), angles.sin(), 0 * angles], 1)
    torch.testing.assert_close(Gaussian(3).interpolate(a, b, t), expected)
    z = Gaussian(512).sample(200, keyed_generator(0)).view(2, 100, 512)
    lengths = Gaussian(512).interpolate(z[0], z[1], torch.tensor([0.5])).norm(dim=-1)
    assert (lengths / 512**0.5 - 1).abs().max() < 0.1


def test_uniform_interpolation_is_linear() -> None:
    a, b = torch.tensor([[1.0, -1.0], [1.0, 1.0]])
    t = torch.tensor([[0.25], [0.5]])
    expected = torch.tensor([[1.0, -0.5], [1.0, 0.0]])
    assert torch.equal(Uniform(2).interpolate(a, b, t), expected)


@pytest.mark.parametrize("scale", [1.0, 2.0, -1.0])
def test_interpolation_of_parallel_latents_is_linear(scale: float) -> None:
    a = torch.tensor([1.0, 2.0])
    way = Gaussian(2).interpolate(a, scale * a, torch.tensor([0.25]))
    torch.testing.assert_close(way, (0.75 + 0.25 * scale) * a)


def test_interpolation_from_zero_is_finite() -> None:
    way = Gaussian(2).interpolate(torch.zeros(2), torch.ones(2), torch.tensor([[0.0], [0.5]]))
    assert way.isfinite().all()


def test_moments() -> None:
    normal = Gaussian(50).sample(2000, keyed_generator(0))
    assert normal.mean().abs() < 0.02
    assert normal.std().item() == pytest.approx(1, abs=0.02)
    flat = Uniform(50).sample(2000, keyed_generator(0))
    assert flat.mean().abs() < 0.02
    assert flat.var().item() == pytest.approx(1 / 3, abs=0.01)
    assert -1 <= flat.min() < -0.99 < 0.99 < flat.max() <= 1


@pytest.mark.parametrize("kind", [Gaussian, Uniform, Codes])
def test_a_dimension_below_1_is_refused(kind: type[Prior]) -> None:
    with pytest.raises(InputError, match=r"prior\.dim=0"):
        kind(0)


def test_codes_follow_the_noise() -> None:
    prior = Codes(20, [3, 4], continuous=2)
    assert (prior.noise, prior.categories, prior.continuous) == (11, (3, 4), 2)
    z = prior.sample(6000, keyed_generator(0))
    noise, labels, continuous = prior.split(z)
    assert torch.equal(torch.cat([noise, *labels, continuous], 1), z)
    assert [part.shape[1] for part in (noise, *labels, continuous)] == [11, 3, 4, 2]
    for part in labels:
        assert torch.equal(part.sort(1).values[:, -1], torch.ones(6000))
        assert torch.equal(part.sum(1), torch.ones(6000))
        assert stats.chisquare(part.sum(0).numpy()).pvalue > 0.01
    assert stats.kstest(noise.flatten().numpy(), stats.uniform(-1, 2).cdf).pvalue > 0.01
    assert stats.kstest(continuous.flatten().numpy(), stats.uniform(-1, 2).cdf).pvalue > 0.01
    together = labels[0].argmax(1) * 4 + labels[1].argmax(1)
    assert stats.chisquare(together.bincount(minlength=12).numpy()).pvalue > 0.01


def test_codes_of_one_kind() -> None:
    _, labels, continuous = Codes(9, [], continuous=2).split(torch.zeros(3, 9))
    assert (labels, continuous.shape) == ([], (3, 2))
    _, labels, continuous = Codes(9, [4], continuous=0).split(torch.zeros(3, 9))
    assert (labels[0].shape, continuous.shape) == ((3, 4), (3, 0))


def test_interpolation_switches_categories_at_one_half() -> None:
    prior = Codes(5, [3], continuous=1)
    a, b = torch.tensor([[0.5, 1, 0, 0, -1.0], [-0.5, 0, 0, 1, 0.0]])
    way = prior.interpolate(a, b, torch.tensor([[0.0], [0.5], [0.75], [1.0]]))
    expected = [[0.5, 1, 0, 0, -1], [0, 1, 0, 0, -0.5], [-0.25, 0, 0, 1, -0.25], [-0.5, 0, 0, 1, 0]]
    torch.testing.assert_close(way, torch.tensor(expected))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dim": 12}, r"prior\.dim=12: the codes have 12 dimensions: give 13 or more"),
        ({"dim": 30, "categories": (1,)}, r"prior\.categories=\[1\]"),
        ({"dim": 30, "continuous": -1}, r"prior\.continuous=-1"),
        ({"dim": 30, "categories": (), "continuous": 0}, "no codes"),
    ],
)
def test_illegal_codes_are_refused(given: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Codes(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("threshold", [0.02, 0.7, 2.0, 6.0])
def test_truncated_gaussian_latents_are_truncated_normal(threshold: float) -> None:
    z = Gaussian(50).sample(2000, keyed_generator(0))
    cut = Gaussian(50).truncate(z, threshold)
    assert cut.dtype == torch.float32
    assert cut.abs().max() <= threshold
    exact = stats.truncnorm(-threshold, threshold)
    assert stats.kstest(cut.flatten().numpy(), exact.cdf).pvalue > 0.01
    # latents keep their quantiles
    expected = exact.ppf(torch.special.ndtr(z[:5].double()).numpy())
    torch.testing.assert_close(cut[:5].double(), torch.from_numpy(expected), atol=1e-6, rtol=1e-5)


def test_truncation_is_continuous_in_the_threshold() -> None:
    prior, z = Gaussian(1), torch.linspace(-6, 6, 601, dtype=torch.float64)
    cuts = [prior.truncate(z, t) for t in (0.1, 0.5, 1.0, 2.0, 4.0, 8.0)]
    assert all((cut.diff() >= 0).all() for cut in cuts)
    assert all((few.abs() <= many.abs()).all() for few, many in pairwise(cuts))
    torch.testing.assert_close(prior.truncate(z, math.inf), z)
    torch.testing.assert_close(prior.truncate(z, 1e-12), 1e-12 * torch.special.erf(z / 2**0.5))


@pytest.mark.parametrize("threshold", [0.5, 9.0, math.inf])
def test_truncation_of_extreme_latents_is_finite(threshold: float) -> None:
    z = torch.tensor([-1e30, -40.0, -9.0, 0.0, 9.0, 40.0, 1e30])
    cut = Gaussian(7).truncate(z, threshold)
    assert cut.isfinite().all()
    torch.testing.assert_close(cut, z.clamp(-threshold, threshold))


def test_truncation_of_uniform_latents_and_codes() -> None:
    z = Uniform(5).sample(9, keyed_generator(0))
    torch.testing.assert_close(Uniform(5).truncate(z, 0.3), 0.3 * z)
    assert torch.equal(Uniform(5).truncate(z, 1.5), z)
    z = CODES.sample(9, keyed_generator(0))
    cut = CODES.truncate(z, 0.3)
    torch.testing.assert_close(cut[:, :2], 0.3 * z[:, :2])
    assert torch.equal(cut[:, 2:], z[:, 2:])


@PRIORS
@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan])
def test_illegal_thresholds_are_refused(prior: Prior, threshold: float) -> None:
    if isinstance(prior, Truncated):
        prior = prior.prior
    with pytest.raises(InputError, match=f"truncation={threshold}: give a number above 0"):
        prior.truncate(torch.zeros(1, 5), threshold)
    with pytest.raises(InputError, match="truncation="):
        Truncated(prior, threshold)


def test_a_truncated_prior_uses_the_same_keys() -> None:
    z = Gaussian(5).sample_each(3, range(4))
    cut = Truncated(Gaussian(5), 0.7).sample_each(3, range(4))
    assert torch.equal(cut, Gaussian(5).truncate(z, 0.7))


def test_a_prior_without_truncation_is_refused() -> None:
    class Constant(Prior):
        def sample(self, count: int, generator: torch.Generator) -> torch.Tensor:
            return torch.zeros(count, self.dim)

    with pytest.raises(InputError, match="Constant latents cannot be truncated: remove it"):
        Truncated(Constant(2), 0.5)


def test_energy_is_the_negative_log_density() -> None:
    z = Gaussian(4).sample(6, keyed_generator(0)).double()
    density = torch.from_numpy(stats.multivariate_normal(cov=torch.eye(4)).logpdf(z))
    differences = Gaussian(4).energy(z) + density
    torch.testing.assert_close(differences, differences[:1].expand(6))


@pytest.mark.parametrize("prior", [Uniform(5), CODES], ids=["uniform", "codes"])
def test_other_priors_have_no_energy(prior: Prior) -> None:
    with pytest.raises(InputError, match="prior=gaussian"):
        prior.energy(torch.zeros(1, 5))


def test_codes_are_replaced_and_the_noise_is_kept() -> None:
    prior = Codes(9, [3, 2], continuous=2)
    z = prior.sample(4, keyed_generator(0))
    found = prior.replace(z, [2, 0], [0.25, -1.5])
    noise, (first, second), continuous = prior.split(found)
    assert torch.equal(noise, prior.split(z)[0])
    assert first.tolist() == [[0, 0, 1]] * 4
    assert second.tolist() == [[1, 0]] * 4
    assert continuous.tolist() == [[0.25, -1.5]] * 4
