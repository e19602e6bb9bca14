"""Latent priors p(z), sampled from keyed generators: noise is a function of its key alone."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Generator, Tensor

from gan.errors import InputError


def keyed_generator(*key: int) -> Generator:
    """Return a CPU random generator that depends on the non-negative integers ``key`` alone."""
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
    return Generator().manual_seed(seed)


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


class Gaussian(Prior):
    """Standard normal latents."""

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw ``count`` latents, (count, dim), on the CPU."""
        return torch.randn(count, self.dim, generator=generator)


class Uniform(Prior):
    """Latents uniform in [-1, 1], the prior of the first papers."""

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw ``count`` latents, (count, dim), on the CPU."""
        return torch.rand(count, self.dim, generator=generator).mul_(2).sub_(1)
