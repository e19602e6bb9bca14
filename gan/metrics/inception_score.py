"""The inception score of a set of generated images."""

import math

import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from gan.metrics.backbone import Features
from gan.metrics.feature_metric import FeatureMetric


def inception_score(logits: Tensor, splits: int = 10) -> tuple[float, float]:
    """Exponential of the mean KL(p(y|x) || p(y)) (Salimans et al., 2016), over splits.

    Splits are sequential, without shuffling: generated images are independent draws already.

    Args:
        logits: class scores (N, K).
        splits: equal parts of the set; at most N are taken.

    Returns:
        Mean, in [1, K], and population standard deviation.
    """
    log_p = logits.double().log_softmax(1)
    scores = []
    for part in log_p.tensor_split(_bounds(len(log_p), splits)):
        log_q = part.logsumexp(0) - math.log(len(part))
        scores.append((part.exp() * (part - log_q)).sum(1).mean().exp())
    stacked = torch.stack(scores)
    return float(stacked.mean()), float(stacked.std(correction=0))


def _bounds(count: int, splits: int) -> list[int]:
    """Where one split ends and the next begins, rounded down as torch-fidelity does."""
    parts = min(splits, count)
    return [i * count // parts for i in range(1, parts)]


class InceptionScore(FeatureMetric):
    """Inception score on a backbone's logits, keys "is" and "is_std"; reads fakes only.

    Args:
        splits: equal parts of the fakes over which mean and deviation are taken.
    """

    higher_is_better = True
    is_differentiable = False

    logits: list[Tensor]

    def __init__(self, splits: int = 10) -> None:
        super().__init__()
        self.splits = splits
        self.add_state("logits", [], dist_reduce_fx="cat")

    def update(self, features: Features, real: bool) -> None:
        """Adds logits (B, K) of generated images; those of reals are passed over."""
        if not real:
            self.logits.append(features.logits)

    def compute(self) -> dict[str, float]:
        """Mean and deviation over the splits of all fakes."""
        mean, deviation = inception_score(dim_zero_cat(self.logits), self.splits)
        return {"is": mean, "is_std": deviation}
