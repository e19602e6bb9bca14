import math

import pytest
import torch

from gan.metrics.spectra import Spectrum, azimuthal_mean, decibels, power, rings


def sine(side: int, cycles: int, amplitude: float) -> torch.Tensor:
    """Return an image (1, 1, side, side) of so many whole periods from left to right."""
    x = torch.arange(side).double() * 2 * math.pi * cycles / side
    return (amplitude * x.sin()).expand(1, 1, side, side)


@pytest.mark.parametrize(("side", "cycles"), [(16, 3), (17, 5), (32, 1)])
def test_a_sine_has_its_power_at_its_frequency_alone(side: int, cycles: int) -> None:
    plane = power(sine(side, cycles, amplitude=0.6))[0]
    # |DFT| is A H W / 2 at either of two frequencies
    expected = torch.zeros(side, side).double()
    for k in (-cycles, cycles):
        expected[side // 2, side // 2 + k] = (0.6 / 2) ** 2 * side * side
    torch.testing.assert_close(plane, expected)
    profile = azimuthal_mean(plane[None])[0]
    ring = sum(
        round(math.hypot(x, y)) == cycles
        for x in range(-(side // 2), side - side // 2)
        for y in range(-(side // 2), side - side // 2)
    )
    expected = torch.zeros(side // 2 + 1).double()
    expected[cycles] = 2 * (0.6 / 2) ** 2 * side * side / ring
    torch.testing.assert_close(profile, expected)


@pytest.mark.parametrize("shape", [(400, 1, 16, 16), (150, 3, 15, 15)])
def test_white_noise_is_flat(shape: tuple[int, ...]) -> None:
    noise = 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    profiles = azimuthal_mean(power(noise))
    assert profiles.shape == (shape[0], shape[2] // 2 + 1)
    # frequency 0 is a single cell an image: five standard errors
    counts = torch.bincount(rings(shape[2]).flatten())[: shape[2] // 2 + 1]
    error = 0.09 * (2 / (counts * shape[0] * shape[1])).sqrt()
    assert ((profiles.mean(0) - 0.09).abs() < 5 * error).all()


def test_the_sum_over_frequencies_is_that_of_squared_pixels() -> None:
    images = torch.randn(2, 3, 9, 12, generator=torch.Generator().manual_seed(1))
    squares = images.double().square().sum((2, 3)).mean(1)
    torch.testing.assert_close(power(images).sum((1, 2)), squares)


def test_repeated_pixels_lose_high_frequencies() -> None:
    small = torch.randn(50, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    ratio = decibels(azimuthal_mean(power(large)).mean(0), torch.ones(17).double())
    # the filter [1, 1] has a zero at the highest frequency of an axis
    assert ratio[1] > 0
    assert ratio[16] < ratio[8] < ratio[1]


def test_batches_do_not_matter_and_levels_are_those_of_8_bits() -> None:
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(3)) * 2 - 1
    whole, parts = Spectrum.of([images]), Spectrum.of(torch.split(images, [1, 3, 2]))
    torch.testing.assert_close(parts.plane, whole.plane)
    torch.testing.assert_close(parts.profiles, whole.profiles)
    levels = ((images + 1) * 127.5).round() / 127.5 - 1
    torch.testing.assert_close(whole.plane, power(levels).mean(0), rtol=1e-4, atol=1e-6)
    assert (Spectrum.of([levels]).plane - power(images).mean(0)).abs().max() > 1e-6


def test_decibels() -> None:
    found = decibels(torch.tensor([10.0, 1.0, 0.0]), torch.tensor([1.0, 10.0, 0.0]))
    torch.testing.assert_close(found, torch.tensor([10.0, -10.0, 0.0]))
