"""Projection: the latent whose image is nearest to a given one (Karras et al., 2020a)."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.errors import InputError
from gan.latents import Prior, keyed_generator
from gan.networks.base import Generator
from gan.networks.growing import downscale
from gan.networks.style import StyleGenerator

_BATCH = 32  # images at once
_MOMENTS, _NOISE = (0, 3), (0, 4)  # last parts of keys; keys of samples have no 0 there


@dataclass(frozen=True)
class Observation:
    """The known pixels of an image.

    Attributes:
        image: (1, C, H, W), in [-1, 1] without its noise; any value at unknown pixels.
        known: (1, 1, H, W), 1 at known pixels and 0 at unknown ones.
        noise: standard deviation of the noise of a pixel; 0 for an image without noise.
    """

    image: Tensor
    known: Tensor
    noise: float = 0.0

    def residual(self, images: Tensor) -> Tensor:
        """Return the mean squared difference from images (B, C, H, W) at known pixels, (B,)."""
        squares = (images - self.image).square() * self.known
        return squares.sum((1, 2, 3)) / (self.known.sum() * self.image.shape[1])

    def within_noise(self, images: Tensor) -> bool:
        """Return whether the residual of an image (1, C, H, W) is no larger than the noise.

        The discrepancy principle (Morozov, 1966): a smaller residual would fit the noise. Always
        false for an image without noise.
        """
        return self.noise > 0 and bool(self.residual(images) <= self.noise**2)


class Distance(ABC):
    """A distance of images from the known pixels of one."""

    @abstractmethod
    def __call__(self, images: Tensor, observation: Observation) -> Tensor:
        """Return the distance of each image of (B, C, H, W), (B,), differentiable.

        Unknown pixels must not count.
        """


class PixelPyramid(Distance):
    """The mean squared error of pixels, averaged over a pyramid of resolutions.

    A pixel of a coarser level is the mean of the known pixels that it covers, weighted by their
    number. Deviation from Karras et al. (2020a), whose distance is LPIPS: this one needs no weights
    of another network, but does not compare textures.

    Args:
        levels: of the full resolution, half of it, a quarter, ...; none below one pixel.
    """

    def __init__(self, levels: int = 3) -> None:
        self.levels = levels

    def __call__(self, images: Tensor, observation: Observation) -> Tensor:
        """Return the distance of each image of (B, C, H, W), (B,)."""
        known, side = observation.known, min(images.shape[2:])
        difference = (images - observation.image) * known
        factors = [1 << level for level in range(self.levels) if 1 << level <= side]
        errors = [_masked(downscale(difference, f), downscale(known, f)) for f in factors]
        return torch.stack(errors).mean(0)


def _masked(difference: Tensor, share: Tensor) -> Tensor:
    """Return the weighted mean of squares, (B,), of sums over the known part of each pixel.

    Args:
        difference: mean over each coarse pixel, 0 at unknown pixels, (B, C, H, W).
        share: known share of each coarse pixel, (1, 1, H, W).
    """
    squares = difference.square() / share.clamp(min=torch.finfo(share.dtype).tiny)
    return squares.sum((1, 2, 3)) / (share.sum() * difference.shape[1])


class Space(ABC):
    """A space of latents to search, and their images.

    Attributes:
        spread: root mean squared distance of the prior's latents from their mean.
    """

    spread: float

    @abstractmethod
    def candidates(self) -> Tensor:
        """Return latents to start from, (n, ...); the search starts at the nearest image's."""

    @abstractmethod
    def images(self, latents: Tensor) -> Tensor:
        """Return images (B, C, H, W) of latents (B, ...), if possible not clipped.

        Clipped pixels have no gradient.
        """

    def inputs(self, latents: Tensor) -> Tensor:
        """Return latents (B, ...) in the shape that the generator expects."""
        return latents


class LatentSpace(Space):
    """Z of any generator; z is not regularized towards the prior.

    Args:
        generator: in evaluation mode, its weights without gradients.
        prior: of its latents.
        label: (1,) for a conditional generator.
        seed: of the candidates.
        count: of them.
    """

    def __init__(
        self, generator: Generator, prior: Prior, label: Tensor | None, seed: int, count: int = 256
    ) -> None:
        self.generator, self.label = generator, label
        self._drawn = prior.sample(count, keyed_generator(seed, *_MOMENTS))
        self.spread = _spread(self._drawn)

    def candidates(self) -> Tensor:
        """Return draws of the prior, (count, dim)."""
        return self._drawn.to(next(self.generator.parameters()))

    def images(self, latents: Tensor) -> Tensor:
        """Return images (B, C, H, W) of z (B, dim)."""
        y = None if self.label is None else self.label.expand(len(latents))
        images: Tensor = self.generator(latents, y)
        return images


class StyleSpace(Space):
    """W of a style generator, or W+, which has one w per layer.

    Mean and spread of w are those of 10,000 latents under the label (Karras et al., 2020a,
    appendix D). W+ is that of Abdal et al. (2019).

    Args:
        generator: in evaluation mode, its weights without gradients.
        prior: of its latents.
        label: (1,) for a conditional generator.
        seed: of the latents.
        extended: W+.
    """

    def __init__(
        self,
        generator: StyleGenerator,
        prior: Prior,
        label: Tensor | None,
        seed: int,
        extended: bool = False,
    ) -> None:
        self.generator, self.count = generator, generator.layers if extended else 1
        w = population(generator, prior, label, seed)
        self.mean, self.spread = w.mean(0), _spread(w)

    def candidates(self) -> Tensor:
        """Return the mean, (1, 1, style_dim) or, in W+, (1, layers, style_dim)."""
        return self.mean.expand(1, self.count, -1)

    def images(self, latents: Tensor) -> Tensor:
        """Return images (B, C, H, W) of w (B, 1 or layers, style_dim)."""
        return self.generator.compute_images(self.inputs(latents))

    def inputs(self, latents: Tensor) -> Tensor:
        """Return styles (B, layers, style_dim)."""
        return latents.expand(-1, self.generator.layers, -1)


def population(
    generator: StyleGenerator, prior: Prior, labels: Tensor | None, seed: int, count: int = 10_000
) -> Tensor:
    """Return w (count, style_dim) of latents of the prior, without gradients.

    Args:
        generator: in evaluation mode.
        prior: of its latents.
        labels: in turn, (n,), for a conditional generator.
        seed: of the latents.
        count: of them.
    """
    z = prior.sample(count, keyed_generator(seed, *_MOMENTS))
    y = None if labels is None else labels[torch.arange(count) % len(labels)]
    with torch.no_grad():
        return generator.styles(z.to(next(generator.parameters())), y)[:, 0]


def _spread(latents: Tensor) -> float:
    """Return the root mean squared distance of latents (n, dim) from their mean."""
    return float((latents - latents.mean(0)).square().sum(1).mean().sqrt())


class Projection:
    """Gradient descent in a space of latents towards an observed image.

    Adam with a learning rate that rises linearly over the first 5 % of the steps and falls as a
    cosine over the last 25 %. Normal noise is added to the latents; at the share t of the steps its
    standard deviation has the factor (1 - t / 0.75)^2 (Karras et al., 2020a, appendix D).
    Deviation: the generator's pixel noise is not optimized.

    Args:
        steps: at least 1; 1,000 in the paper.
        seed: of the noise.
        distance: that is minimised; by default :class:`PixelPyramid`.
        learning_rate: largest one.
        noise: its standard deviation at the start, in spreads of the space.

    Raises:
        InputError: if a number is out of range.
    """

    def __init__(
        self,
        steps: int = 500,
        seed: int = 0,
        distance: Distance | None = None,
        learning_rate: float = 0.1,
        noise: float = 0.05,
    ) -> None:
        if steps < 1 or seed < 0:
            raise InputError(f"steps={steps} must be 1 or more, seed={seed} 0 or more")
        self.steps, self.seed, self.distance = steps, seed, distance or PixelPyramid()
        self.learning_rate, self.noise = learning_rate, noise

    def path(self, space: Space, observation: Observation) -> Iterator[Tensor]:
        """Yield the latent (1, ...) at the start and after each step; the last is the projection.

        For an image with noise the search ends once the residual is within the noise.
        """
        latent = self._start(space, observation).requires_grad_()
        optimizer = torch.optim.Adam([latent])
        key = keyed_generator(self.seed, *_NOISE)
        yield latent.detach().clone()
        for step in range(self.steps):
            if observation.noise > 0 and _within_noise(space, observation, latent):
                return
            share = step / self.steps
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * _ramp(share)
            noise = torch.randn(latent.shape, generator=key).to(latent)
            images = space.images(latent + noise * space.spread * self._strength(share))
            (latent.grad,) = torch.autograd.grad(self.distance(images, observation).sum(), latent)
            optimizer.step()
            yield latent.detach().clone()

    def _start(self, space: Space, observation: Observation) -> Tensor:
        """Return the candidate (1, ...) of the nearest image."""
        candidates = space.candidates()
        with torch.no_grad():
            parts = torch.split(candidates, _BATCH)
            distances = [self.distance(space.images(part), observation) for part in parts]
        return candidates[torch.cat(distances).argmin()][None].clone()

    def _strength(self, share: float) -> float:
        """Return the standard deviation of the noise after a share of the steps, in spreads."""
        return self.noise * max(0.0, 1 - share / 0.75) ** 2


def _within_noise(space: Space, observation: Observation, latent: Tensor) -> bool:
    """Return whether the residual of a latent's image, clipped, is within the noise."""
    with torch.no_grad():
        return observation.within_noise(space.images(latent).clamp(-1, 1))


def _ramp(share: float) -> float:
    """Return the factor of the largest learning rate after a share of the steps."""
    fall = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - share) / 0.25))
    return fall * min(1.0, share / 0.05)
