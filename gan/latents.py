"""Latent priors p(z), sampled from keyed generators: noise is a function of its key alone."""

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

    def truncate(self, z: Tensor, threshold: float) -> Tensor:
        """Return latents of the prior cut to |z_i| <= ``threshold``, each the image of its own.

        The monotone map of one distribution function to the other: a latent moves smoothly with
        the threshold, and stays what it is where that is infinite. Brock et al. (2019, section 3.1)
        draw what falls outside anew, which has the same distribution.

        Args:
            z: from the prior, (..., dim).
            threshold: above 0.

        Raises:
            InputError: if it is not, or the prior cannot be cut.
        """
        if not threshold > 0:
            raise InputError(f"truncation={threshold}: give a number above 0")
        return self._truncate(z.double(), threshold).to(z.dtype)

    def _truncate(self, z: Tensor, threshold: float) -> Tensor:
        """Return :meth:`truncate` of latents in 64 bits."""
        raise InputError(f"truncation: not of {type(self).__name__} latents: leave it out")

    def energy(self, z: Tensor) -> Tensor:
        """Return -log p(z) up to a constant, (...), of latents (..., dim).

        Raises:
            InputError: if the density has no gradient to follow.
        """
        raise InputError(
            f"langevin: {type(self).__name__} latents have no gradient of log p(z) to follow: "
            "sample a run with prior=gaussian"
        )


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

    def _truncate(self, z: Tensor, threshold: float) -> Tensor:
        """Return z' with Phi(z') = Phi(-t) + Phi(z) (2 Phi(t) - 1), written with erf around 0."""
        inner = math.erf(threshold / math.sqrt(2))
        moved = (z / math.sqrt(2)).erf().mul(inner).erfinv().mul(math.sqrt(2))
        bound = z.abs().clamp(max=threshold)  # where erf is 1 to the last digit
        return moved.clamp(-bound, bound)

    def energy(self, z: Tensor) -> Tensor:
        """Return half the squared length, (...)."""
        return z.square().sum(-1) / 2


class Uniform(Prior):
    """Latents uniform in [-1, 1], the prior of the first papers."""

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw ``count`` latents, (count, dim), on the CPU."""
        return torch.rand(count, self.dim, generator=generator).mul_(2).sub_(1)

    def _truncate(self, z: Tensor, threshold: float) -> Tensor:
        """Return the smaller box, or z where it lies within."""
        return z * min(threshold, 1.0)


class Codes(Prior):
    """Noise and codes that the generator is to make visible.

    z is [noise | one-hot of each categorical code | continuous codes], in this order; noise and
    continuous codes are uniform in [-1, 1], categories are equally likely.

    Source: Chen et al., 2016, InfoGAN, section 7 and appendix C.

    Args:
        dim: numbers in z, codes included.
        categories: how many each categorical code has, 2 or more.
        continuous: continuous codes.

    Attributes:
        noise: numbers in z that are no code.

    Raises:
        InputError: if there is no code, a category is alone, or ``dim`` leaves no noise.
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
            raise InputError("prior: no codes: give prior.continuous=2, or choose prior=uniform")
        if self.noise < 1:
            raise InputError(
                f"prior.dim={dim}: the codes alone take {codes} numbers: give {codes + 1} or more"
            )

    def split(self, z: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """Return the noise, the one-hots of the categorical codes and the continuous codes.

        Args:
            z: (..., dim).

        Returns:
            (..., noise), one (..., K) for each code of K categories, and (..., continuous).
        """
        sizes = [self.noise, *self.categories, self.continuous]
        noise, *labels, continuous = torch.split(z, sizes, -1)
        return noise, labels, continuous

    def traverse(self, z: Tensor, values: Tensor) -> list[Tensor]:
        """Return, for each code in turn, latents in which it takes all its values, the rest fixed.

        Args:
            z: what is varied, (n, dim).
            values: of a continuous code, (V,).

        Returns:
            (n, K, dim) for each categorical code, then (n, V, dim) for each continuous one.
        """
        *starts, first = accumulate(self.categories, initial=self.noise)
        codes = [*zip(starts, map(torch.eye, self.categories), strict=True)]
        codes += [(place, values[:, None]) for place in range(first, self.dim)]
        varied = []
        for start, choices in codes:
            latents = z[:, None].repeat(1, len(choices), 1)
            latents[..., start : start + choices.shape[1]] = choices
            varied.append(latents)
        return varied

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw ``count`` latents, (count, dim), on the CPU."""
        uniform = torch.rand(count, self.noise + self.continuous, generator=generator).mul(2).sub(1)
        noise, continuous = torch.split(uniform, [self.noise, self.continuous], 1)
        drawn = [torch.randint(k, (count,), generator=generator) for k in self.categories]
        labels = [one_hot(*pair) for pair in zip(drawn, self.categories, strict=True)]
        return torch.cat([noise, *labels, continuous], 1)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Return latents on the straight line whose categories change half way.

        The generator has never seen a blend of one-hots. The middle is still ``a``'s.
        """
        noise, _, continuous = self.split(torch.lerp(a, b, t))
        _, labels, _ = self.split(torch.where(t > 0.5, b, a))
        return torch.cat([noise, *labels, continuous], -1)

    def _truncate(self, z: Tensor, threshold: float) -> Tensor:
        """Return the codes beside noise of a smaller box."""
        noise, codes = torch.split(z, [self.noise, self.dim - self.noise], -1)
        return torch.cat([noise * min(threshold, 1.0), codes], -1)


class Truncated(Prior):
    """A prior cut to |z_i| <= ``threshold`` (Brock et al., 2019, section 3.1).

    Args:
        prior: to be cut.
        threshold: above 0.

    Raises:
        InputError: if it is not, or the prior cannot be cut.
    """

    def __init__(self, prior: Prior, threshold: float) -> None:
        super().__init__(prior.dim)
        self.prior, self.threshold = prior, threshold
        prior.truncate(torch.zeros(1, prior.dim), threshold)  # refuses what cannot be

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw ``count`` latents, (count, dim), on the CPU."""
        return self.prior.truncate(self.prior.sample(count, generator), self.threshold)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Return the prior's own way."""
        return self.prior.interpolate(a, b, t)
