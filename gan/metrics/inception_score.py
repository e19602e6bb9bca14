"""The inception score of a set of generated images."""

import numpy as np
import torch
from torch import Tensor

from gan.backbones.base import Backbone, Features
from gan.backbones.dataset import ImageDataset
from gan.metrics.feature_metric import FeatureMetric, Role

ORDER_SEED = 2020  # torch-fidelity's


class InceptionScore(FeatureMetric):
    """Exponential of the mean KL(p(y|x) || p(y)), keys "is" and "is_std"; reads fakes only.

    Mean and population standard deviation over equal parts of the shuffled set (Salimans et al.,
    2016); order and parts are those of torch-fidelity. Holds only sums over the parts, in float64.

    Args:
        splits: number of parts; with fewer images, one part per image.
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
            # zero-dimensional before the first batch
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def stamp(self) -> dict[str, str | int | float]:
        """Return the number of parts."""
        return {"is_splits": self.splits}

    def incompatibility(
        self, backbone: Backbone, dataset: ImageDataset, labelled: bool
    ) -> str | None:
        """Require class scores."""
        return None if backbone.has_logits else f"{backbone.name} has no class scores"

    def begin(self, total: int, position: int = 0) -> None:
        """Reset the states, and assign each fake to come to a part."""
        super().begin(total, position)
        parts = min(self.splits, total)
        bounds = [i * total // parts for i in range(parts + 1)]
        order = np.random.RandomState(ORDER_SEED).permutation(total)
        part = np.empty(total, dtype=np.int64)
        part[order] = np.repeat(np.arange(parts), np.diff(bounds))
        self._part = torch.from_numpy(part)
        self._parts = parts

    def update(self, features: Features, role: Role) -> None:
        """Add logits (B, K) of generated images; real images are ignored."""
        if role is not Role.FAKE:
            return
        log_p = features.logits.double().log_softmax(1)
        p = log_p.exp()
        rows = slice(self.position, self.position + len(p))
        self.position += len(p)
        members = torch.nn.functional.one_hot(self._part[rows], self._parts).T.to(p)
        self.sum_p = self.sum_p + members @ p
        self.sum_p_log_p = self.sum_p_log_p + members @ (p * log_p).sum(1)
        self.count = self.count + members.sum(1)

    def compute(self) -> dict[str, float]:
        """Return mean, in [1, K], and standard deviation over the parts."""
        marginal = self.sum_p / self.count[:, None]
        entropy = torch.special.entr(marginal).sum(1)
        scores = (self.sum_p_log_p / self.count + entropy).exp()
        return {"is": float(scores.mean()), "is_std": float(scores.std(correction=0))}
