"""Averages of a network's weights over training."""

import copy
from abc import ABC, abstractmethod

import torch
from torch import nn

from gan.schedules import Constant, Schedule


class Averaging(ABC):
    """How the weights that a run is judged by follow the weights that it trains."""

    @abstractmethod
    def copy(self, network: nn.Module) -> nn.Module:
        """Return the network that will hold the average."""

    @abstractmethod
    def update(self, average: nn.Module, network: nn.Module, images: int, seen: int) -> None:
        """Move ``average`` towards ``network``.

        Args:
            average: what :meth:`copy` returned.
            network: the network in training.
            images: real images shown in this step.
            seen: real images shown in the whole run, this step included.
        """


class NoAveraging(Averaging):
    """The trained weights themselves."""

    def copy(self, network: nn.Module) -> nn.Module:
        """Return ``network`` itself."""
        return network

    def update(self, average: nn.Module, network: nn.Module, images: int, seen: int) -> None:
        """Do nothing: the two are one."""


class ExponentialAverage(Averaging):
    """Exponential moving average given as a half-life in images (Karras et al., 2018; 2020).

    A weight that jumps has covered half the distance after ``half_life`` images. Early on the
    half-life is at most ``ramp`` times the images seen, so that the first weights are soon
    forgotten. Floating-point buffers (batch statistics) are copied, not averaged.

    Args:
        half_life: images.
        ramp: fraction of the images seen; ``None`` does not bound the half-life.
        schedule: multiplier of the half-life by images seen.
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
        """Return the weight of the old average for a step of ``images``."""
        due = self.half_life * self.schedule(seen)
        ramped = due if self.ramp is None else min(due, self.ramp * seen)
        return float(0.5 ** (images / max(ramped, 1e-8)))

    @torch.no_grad()
    def update(self, average: nn.Module, network: nn.Module, images: int, seen: int) -> None:
        """Move the parameters by the decay and copy the buffers."""
        weight = 1 - self.decay(images, seen)
        torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), weight)
        for old, new in zip(average.buffers(), network.buffers(), strict=True):
            old.copy_(new)
