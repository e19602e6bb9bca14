import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv2d, pad

from gan.augment.sampler import ParameterSampler
from gan.augment.spectrum import POWER, SYM2, Filtering, filter_bank

COUNT = 20_000


def images(height: int = 24, width: int = 32, count: int = 20) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 2, height, width, generator=generator) * 2 - 1


def gains(p: float) -> Tensor:
    torch.manual_seed(0)
    return Filtering().gains(ParameterSampler(COUNT, torch.tensor(p)))


def test_filters_are_symmetric_and_sum_to_the_identity() -> None:
    bank = filter_bank()
    assert bank.shape == (4, 43)
    assert torch.allclose(bank, bank.flip(1), atol=1e-7)
    assert torch.allclose(bank.sum(0), torch.eye(43)[21], atol=1e-7)
    assert bank.sum(1).tolist() == pytest.approx([1, 0, 0, 0], abs=1e-6)  # at frequency 0


def test_frequency_responses_of_the_filters() -> None:
    """Band k, from fine to coarse: high-pass at 2^k w times low-pass at each octave above."""
    w = np.linspace(0, np.pi, 101)
    n = np.arange(4)

    def low(w: NDArray[np.float64]) -> NDArray[np.float64]:
        response: NDArray[np.float64] = np.abs(np.exp(-1j * np.outer(w, n)) @ np.array(SYM2))
        return response**2 / 2

    def high(w: NDArray[np.float64]) -> NDArray[np.float64]:
        return low(w + np.pi)

    expected = [low(w) * low(2 * w) * low(4 * w), low(w) * low(2 * w) * high(4 * w)]
    expected += [low(w) * high(2 * w), high(w)]
    waves = np.cos(np.outer(np.arange(43) - 21, w))
    assert filter_bank().double().numpy() @ waves == pytest.approx(np.stack(expected), abs=1e-6)


@pytest.mark.parametrize("p", [0.0, 0.3])
def test_each_band_is_amplified_with_probability_p(p: float) -> None:
    untouched = (gains(p) == 1).all(1).float().mean().item()
    expected = (1 - p) ** 4
    assert abs(untouched - expected) <= 4 * math.sqrt(expected * (1 - expected) / COUNT)


def test_gains_keep_the_power_of_natural_images() -> None:
    torch.manual_seed(0)
    factors = torch.stack(
        [ParameterSampler(COUNT, torch.tensor(0.5)).normal(1.0) for _ in range(4)], 1
    ).exp2()
    expected = np.ones((COUNT, 4))
    for band in range(4):
        one = np.ones((COUNT, 4))
        one[:, band] = factors[:, band]
        expected *= one / np.sqrt((np.array(POWER) * one**2).sum(1, keepdims=True))
    assert torch.allclose(gains(0.5), torch.tensor(expected).float(), rtol=1e-5)
    assert sum(POWER) == pytest.approx(1)
    alone = (factors != 1).sum(1) == 1
    power = (torch.tensor(POWER) * gains(0.5)[alone].square()).sum(1)
    assert torch.allclose(power, torch.ones_like(power), atol=1e-5)
    ratios = gains(1.0)[:, 3] / gains(1.0)[:, 0]
    assert ratios.log2().std().item() == pytest.approx(math.sqrt(2), rel=0.03)


def test_filtering_is_a_separable_convolution_of_the_reflected_image() -> None:
    x, p = images(), torch.tensor(0.7)
    torch.manual_seed(0)
    y = Filtering()(x, p)
    torch.manual_seed(0)
    stage = Filtering()
    taps = stage.gains(ParameterSampler(len(x), p)) @ filter_bank()
    for before, after, kernel in zip(x, y, taps, strict=True):
        wide = pad(before[None], (21, 21, 21, 21), mode="reflect").transpose(0, 1)
        expected = conv2d(conv2d(wide, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
        assert torch.allclose(after, expected[:, 0], atol=1e-4)


def test_p_0_is_the_identity_and_p_1_changes_every_image() -> None:
    torch.manual_seed(0)
    for x in (images(), images(5, 1)):
        assert torch.equal(Filtering()(x, torch.tensor(0.0)), x)
    moved = (Filtering()(images(), torch.tensor(1.0)) - images()).abs().amax((1, 2, 3))
    assert (moved > 1e-3).all()


def test_first_and_second_derivatives() -> None:
    x = images(3, 2, 2).double().requires_grad_()

    def squared(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        y: Tensor = Filtering()(x, torch.tensor(1.0))
        return y.square()

    assert torch.autograd.gradcheck(squared, (x,))
    assert torch.autograd.gradgradcheck(squared, (x,))
