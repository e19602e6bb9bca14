"""The inception score of a set of generated images."""

import numpy as np
import torch
from torch import Tensor

from gan.backbones.base import Backbone, Features
from gan.backbones.source import RealSource
from gan.metrics.feature_metric import FeatureMetric, Role

ORDER_SEED = 2020  # torch-fidelity's


class InceptionScore(FeatureMetric):
    """Exponential of the mean KL(p(y|x) || p(y)), keys "is" and "is_std"; reads fakes only.

    Mean and population standard deviation over equal parts of the shuffled set (Salimans et al.,
    2016), shuffled and cut as torch-fidelity does. Only sums over the parts are held, in float64.

    Args:
        splits: number of parts; at most as many as images are taken.
    """

    ranking = ("is",)
    higher_is_better = True

    sum_p: Tensor
    sum_p_log_p: Tensor
    count: Tensor

    def __init__(self, splits: int = 10) -> None:
        super().__init__()
        self.splits = splits
        for name in ("sum_p", "sum_p_log_p", "count"):
            # scalar until the first batch
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def stamp(self) -> dict[str, str | int | float]:
        """The number of parts."""
        return {"is_splits": self.splits}

    def refusal(self, backbone: Backbone, source: RealSource, labelled: bool) -> str | None:
        """It needs class scores."""
        return None if backbone.classifies else f"{backbone.name} has no class scores"

    def begin(self, total: int, position: int = 0) -> None:
        """Forgets the fakes and deals the next out to the parts."""
        super().begin(total, position)
        parts = min(self.splits, total)
        bounds = [i * total // parts for i in range(parts + 1)]
        order = np.random.RandomState(ORDER_SEED).permutation(total)
        dealt = np.empty(total, dtype=np.int64)
        dealt[order] = np.repeat(np.arange(parts), np.diff(bounds))
        self._part = torch.from_numpy(dealt)
        self._parts = parts

    def update(self, features: Features, role: Role) -> None:
        """Adds logits (B, K) of generated images; those of reals are passed over."""
        if role is not Role.FAKE:
            return
        log_p = features.logits.double().log_softmax(1)
        p = log_p.exp()
        place = slice(self.position, self.position + len(p))
        self.position += len(p)
        members = torch.nn.functional.one_hot(self._part[place], self._parts).T.to(p)
        self.sum_p = self.sum_p + members @ p
        self.sum_p_log_p = self.sum_p_log_p + members @ (p * log_p).sum(1)
        self.count = self.count + members.sum(1)

    def compute(self) -> dict[str, float]:
        """Mean, in [1, K], and deviation over the parts of all fakes."""
        marginal = self.sum_p / self.count[:, None]
        entropy = torch.special.entr(marginal).sum(1)
        scores = (self.sum_p_log_p / self.count + entropy).exp()
        return {"is": float(scores.mean()), "is_std": float(scores.std(correction=0))}
