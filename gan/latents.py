"""Latent priors p(z), sampled with keyed random generators."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from gan.errors import InputError


def keyed_seed(*key: int) -> int:
    """Return a seed of 64 bits that depends only on ``key``, non-negative integers."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])


def keyed_generator(*key: int) -> Generator:
    """Return a CPU random generator that depends only on ``key``, non-negative integers."""
    return Generator().manual_seed(keyed_seed(*key))


class Prior(ABC):
    """A distribution of latents.

    Args:
        dim: dimension of the latents.

    Raises:
        InputError: if ``dim`` is less than 1.
    """

    def __init__(self, dim: int) -> None:
        if dim < 1:
            raise InputError(f"prior.dim={dim}: give a number from 1")
        self.dim = dim

    @abstractmethod
    def sample(self, count: int, generator: Generator) -> Tensor:
        """Return ``count`` random latents, (count, dim), on the CPU."""

    def sample_each(self, seed: int, indices: range) -> Tensor:
        """Return latent k from ``(seed, k)`` for each k of ``indices``, (len(indices), dim).

        Latent k does not depend on the other indices.
        """
        return torch.cat([self.sample(1, keyed_generator(seed, k)) for k in indices])

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Return latents between ``a`` and ``b``, by default linearly interpolated.

        Args:
            a: latents at t = 0, (..., dim).
            b: latents at t = 1, (..., dim).
            t: numbers in [0, 1], one per latent, (..., 1).
        """
        return torch.lerp(a, b, t)

    def truncate(self, z: Tensor, threshold: float) -> Tensor:
        """Return latents of the prior truncated to |z_i| <= ``threshold``, a monotone map of z.

        The map keeps quantiles. It is continuous in the threshold, and the identity if that is
        infinite. Brock et al. (2019, section 3.1) resample the values out of range, which gives the
        same distribution.

        Args:
            z: latents of the prior, (..., dim).
            threshold: a number above 0.

        Raises:
            InputError: if the threshold is not positive, or the prior has no truncation.
        """
        if not threshold > 0:
            raise InputError(f"truncation={threshold}: give a number above 0")
        return self._truncate(z.double(), threshold).to(z.dtype)

    def _truncate(self, z: Tensor, threshold: float) -> Tensor:
        """Return :meth:`truncate` of latents in float64."""
        raise InputError(
            f"truncation: {type(self).__name__} latents cannot be truncated: remove it"
        )

    def energy(self, z: Tensor) -> Tensor:
        """Return -log p(z) up to a constant, (...), of latents (..., dim).

        Raises:
            InputError: if the density has no gradient.
        """
        raise InputError(
            f"langevin: {type(self).__name__} latents have no gradient of log p(z): "
            "sample a run with prior=gaussian"
        )


class Gaussian(Prior):
    """Standard normal latents."""

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Return ``count`` random latents, (count, dim), on the CPU."""
        return torch.randn(count, self.dim, generator=generator)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Return spherically interpolated latents; linearly where a and b are parallel.

        Linear interpolation gives latents that are too short in a high dimension (White, 2016,
        Sampling Generative Networks).
        """
        cosine = torch.cosine_similarity(a.double(), b.double(), dim=-1).unsqueeze(-1)
        angle = cosine.clamp(-1, 1).acos()
        sine, t = angle.sin(), t.double()
        nonzero = sine > 1e-6
        weight_a = torch.where(nonzero, ((1 - t) * angle).sin() / sine, 1 - t)
        weight_b = torch.where(nonzero, (t * angle).sin() / sine, t)
        return (weight_a * a + weight_b * b).to(a.dtype)

    def _truncate(self, z: Tensor, threshold: float) -> Tensor:
        """Return z' with Phi(z') = Phi(-t) + Phi(z) (2 Phi(t) - 1), computed with erf."""
        mass = math.erf(threshold / math.sqrt(2))
        mapped = (z / math.sqrt(2)).erf().mul(mass).erfinv().mul(math.sqrt(2))
        bound = z.abs().clamp(max=threshold)  # where erf rounds to 1
        return mapped.clamp(-bound, bound)

    def energy(self, z: Tensor) -> Tensor:
        """Return |z|^2 / 2, (...)."""
        return z.square().sum(-1) / 2


class Uniform(Prior):
    """Latents uniform in [-1, 1], as in the first GAN papers."""

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Return ``count`` random latents, (count, dim), on the CPU."""
        return torch.rand(count, self.dim, generator=generator).mul_(2).sub_(1)

    def _truncate(self, z: Tensor, threshold: float) -> Tensor:
        """Return z scaled to [-threshold, threshold], unchanged for a threshold above 1."""
        return z * min(threshold, 1.0)


class Codes(Prior):
    """Noise, categorical codes and continuous codes (Chen et al., 2016, section 7 and appendix C).

    z is [noise | one-hot of each categorical code | continuous codes]. Noise and continuous codes
    are uniform in [-1, 1], categories are uniform.

    Args:
        dim: dimension of z, codes included.
        categories: number of categories of each categorical code, 2 or more.
        continuous: number of continuous codes.

    Attributes:
        noise: number of noise dimensions.

    Raises:
        InputError: if there is no code, a code has one category, or ``dim`` leaves no noise.
    """

    def __init__(self, dim: int, categories: Sequence[int] = (10,), continuous: int = 2) -> None:
        super().__init__(dim)
        self.categories, self.continuous = tuple(categories), continuous
        if min(self.categories, default=2) < 2 or continuous < 0:
            raise InputError(
                f"prior.categories={list(categories)} must each be 2 or more, "
                f"prior.continuous={continuous} 0 or more"
            )
        codes = sum(self.categories) + continuous
        self.noise = dim - codes
        if codes == 0:
            raise InputError("prior: no codes: set prior.continuous=2, or choose prior=uniform")
        if self.noise < 1:
            raise InputError(
                f"prior.dim={dim}: the codes have {codes} dimensions: give {codes + 1} or more"
            )

    def split(self, z: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """Return the noise, the one-hots of the categorical codes and the continuous codes.

        Args:
            z: latents (..., dim).

        Returns:
            (..., noise), one (..., K) for each code of K categories, and (..., continuous).
        """
        sizes = [self.noise, *self.categories, self.continuous]
        noise, *labels, continuous = torch.split(z, sizes, -1)
        return noise, labels, continuous

    def traverse(self, z: Tensor, values: Tensor) -> list[Tensor]:
        """Return, for each code, latents in which it takes all its values and the rest is fixed.

        Args:
            z: latents to start from, (n, dim).
            values: values of a continuous code, (V,).

        Returns:
            (n, K, dim) for each categorical code, then (n, V, dim) for each continuous one.
        """
        *starts, first = accumulate(self.categories, initial=self.noise)
        codes = [*zip(starts, map(torch.eye, self.categories), strict=True)]
        codes += [(index, values[:, None]) for index in range(first, self.dim)]
        traversals = []
        for start, choices in codes:
            latents = z[:, None].repeat(1, len(choices), 1)
            latents[..., start : start + choices.shape[1]] = choices
            traversals.append(latents)
        return traversals

    def replace(self, z: Tensor, categories: Sequence[int], continuous: Sequence[float]) -> Tensor:
        """Return latents (n, dim) with other codes, the same for all, and their own noise.

        Args:
            z: latents (n, dim).
            categories: the category of each categorical code.
            continuous: the value of each continuous code.
        """
        chosen = [
            one_hot(torch.tensor(k), size)
            for k, size in zip(categories, self.categories, strict=True)
        ]
        codes = torch.cat([*chosen, torch.tensor(continuous, dtype=z.dtype)])
        return torch.cat([z[:, : self.noise], codes.to(z).expand(len(z), -1)], 1)

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Return ``count`` random latents, (count, dim), on the CPU."""
        uniform = torch.rand(count, self.noise + self.continuous, generator=generator).mul(2).sub(1)
        noise, continuous = torch.split(uniform, [self.noise, self.continuous], 1)
        indices = [torch.randint(k, (count,), generator=generator) for k in self.categories]
        labels = [one_hot(*pair) for pair in zip(indices, self.categories, strict=True)]
        return torch.cat([noise, *labels, continuous], 1)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Return linearly interpolated latents; categories change from a to b after t = 0.5."""
        noise, _, continuous = self.split(torch.lerp(a, b, t))
        _, labels, _ = self.split(torch.where(t > 0.5, b, a))
        return torch.cat([noise, *labels, continuous], -1)

    def _truncate(self, z: Tensor, threshold: float) -> Tensor:
        """Return z with the noise scaled to [-threshold, threshold] and the codes unchanged."""
        noise, codes = torch.split(z, [self.noise, self.dim - self.noise], -1)
        return torch.cat([noise * min(threshold, 1.0), codes], -1)


class Truncated(Prior):
    """A prior truncated to |z_i| <= ``threshold`` (Brock et al., 2019, section 3.1).

    Args:
        prior: the prior to truncate.
        threshold: a number above 0.

    Raises:
        InputError: if the threshold is not positive, or the prior has no truncation.
    """

    def __init__(self, prior: Prior, threshold: float) -> None:
        super().__init__(prior.dim)
        self.prior, self.threshold = prior, threshold
        prior.truncate(torch.zeros(1, prior.dim), threshold)  # raises InputError

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Return ``count`` random latents, (count, dim), on the CPU."""
        return self.prior.truncate(self.prior.sample(count, generator), self.threshold)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Return latents interpolated by ``prior``."""
        return self.prior.interpolate(a, b, t)
