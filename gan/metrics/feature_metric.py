"""The interface of a metric over one shared pass of features."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric

from gan.metrics.backbone import Features

State = Tensor | list[Tensor]


class FeatureMetric(Metric):
    """A torchmetrics metric that reads features instead of images.

    A new metric is one subclass: it adds its states with `add_state` (and `dist_reduce_fx`, so that
    processes agree), names in `real_states` those that describe the reals, and writes `update` and
    `compute`. The states of the reals survive `reset`, are cached on disk between runs, and under
    several processes are held by one of them.

    Attributes:
        real_states: names of the states that describe the reals; empty if only fakes are read.
    """

    real_states: ClassVar[tuple[str, ...]] = ()
    full_state_update = False

    @abstractmethod
    def update(self, features: Features, real: bool) -> None:
        """Adds a batch of features of real or of generated images."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """The value under each of its names, such as {"fid": 12.3}."""

    @property
    def protocol(self) -> str:
        """What the states of the reals depend on besides the features; part of the cache's key."""
        return type(self).__name__

    def reset(self) -> None:
        """Forgets the fakes and keeps the reals."""
        reals = {name: _held(getattr(self, name)) for name in self.real_states}
        super().reset()
        for name, value in reals.items():
            setattr(self, name, value)

    def real_state(self) -> dict[str, State]:
        """What is known of the reals, on the CPU."""
        return {name: _held(getattr(self, name), "cpu") for name in self.real_states}

    def load_real_state(self, state: dict[str, State], owner: bool = True) -> None:
        """Replaces what is known of the reals.

        Args:
            state: from `real_state`.
            owner: whether this process brings the reals into the synchronised state; exactly one
                does, the others hold zeros.
        """
        for name in self.real_states:
            value = _held(state[name], self.device)
            setattr(self, name, value if owner else self.blank(value))

    def blank(self, value: State) -> State:
        """A state that adds nothing to the synchronised one: zeros of a sum, none of a list."""
        return torch.zeros_like(value) if isinstance(value, Tensor) else [v[:0] for v in value]


def _held(value: State, device: torch.device | str | None = None) -> State:
    """The value apart from the metric's own list, moved to `device`."""
    if isinstance(value, Tensor):
        return value.detach().to(device or value.device)
    return [item.detach().to(device or item.device) for item in value]
