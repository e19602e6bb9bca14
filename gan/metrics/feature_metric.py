"""The interface of a metric over one shared pass of features."""

from abc import abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from gan.backbones.base import Backbone, Features
from gan.backbones.source import RealSource

State = Tensor | list[Tensor]


class Role(Enum):
    """What a batch of images is to a metric."""

    FAKE = "fake"  # generated
    REAL = "real"  # of the split that fakes are compared with
    UNSEEN = "unseen"  # of the other split


class FeatureMetric(Metric):
    """A torchmetrics metric that reads features instead of images.

    A new metric is one subclass: it adds its states with `add_state` (and `dist_reduce_fx`, so that
    processes agree), names in `held` those that describe real images, and writes `update` and
    `compute`. The states of the reals survive `reset`, are cached on disk between runs, and under
    several processes are held by one of them.

    Attributes:
        ranking: names of the values by which models are ranked, the others are details.
        held: for each role of real images that is read, the names of its states; the state "sum"
            of the reals is the attribute `real_sum`.
        total: fakes of the measurement under way, over all processes.
        position: place among them of the first fake to come.
    """

    ranking: ClassVar[tuple[str, ...]] = ()
    held: ClassVar[Mapping[Role, tuple[str, ...]]] = {}
    full_state_update = False
    is_differentiable = False

    def __init__(self) -> None:
        super().__init__()
        self.total, self.position = 0, 0

    @abstractmethod
    def update(self, features: Features, role: Role) -> None:
        """Adds a batch of features."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """The value under each of its names, such as {"fid": 12.3}."""

    @property
    def protocol(self) -> str:
        """What the states of the reals depend on besides the features; part of the cache's key."""
        return type(self).__name__

    def stamp(self) -> dict[str, str | int | float]:
        """The settings without which the values do not compare."""
        return {}

    def refusal(self, backbone: Backbone, source: RealSource, labelled: bool) -> str | None:
        """Why the metric cannot be taken, or None where it can.

        Args:
            backbone: what it looks through.
            source: the reals.
            labelled: whether the fakes come with the labels that were asked for.
        """
        return None

    def begin(self, total: int, position: int = 0) -> None:
        """Forgets the fakes and awaits others.

        Args:
            total: how many will come, over all processes.
            position: place among them of the first that comes to this process.
        """
        self.reset()
        self.total, self.position = total, position

    def reset(self) -> None:
        """Forgets the fakes and keeps the reals."""
        reals = {role: self.real_state(role, self.device) for role in self.held}
        super().reset()
        for role, state in reals.items():
            self.load_real_state(role, state)

    def real_state(self, role: Role, device: torch.device | str = "cpu") -> dict[str, State]:
        """What is known of the real images of a role."""
        return {
            name: _moved(getattr(self, f"{role.value}_{name}"), device) for name in self.held[role]
        }

    def load_real_state(self, role: Role, state: dict[str, State], owner: bool = True) -> None:
        """Replaces what is known of the real images of a role.

        Args:
            role: which.
            state: from `real_state`.
            owner: whether this process brings the reals into the synchronised state; exactly one
                does, the others hold zeros.
        """
        for name in self.held[role]:
            key, value = f"{role.value}_{name}", _moved(state[name], self.device)
            if isinstance(self._defaults[key], list) and isinstance(value, Tensor):
                value = [value]  # several processes' lists, joined
            setattr(self, key, value if owner else self.blank(value))

    def blank(self, value: State) -> State:
        """A state that adds nothing to the synchronised one: zeros of a sum, none of a list."""
        return torch.zeros_like(value) if isinstance(value, Tensor) else [v[:0] for v in value]


class HeldFeatures(FeatureMetric):
    """A metric that needs the features themselves, float32, in their order.

    Several such metrics share the tensors, and the file of those of the reals.
    """

    held: ClassVar[Mapping[Role, tuple[str, ...]]] = {Role.REAL: ("pool", "labels")}

    def __init__(self) -> None:
        super().__init__()
        for role in (Role.FAKE, *self.held):
            self.add_state(f"{role.value}_pool", [], dist_reduce_fx="cat")
            self.add_state(f"{role.value}_labels", [], dist_reduce_fx="cat")

    def update(self, features: Features, role: Role) -> None:
        """Adds pooled features (B, F) and labels (B,)."""
        if role is Role.FAKE or role in self.held:
            getattr(self, f"{role.value}_pool").append(features.pool)
            getattr(self, f"{role.value}_labels").append(features.labels)

    @property
    def protocol(self) -> str:
        """The features alone."""
        return "features"

    def pool(self, role: Role) -> Tensor:
        """Pooled features (N, F) of all images of a role, over all processes."""
        return dim_zero_cat(getattr(self, f"{role.value}_pool"))

    def labels(self, role: Role) -> Tensor:
        """Labels (N,) of all images of a role, -1 without."""
        return dim_zero_cat(getattr(self, f"{role.value}_labels"))


def _moved(value: State, device: torch.device | str) -> State:
    """The value apart from the metric's own list, on `device`."""
    if isinstance(value, Tensor):
        return value.detach().to(device)
    return [item.detach().to(device) for item in value]
