import pytest
import torch

from gan.errors import InputError
from gan.latents import Gaussian, Prior, Uniform, keyed_generator

PRIORS = pytest.mark.parametrize("prior", [Gaussian(5), Uniform(5)], ids=["gaussian", "uniform"])


@PRIORS
def test_draws_depend_on_the_key_alone(prior: Prior) -> None:
    first = prior.sample(3, keyed_generator(1, 2, 3))
    torch.rand(7)
    assert torch.equal(first, prior.sample(3, keyed_generator(1, 2, 3)))
    assert not torch.equal(first, prior.sample(3, keyed_generator(1, 3, 2)))
    assert first.shape == (3, 5)
    assert first.dtype == torch.float32


def test_keys_do_not_run_into_one_another() -> None:
    keys = [(a, b, c) for a in range(4) for b in range(4) for c in range(4)]
    drawn = {tuple(torch.rand(4, generator=keyed_generator(*key)).tolist()) for key in keys}
    assert len(drawn) == len(keys)


@PRIORS
def test_latent_k_is_the_same_whatever_else_is_drawn(prior: Prior) -> None:
    many = prior.sample_each(4, range(10))
    assert torch.equal(prior.sample_each(4, range(3, 6)), many[3:6])
    assert not torch.equal(prior.sample_each(5, range(10)), many)
    assert len(torch.unique(many, dim=0)) == 10


@PRIORS
def test_the_global_random_state_is_left_alone(prior: Prior) -> None:
    before = torch.get_rng_state()
    prior.sample(3, keyed_generator(0))
    prior.sample_each(0, range(3))
    assert torch.equal(before, torch.get_rng_state())


@PRIORS
def test_a_way_leads_from_one_latent_to_the_other(prior: Prior) -> None:
    a, b = prior.sample_each(0, range(8)).view(2, 4, 1, 5)
    t = torch.linspace(0, 1, 7)[:, None]
    way = prior.interpolate(a, b, t)
    assert way.shape == (4, 7, 5)
    assert way.dtype == torch.float32
    torch.testing.assert_close(way[:, 0], a[:, 0])
    torch.testing.assert_close(way[:, -1], b[:, 0])
    torch.testing.assert_close(way.flip(1), prior.interpolate(b, a, t))
    alone = prior.interpolate(a[2, 0], b[2, 0], torch.tensor([0.5]))
    torch.testing.assert_close(alone, way[2, 3])


def test_gaussian_ways_are_great_circles() -> None:
    a, b = torch.tensor([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    t = torch.linspace(0, 1, 4)[:, None]
    angles = torch.linspace(0, torch.pi / 2, 4)
    expected = 3 * torch.stack([angles.cos(), angles.sin(), 0 * angles], 1)
    torch.testing.assert_close(Gaussian(3).interpolate(a, b, t), expected)
    z = Gaussian(512).sample(200, keyed_generator(0)).view(2, 100, 512)
    lengths = Gaussian(512).interpolate(z[0], z[1], torch.tensor([0.5])).norm(dim=-1)
    assert (lengths / 512**0.5 - 1).abs().max() < 0.1


def test_uniform_ways_stay_in_the_box_and_are_straight() -> None:
    a, b = torch.tensor([[1.0, -1.0], [1.0, 1.0]])
    t = torch.tensor([[0.25], [0.5]])
    expected = torch.tensor([[1.0, -0.5], [1.0, 0.0]])
    assert torch.equal(Uniform(2).interpolate(a, b, t), expected)


@pytest.mark.parametrize("scale", [1.0, 2.0, -1.0])
def test_ways_along_one_line_are_straight(scale: float) -> None:
    a = torch.tensor([1.0, 2.0])
    way = Gaussian(2).interpolate(a, scale * a, torch.tensor([0.25]))
    torch.testing.assert_close(way, (0.75 + 0.25 * scale) * a)


def test_a_way_from_nowhere_is_finite() -> None:
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


@pytest.mark.parametrize("kind", [Gaussian, Uniform])
def test_no_latents_are_refused(kind: type[Prior]) -> None:
    with pytest.raises(InputError, match=r"prior\.dim=0"):
        kind(0)
