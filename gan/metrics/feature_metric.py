"""The interface of metrics that read the features of real and generated images."""

from abc import abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

import torch
import torchmetrics
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from gan.backbones.base import Backbone, Features
from gan.backbones.dataset import ImageDataset
from gan.metrics.base import Metric
from gan.metrics.outputs import Outputs

State = Tensor | list[Tensor]


class Role(Enum):
    """The kind of images in a batch."""

    FAKE = "fake"  # generated
    REAL = "real"  # of the split that fakes are compared with
    UNSEEN = "unseen"  # of the other split


class FeatureMetric(Metric, torchmetrics.Metric):
    """A torchmetrics metric that reads features instead of images.

    One pass of features serves all metrics. A new metric is one subclass: it adds its states with
    `add_state` (with `dist_reduce_fx`, for several processes), names those that describe real
    images in `real_states`, and writes `update` and `compute`. The states of real images survive
    `reset` and are cached on disk between runs; one of several processes holds them.

    Attributes:
        ranking: names of the values by which models are ranked; the other values are details.
        real_states: names of the states of each role of real images that the metric reads; the
            state "sum" of the role REAL is the attribute `real_sum`.
        needs: what is compared with the images besides features: "target", "cycle".
        total: number of fakes of the current measurement, over all processes.
        position: index of the next fake among them.
    """

    ranking: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[frozenset[str]] = frozenset()
    real_states: ClassVar[Mapping[Role, tuple[str, ...]]] = {}
    full_state_update = False
    is_differentiable = False

    def __init__(self) -> None:
        super().__init__()
        self.total, self.position = 0, 0

    @abstractmethod
    def update(self, features: Features, role: Role) -> None:
        """Add a batch of features."""

    def compare(self, outputs: Outputs, features: Features, backbone: Backbone) -> None:
        """Add a comparison of images with their targets or cycles, image by image."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return each value under its name, such as {"fid": 12.3}."""

    @property
    def cache_key(self) -> str:
        """Return the name of the states of real images in the cache; equal names share a file."""
        return type(self).__name__

    def incompatibility(
        self, backbone: Backbone, dataset: ImageDataset, labelled: bool
    ) -> str | None:
        """Return why the metric cannot be computed, or None.

        Args:
            backbone: that gives the features.
            dataset: of the real images.
            labelled: whether the fakes have the labels that they were conditioned on.
        """
        return None

    def begin(self, total: int, position: int = 0) -> None:
        """Reset the states of the fakes before a new measurement.

        Args:
            total: number of fakes to come, over all processes.
            position: index among them of the first fake of this process.
        """
        self.reset()
        self.total, self.position = total, position

    def reset(self) -> None:
        """Reset the states of the fakes; those of real images are kept."""
        states = {role: self.real_state(role, self.device) for role in self.real_states}
        super().reset()
        for role, state in states.items():
            self.load_real_state(role, state)

    def real_state(self, role: Role, device: torch.device | str = "cpu") -> dict[str, State]:
        """Return the states of the real images of a role by name, copied to `device`."""
        return {
            name: _to(getattr(self, f"{role.value}_{name}"), device)
            for name in self.real_states[role]
        }

    def load_real_state(self, role: Role, state: dict[str, State], owner: bool = True) -> None:
        """Replace the states of the real images of a role.

        Args:
            role: of the images.
            state: from `real_state`.
            owner: whether this process holds the states; exactly one does. The others hold empty
                ones, so that a sum over processes counts the real images once.
        """
        for name in self.real_states[role]:
            key, value = f"{role.value}_{name}", _to(state[name], self.device)
            if isinstance(self._defaults[key], list) and isinstance(value, Tensor):
                value = [value]  # concatenated by the synchronisation of processes
            setattr(self, key, value if owner else _empty(value))


class FeatureSetMetric(FeatureMetric):
    """A metric that needs all features, float32, in their order.

    Metrics of this kind share the tensors and the cache file of the real images.
    """

    real_states: ClassVar[Mapping[Role, tuple[str, ...]]] = {Role.REAL: ("pool", "labels")}

    def __init__(self) -> None:
        super().__init__()
        for role in (Role.FAKE, *self.real_states):
            self.add_state(f"{role.value}_pool", [], dist_reduce_fx="cat")
            self.add_state(f"{role.value}_labels", [], dist_reduce_fx="cat")

    def update(self, features: Features, role: Role) -> None:
        """Add pooled features (B, F) and labels (B,)."""
        if role is Role.FAKE or role in self.real_states:
            getattr(self, f"{role.value}_pool").append(features.pool)
            getattr(self, f"{role.value}_labels").append(features.labels)

    @property
    def cache_key(self) -> str:
        """Return the name of the features in the cache."""
        return "features"

    def pool(self, role: Role) -> Tensor:
        """Return the pooled features (N, F) of all images of a role, over all processes."""
        return dim_zero_cat(getattr(self, f"{role.value}_pool"))

    def labels(self, role: Role) -> Tensor:
        """Return the labels (N,) of all images of a role, -1 for none."""
        return dim_zero_cat(getattr(self, f"{role.value}_labels"))


def _to(value: State, device: torch.device | str) -> State:
    """Return a detached state on `device`; a list is copied."""
    if isinstance(value, Tensor):
        return value.detach().to(device)
    return [item.detach().to(device) for item in value]


def _empty(value: State) -> State:
    """Return a state that adds nothing to those of other processes: zeros, or empty tensors."""
    return torch.zeros_like(value) if isinstance(value, Tensor) else [v[:0] for v in value]
