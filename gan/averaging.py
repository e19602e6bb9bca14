"""Averages of the generator's weights over training."""

import copy
from abc import ABC, abstractmethod

import torch
from torch import nn

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
            seen: real images seen in the run, this step included.
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
    weights early. Floating-point buffers, such as batch statistics, are copied.

    Args:
        half_life: images.
        ramp: fraction of the images seen; ``None`` sets no bound.
        schedule: multiplier of the half-life as a function of images seen.

    Raises:
        ValueError: if ``half_life`` or ``ramp`` is not positive.
    """

    def __init__(
        self,
        half_life: float = 20_000,
        ramp: float | None = 0.05,
        schedule: Schedule | None = None,
    ) -> None:
        if half_life <= 0:
            raise ValueError(f"averaging.half_life={half_life}: give a positive number of images")
        if ramp is not None and ramp <= 0:
            raise ValueError(f"averaging.ramp={ramp}: give a positive fraction or null")
        self.half_life, self.ramp, self.schedule = half_life, ramp, schedule or Constant()

    def copy(self, network: nn.Module) -> nn.Module:
        """Return a frozen copy of ``network`` in evaluation mode."""
        return copy.deepcopy(network).requires_grad_(False).eval()

    def decay(self, images: int, seen: int) -> float:
        """Return the weight of the previous average after a step of ``images`` images."""
        half_life = self.half_life * self.schedule(seen)
        bounded = half_life if self.ramp is None else min(half_life, self.ramp * seen)
        return float(0.5 ** (images / max(bounded, 1e-8)))

    @torch.no_grad()
    def update(self, average: nn.Module, network: nn.Module, images: int, seen: int) -> None:
        """Average the parameters and copy the buffers."""
        weight = 1 - self.decay(images, seen)
        torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), weight)
        for old, new in zip(average.buffers(), network.buffers(), strict=True):
            old.copy_(new)
