import math

import pytest
import torch

from gan.augment.sampler import ParameterSampler

COUNT = 20_000


def sampler(p: float) -> ParameterSampler:
    return ParameterSampler(COUNT, torch.tensor(p))


def assert_frequency(hits: torch.Tensor, p: float) -> None:
    """Assert that a frequency is within 4 standard deviations of p."""
    assert abs(hits.float().mean().item() - p) <= 4 * math.sqrt(p * (1 - p) / len(hits))


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_parameters_are_nonzero_with_probability_p(p: float) -> None:
    torch.manual_seed(0)
    assert_frequency(sampler(p).mask(), p)
    assert_frequency(sampler(p).uniform(1.0) != 0, p)
    assert_frequency(sampler(p).normal(1.0) != 0, p)
    assert_frequency(sampler(p).integers(1000) != 0, p * 0.999)


def test_all_numbers_of_an_image_are_nonzero_or_none() -> None:
    torch.manual_seed(0)
    for drawn in (sampler(0.3).uniform(1.0, 2), sampler(0.3).normal(1.0, 2)):
        assert drawn.shape == (2, COUNT)
        assert torch.equal(drawn[0] != 0, drawn[1] != 0)
        assert not torch.equal(drawn[0], drawn[1])


def test_distributions() -> None:
    torch.manual_seed(0)
    uniform, normal, integers = (
        sampler(1.0).uniform(2.0),
        sampler(1.0).normal(0.5),
        sampler(1.0).integers(4),
    )
    assert uniform.min() >= -2
    assert uniform.max() < 2
    assert uniform.std().item() == pytest.approx(2 / math.sqrt(3), rel=0.02)
    assert uniform.mean().item() == pytest.approx(0, abs=0.04)
    assert normal.std().item() == pytest.approx(0.5, rel=0.03)
    assert (normal.abs() < 0.5).float().mean().item() == pytest.approx(0.6827, abs=0.015)
    assert set(integers.tolist()) == {0, 1, 2, 3}
    for value in range(4):
        assert_frequency(integers == value, 0.25)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0, 1.5])
def test_one_of_two_draws_is_nonzero_with_probability_p(p: float) -> None:
    torch.manual_seed(0)
    two_draws = sampler(p).for_two_draws()
    assert_frequency(two_draws.mask() | two_draws.mask(), min(p, 1.0))


def test_parameters_depend_on_the_random_state_only() -> None:
    state = torch.get_rng_state()
    first = sampler(0.5).normal(1.0), sampler(0.5).uniform(1.0), sampler(0.5).integers(3)
    torch.set_rng_state(state)
    again = sampler(0.5).normal(1.0), sampler(0.5).uniform(1.0), sampler(0.5).integers(3)
    assert all(map(torch.equal, first, again))
