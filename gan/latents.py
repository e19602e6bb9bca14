"""Latent priors p(z), sampled from keyed generators: noise is a function of its key alone."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Generator, Tensor

from gan.errors import InputError


def keyed_seed(*key: int) -> int:
    """Return a seed of 64 bits that depends on the non-negative integers ``key`` alone."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])


def keyed_generator(*key: int) -> Generator:
    """Return a CPU random generator that depends on the non-negative integers ``key`` alone."""
    return Generator().manual_seed(keyed_seed(*key))


class Prior(ABC):
    """A distribution over latent vectors of ``dim`` numbers."""

    def __init__(self, dim: int) -> None:
        if dim < 1:
            raise InputError(f"prior.dim={dim}: give a number from 1")
        self.dim = dim

    @abstractmethod
    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw ``count`` latents, (count, dim), on the CPU."""

    def sample_each(self, seed: int, indices: range) -> Tensor:
        """Draw latent k from ``(seed, k)`` for each k of ``indices``, (len(indices), dim).

        Latent k is the same whatever else is drawn with it.
        """
        return torch.cat([self.sample(1, keyed_generator(seed, k)) for k in indices])

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Return latents on the way from ``a`` to ``b`` that the prior finds likely.

        The straight line, which stays in a box.

        Args:
            a: where t is 0, (..., dim).
            b: where t is 1, (..., dim).
            t: in [0, 1], one for each latent, (..., 1).
        """
        return torch.lerp(a, b, t)


class Gaussian(Prior):
    """Standard normal latents."""

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw ``count`` latents, (count, dim), on the CPU."""
        return torch.randn(count, self.dim, generator=generator)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Return latents on the great circle through ``a`` and ``b``, straight where there is none.

        The middle of a straight line is nearer to 0 than latents of many dimensions ever are.
        Source: White, 2016, Sampling Generative Networks.
        """
        cosine = torch.cosine_similarity(a.double(), b.double(), dim=-1).unsqueeze(-1)
        angle = cosine.clamp(-1, 1).acos()
        sine, t = angle.sin(), t.double()
        bent = sine > 1e-6
        of_a = torch.where(bent, ((1 - t) * angle).sin() / sine, 1 - t)
        of_b = torch.where(bent, (t * angle).sin() / sine, t)
        return (of_a * a + of_b * b).to(a.dtype)


class Uniform(Prior):
    """Latents uniform in [-1, 1], the prior of the first papers."""

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw ``count`` latents, (count, dim), on the CPU."""
        return torch.rand(count, self.dim, generator=generator).mul_(2).sub_(1)
