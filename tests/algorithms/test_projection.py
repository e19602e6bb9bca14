import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from gan.algorithms.projection import (
    Distance,
    LatentSpace,
    Observation,
    PixelPyramid,
    Projection,
    Space,
    StyleSpace,
    population,
)
from gan.conditioning.base import Unconditional
from gan.conditioning.concatenation import Concatenation
from gan.errors import InputError
from gan.latents import Gaussian
from gan.networks.mlp import MLPGenerator
from gan.networks.style import StyleGenerator
from gan.networks.stylegan2 import StyleGAN2Generator

SHAPE = (2, 8, 8)
WHOLE = torch.ones(1, 1, 8, 8)
HALF = torch.ones(1, 1, 8, 8).index_fill(3, torch.tensor([2, 5, 6]), 0)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Linear(Space):
    """Images A z + b."""

    spread = 1.0

    def __init__(self, dim: int = 5) -> None:
        self.a, self.b = drawn(math.prod(SHAPE), dim, seed=1), drawn(math.prod(SHAPE), seed=2)

    def candidates(self) -> Tensor:
        return torch.zeros(1, self.a.shape[1])

    def images(self, latents: Tensor) -> Tensor:
        return (latents @ self.a.T + self.b).view(-1, *SHAPE)


class LinearStyles(StyleGenerator):
    """Images that are linear in the styles of two layers."""

    def __init__(self, conditioning: Unconditional | Concatenation) -> None:
        super().__init__()
        self.build_mapping(6, conditioning, 4, 2, 2, 0.0)
        self.pixels = nn.Linear(8, math.prod(SHAPE))
        nn.init.normal_(self.pixels.weight)

    def compute_images(self, styles: Tensor) -> Tensor:
        images: Tensor = self.pixels(styles.flatten(1)).view(-1, *SHAPE)
        return images


def rows(known: Tensor, levels: int) -> Tensor:
    """Return R such that the distance of a difference d is |R d|^2, pixel by pixel."""
    found = []
    for level in range(levels):
        size = 2**level
        for channel in range(2):
            for top in range(0, 8, size):
                for left in range(0, 8, size):
                    row = torch.zeros(SHAPE)
                    part = known[0, 0, top : top + size, left : left + size]
                    row[channel, top : top + size, left : left + size] = part
                    if part.sum():
                        # mean of what is known, weighted by how much is known
                        row *= (part.sum() / (2 * known.sum() * levels)).sqrt() / part.sum()
                    found.append(row.flatten())
    return torch.stack(found)


def least_squares(matrix: Tensor, offset: Tensor, image: Tensor, weights: Tensor) -> Tensor:
    """Return z that makes |R (A z + b - x)| least."""
    target = weights @ (image.flatten() - offset)
    found = torch.linalg.lstsq((weights @ matrix).double(), target.double()).solution
    return torch.as_tensor(found, dtype=torch.float32)


def last(space: Space, observation: Observation, **settings: object) -> Tensor:
    given = {"steps": 800, "learning_rate": 0.3} | settings
    *_, found = Projection(**given).path(space, observation)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("known", [WHOLE, HALF])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_the_pyramid_pixel_by_pixel(known: Tensor, levels: int) -> None:
    images, image = drawn(3, *SHAPE), drawn(1, *SHAPE, seed=3)
    found = PixelPyramid(levels)(images, Observation(image, known))
    differences = (images - image).flatten(1)
    expected = (differences @ rows(known, levels).T).square().sum(1)
    torch.testing.assert_close(found, expected)


def test_the_finest_level_is_the_mean_squared_error() -> None:
    images, image = drawn(3, *SHAPE), drawn(1, *SHAPE, seed=3)
    observation = Observation(image, WHOLE)
    expected = (images - image).square().mean((1, 2, 3))
    torch.testing.assert_close(PixelPyramid(1)(images, observation), expected)
    torch.testing.assert_close(observation.residual(images), expected)
    half = (images - image)[..., [0, 1, 3, 4, 7]].square().mean((1, 2, 3))
    torch.testing.assert_close(Observation(image, HALF).residual(images), half)


def test_a_pyramid_of_small_images_has_fewer_levels() -> None:
    images, known = drawn(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    observation = Observation(torch.zeros(1, 1, 2, 2), known)
    two, three = (PixelPyramid(levels)(images, observation) for levels in (2, 3))
    torch.testing.assert_close(two, three)


@pytest.mark.parametrize("known", [WHOLE, HALF])
@pytest.mark.parametrize("levels", [1, 3])
def test_projection_is_least_squares_on_a_linear_space(known: Tensor, levels: int) -> None:
    space, image = Linear(), drawn(1, *SHAPE, seed=3)
    found = last(space, Observation(image, known), distance=PixelPyramid(levels))
    expected = least_squares(space.a, space.b, image, rows(known, levels))
    torch.testing.assert_close(found[0], expected, atol=1e-4, rtol=0)
    other = least_squares(space.a, space.b, image, rows(WHOLE + HALF - known, levels))
    assert (expected - other).abs().max() > 0.01


def test_pixels_that_are_not_known_do_not_count() -> None:
    image = drawn(1, *SHAPE, seed=3)
    other = torch.where(HALF > 0, image, 1e3)
    first, second = (last(Linear(), Observation(x, HALF), steps=20) for x in (image, other))
    assert torch.equal(first, second)


def test_denoising_ends_when_noise_explains_what_is_left() -> None:
    space = Linear()
    clean = space.images(drawn(1, 5, seed=4) / 10).clamp(-1, 1)
    image = clean + 0.4 * drawn(1, *SHAPE, seed=6)
    observation = Observation(image, HALF, noise=0.4)
    path = list(Projection(800, learning_rate=0.3).path(space, observation))
    residuals = [float(observation.residual(space.images(z).clamp(-1, 1))) for z in path]
    assert 1 < len(path) < 801
    assert residuals[-1] <= 0.4**2 < min(residuals[:-1])
    assert len(list(Projection(50).path(space, Observation(image, HALF)))) == 51


def test_an_observation_that_the_start_explains() -> None:
    space = Linear()
    image = space.images(space.candidates())
    path = list(Projection(50).path(space, Observation(image, WHOLE, noise=5.0)))
    assert len(path) == 1


class Sum(Distance):
    """The sum of pixels times a slope; what it is given is kept."""

    def __init__(self, slope: float) -> None:
        self.slope = slope
        self.given: list[Tensor] = []

    def __call__(self, images: Tensor, observation: Observation) -> Tensor:
        self.given.append(images.detach())
        return images.sum((1, 2, 3)) * self.slope


class Identity(Space):
    """Images that are their latents."""

    spread = 3.0

    def candidates(self) -> Tensor:
        return torch.zeros(1, 1, 100, 100)

    def images(self, latents: Tensor) -> Tensor:
        return latents


BLANK = Observation(torch.zeros(1, 1, 100, 100), torch.ones(1, 1, 100, 100))


def test_the_learning_rate_rises_and_falls() -> None:
    # under a constant slope each step of Adam is one learning rate long
    search = Projection(100, distance=Sum(1.0), learning_rate=0.2, noise=0.0)
    path = list(search.path(Identity(), BLANK))
    rates = [float((before - after).mean()) for before, after in pairwise(path)]
    expected = [0, 0.2, 0.4, 0.6, 0.8, *[1.0] * 71]
    expected += [0.5 - 0.5 * math.cos(math.pi * (100 - k) / 25) for k in range(76, 100)]
    torch.testing.assert_close(rates, [0.2 * rate for rate in expected], atol=1e-5, rtol=0)


def test_the_noise_on_latents_falls_to_nothing() -> None:
    distance = Sum(0.0)
    list(Projection(100, distance=distance, noise=0.1).path(Identity(), BLANK))
    found = torch.tensor([float(images.std()) for images in distance.given[1:]])
    share = torch.arange(100) / 100
    expected = 0.1 * 3.0 * (1 - share / 0.75).clamp(min=0).square()
    torch.testing.assert_close(found, expected, atol=0, rtol=0.05)
    assert not distance.given[-1].any()


def test_a_search_is_a_function_of_its_seed() -> None:
    observation = Observation(drawn(1, *SHAPE), WHOLE)
    first, again, other = (
        last(Linear(), observation, steps=5, seed=seed, noise=0.5) for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("extended", "layers"), [(False, 1), (True, 2)])
def test_projection_into_the_styles_of_a_linear_generator(extended: bool, layers: int) -> None:
    generator = LinearStyles(Unconditional()).eval().requires_grad_(False)
    space = StyleSpace(generator, Gaussian(6), None, 0, extended)
    image = 4 * drawn(1, *SHAPE, seed=3)  # beyond what a clipped image reaches
    found = last(space, Observation(image, WHOLE), steps=1500)
    assert found.shape == (1, layers, 4)
    assert space.inputs(found).shape == (1, 2, 4)
    weight, bias = generator.pixels.weight, generator.pixels.bias
    matrix = weight if extended else weight[:, :4] + weight[:, 4:]
    expected = least_squares(matrix, bias, image, rows(WHOLE, 3))
    torch.testing.assert_close(found.flatten(), expected, atol=1e-4, rtol=0)
    assert float(space.images(found).abs().max()) > 1


def test_styles_start_at_the_mean_under_the_label() -> None:
    generator = LinearStyles(Concatenation(3, 4)).eval().requires_grad_(False)
    means = []
    for label in range(3):
        space = StyleSpace(generator, Gaussian(6), torch.tensor([label]), seed=1)
        w = population(generator, Gaussian(6), torch.tensor([label]), seed=1)
        assert w.shape == (10_000, 4)
        torch.testing.assert_close(space.candidates(), w.mean(0)[None, None])
        assert space.spread**2 == pytest.approx(float(w.var(0, correction=0).sum()), rel=1e-4)
        means.append(space.candidates())
    assert (means[0] - means[1]).abs().max() > 1e-4
    assert StyleSpace(generator, Gaussian(6), torch.tensor([0]), 1, True).candidates().shape == (
        1,
        2,
        4,
    )


def test_the_population_takes_labels_in_turn() -> None:
    generator = LinearStyles(Concatenation(3, 4)).eval().requires_grad_(False)
    mixed = population(generator, Gaussian(6), torch.arange(3), seed=1, count=7)
    for label in range(3):
        alone = population(generator, Gaussian(6), torch.tensor([label]), seed=1, count=7)
        torch.testing.assert_close(mixed[label::3], alone[label::3])


def test_the_search_in_z_starts_at_the_nearest_draw() -> None:
    generator = MLPGenerator(6, 2, 8, Concatenation(3, 4), [16]).eval().requires_grad_(False)
    label = torch.tensor([2])
    space = LatentSpace(generator, Gaussian(6), label, seed=2)
    drawn_z = space.candidates()
    assert drawn_z.shape == (256, 6)
    assert space.spread == pytest.approx(math.sqrt(6), rel=0.1)
    image = generator(drawn_z[77:78], label)
    torch.testing.assert_close(space.images(drawn_z)[77:78], image)
    path = list(Projection(200).path(space, Observation(image, WHOLE)))
    assert torch.equal(path[0], drawn_z[77:78])
    target = generator(drawn(1, 6, seed=9), label)
    observation = Observation(target, WHOLE)
    path = list(Projection(400).path(space, observation))
    errors = [float(observation.residual(space.images(z))) for z in (path[0], path[-1])]
    assert errors[1] < errors[0] / 20


def test_a_style_generator_finds_its_own_images() -> None:
    torch.manual_seed(0)
    generator = StyleGAN2Generator(8, 1, 8, Unconditional(), 8, 2, capacity=64)
    generator.eval().requires_grad_(False)
    space = StyleSpace(generator, Gaussian(8), None, seed=0)
    image = generator.compute_images(generator.styles(drawn(1, 8, seed=9)))
    observation = Observation(image, torch.ones(1, 1, 8, 8))
    path = list(Projection(200).path(space, observation))
    errors = [float(observation.residual(space.images(w))) for w in (path[0], path[-1])]
    assert errors[1] < errors[0] / 20


@pytest.mark.parametrize("settings", [{"steps": 0}, {"seed": -1}])
def test_impossible_searches(settings: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(settings))):
        Projection(**settings)  # type: ignore[arg-type]
