"""What is known of an image, what is shown of a reconstruction, and its errors."""

import math

import pytest
import torch
from torch import Tensor

from gan.algorithms.reconstruction import Problem, compute_images
from tests.algorithms.test_projection import Linear

ALL = torch.ones(1, 1, 4, 4)
HALF = torch.cat([torch.ones(1, 1, 2, 4), torch.zeros(1, 1, 2, 4)], 2)


def image(seed: int = 0) -> Tensor:
    return torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_noise_is_added_on_request_and_depends_on_the_seed_alone() -> None:
    x = image()
    clean, noisy = Problem.of(x, ALL, 0.5), Problem.of(x, ALL, 0.5, corrupt=True, seed=3)
    torch.rand(5)
    again = Problem.of(x, ALL, 0.5, corrupt=True, seed=3)
    other = Problem.of(x, ALL, 0.5, corrupt=True, seed=4)
    assert torch.equal(clean.observation.image, x)
    assert torch.equal(noisy.observation.image, again.observation.image)
    assert not torch.equal(noisy.observation.image, other.observation.image)
    twice = Problem.of(x, ALL, 1.0, corrupt=True, seed=3)
    added = noisy.observation.image - x
    torch.testing.assert_close(twice.observation.image - x, 2 * added)
    assert 0.3 < float(added.std()) < 0.7
    assert clean.observation.noise == noisy.observation.noise == 0.5


@pytest.mark.parametrize("known", [ALL, HALF])
@pytest.mark.parametrize("corrupt", [False, True])
def test_the_sheet_shows_what_differs(known: Tensor, corrupt: bool) -> None:
    x, found = image(), image(1)
    problem = Problem.of(x, known, 0.2, corrupt)
    seen = torch.where(known > 0, problem.observation.image, torch.tensor(0.0))
    partial = known is HALF
    expected = [x, *([seen] if corrupt or partial else []), found]
    expected += [torch.where(known > 0, seen, found)] if partial else []
    expected.append((found - x).abs() - 1)
    assert problem.partial == partial
    assert torch.equal(problem.observed, seen)
    assert torch.equal(problem.sheet(found), torch.cat(expected))


@pytest.mark.parametrize("known", [ALL, HALF])
@pytest.mark.parametrize("corrupt", [False, True])
def test_errors_of_each_set_of_pixels(known: Tensor, corrupt: bool) -> None:
    x, found = image(), image(1)
    problem = Problem.of(x, known, 0.2, corrupt)

    def line(name: str, target: Tensor, mask: Tensor) -> str:
        squares = (found - target).square()[mask.expand_as(found) > 0]
        error = float(squares.mean())
        return f"{name}: mean squared error {error:.4g}, PSNR {10 * math.log10(4 / error):.1f} dB"

    expected = [line("known pixels", problem.observation.image, known)]
    if known is HALF:
        expected.append(line("hidden pixels, as the image has them", x, 1 - known))
    if corrupt:
        expected.append(line("known pixels before noise", x, known))
    assert list(problem.errors(found)) == expected
    (exact, *_) = Problem.of(x, ALL).errors(x)
    assert exact == "known pixels: mean squared error 0, PSNR inf dB"


def test_images_of_latents_are_clipped_and_without_a_graph() -> None:
    space, latents = Linear(), torch.randn(3, 5, requires_grad=True)
    found = compute_images(space, latents)
    assert not found.requires_grad
    assert torch.equal(found, space.images(latents).detach().clamp(-1, 1))
    assert float(found.max()) == 1
    assert float(found.min()) == -1
