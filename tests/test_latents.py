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
