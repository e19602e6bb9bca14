"""Averages of the generator's weights over training."""

import copy
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan.schedules import Constant, Schedule


class Averaging(ABC):
    """The interface of weight averaging; the averaged network makes samples and is evaluated."""

    @abstractmethod
    def copy(self, network: nn.Module) -> nn.Module:
        """Return the network that holds the average."""

    @abstractmethod
    def update(self, average: nn.Module, network: nn.Module, images: int, seen: int) -> None:
        """Update ``average`` from ``network``.

        Args:
            average: the network returned by :meth:`copy`.
            network: the network in training.
            images: real images of this step.
            seen: real images seen in the run before this step.
        """


class NoAveraging(Averaging):
    """No averaging: the weights in training."""

    def copy(self, network: nn.Module) -> nn.Module:
        """Return ``network`` itself."""
        return network

    def update(self, average: nn.Module, network: nn.Module, images: int, seen: int) -> None:
        """Do nothing; both are the same network."""


class ExponentialAverage(Averaging):
    """An exponential moving average with a half-life in images (Karras et al., 2018, 2020).

    The half-life is at most ``ramp`` times the images seen, so that the average forgets the initial
    weights early. Buffers are copied, as in NVIDIA's code, but for what ``statistics`` says.

    Args:
        half_life: images.
        ramp: fraction of the images seen; ``None`` sets no bound.
        schedule: multiplier of the half-life as a function of images seen.
        start: images; a step before which fewer were seen copies the weights.
        statistics: average the running statistics of batch normalisation too, as BigGAN's code does
            (Brock et al., 2019). Deviation: their code also averages the vectors of spectral
            normalisation, whose mean no longer has length 1; here they are copied.

    Raises:
        ValueError: if ``half_life`` or ``ramp`` is not positive, or ``start`` is negative.
    """

    def __init__(
        self,
        half_life: float = 20_000,
        ramp: float | None = 0.05,
        schedule: Schedule | None = None,
        start: float = 0,
        statistics: bool = False,
    ) -> None:
        if half_life <= 0:
            raise ValueError(f"averaging.half_life={half_life}: give a positive number of images")
        if ramp is not None and ramp <= 0:
            raise ValueError(f"averaging.ramp={ramp}: give a positive fraction or null")
        if start < 0:
            raise ValueError(f"averaging.start={start}: give a number of images from 0")
        self.half_life, self.ramp, self.schedule = half_life, ramp, schedule or Constant()
        self.start, self.statistics = start, statistics

    def copy(self, network: nn.Module) -> nn.Module:
        """Return a frozen copy of ``network`` in evaluation mode."""
        return copy.deepcopy(network).requires_grad_(False).eval()

    def decay(self, images: int, seen: int) -> float:
        """Return the weight of the previous average after a step of ``images`` images.

        Args:
            images: real images of this step.
            seen: real images seen in the run before this step.
        """
        if seen < self.start:
            return 0.0
        half_life = self.half_life * self.schedule(seen)
        bounded = half_life if self.ramp is None else min(half_life, self.ramp * seen)
        return float(0.5 ** (images / max(bounded, 1e-8)))

    def _averaged(self, network: nn.Module) -> list[Tensor]:
        """Return what is averaged of a network, not copied."""
        statistics = _batch_statistics(network) if self.statistics else []
        return [*network.parameters(), *statistics]

    @torch.no_grad()
    def update(self, average: nn.Module, network: nn.Module, images: int, seen: int) -> None:
        """Average the parameters, and the batch statistics if asked for; copy other buffers."""
        weight = 1 - self.decay(images, seen)
        old, new = self._averaged(average), self._averaged(network)
        averaged = set(map(id, old))
        torch._foreach_lerp_(old, new, weight)
        for held, current in zip(average.buffers(), network.buffers(), strict=True):
            if id(held) not in averaged:
                held.copy_(current)


def _batch_statistics(network: nn.Module) -> list[Tensor]:
    """Return the running means and variances of the batch normalisation layers of a network."""
    norms = [norm for norm in network.modules() if isinstance(norm, _BatchNorm)]
    kept = [value for norm in norms for value in (norm.running_mean, norm.running_var)]
    return [value for value in kept if value is not None]
