"""A discriminator with K classes and the class "fake" (Kavalerov et al., 2021)."""

import torch
from torch import Tensor

from gan.conditioning.base import Head, Labelled


class MarginHead(Head):
    """Scores of K classes and of "fake", as margins (Kavalerov et al., 2021, eqs. 5 and 6).

    The margin of a class is its score minus the largest of the other scores (Crammer & Singer,
    2001).

    Args:
        features: size of the features h.
        num_classes: K.
    """

    logits = 2

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__(features, num_classes + 1)

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the margins of the label and of "fake", (B, 2), from h, (B, F), and y, (B,)."""
        if y is None:
            raise ValueError("a conditional discriminator needs labels: pass y, (B,) of int64")
        scores: Tensor = self.linear(h)
        fake = torch.full_like(y, scores.shape[1] - 1)
        margins = [self._margin(scores, target) for target in (y, fake)]
        return torch.stack(margins, dim=1)

    @staticmethod
    def _margin(scores: Tensor, target: Tensor) -> Tensor:
        """Return the margins (B,) of scores (B, K + 1) for target classes (B,)."""
        index = target[:, None]
        others = scores.scatter(1, index, -torch.inf)
        return scores.gather(1, index).squeeze(1) - others.amax(1)


class MultiHinge(Labelled):
    """A label embedding concatenated to z in G, a classifier of classes and "fake" in D.

    Kavalerov et al., 2021.

    Args:
        num_classes: number of classes, at least 1.
        embedding_dim: dimension of the generator's label embedding.
    """

    name = "multi_hinge"

    def head(self, features: int) -> Head:
        """Return a head with two margins per image."""
        return MarginHead(features, self.num_classes)
