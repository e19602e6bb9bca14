"""One classifier over the classes and "fake" (Kavalerov et al., 2021)."""

import torch
from torch import Tensor

from gan.conditioning.base import Head, Labelled


class MarginHead(Head):
    """Scores of K classes and of "fake", as margins (Kavalerov et al., 2021, eqs. 5 and 6).

    The margin of a class is its score less the largest of the others (Crammer & Singer, 2001).

    Args:
        features: numbers in h.
        num_classes: K.
    """

    logits = 2

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__(features, num_classes + 1)

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the margins of the label and of "fake", (B, 2), from features and labels."""
        if y is None:
            raise ValueError("a conditional discriminator needs labels: pass y, (B,) of int64")
        scores: Tensor = self.linear(h)
        fake = torch.full_like(y, scores.shape[1] - 1)
        margins = [self._margin(scores, target) for target in (y, fake)]
        return torch.stack(margins, dim=1)

    @staticmethod
    def _margin(scores: Tensor, target: Tensor) -> Tensor:
        """Return (B,) of scores (B, K + 1) and targets (B,)."""
        index = target[:, None]
        others = scores.scatter(1, index, -torch.inf)
        return scores.gather(1, index).squeeze(1) - others.amax(1)


class MultiHinge(Labelled):
    """Label embedding beside z in G; D tells the classes and "fake" apart (Kavalerov et al., 2021).

    Args:
        num_classes: labels known, at least 1.
        embedding_dim: numbers in the generator's label embedding.
    """

    name = "multi_hinge"

    def head(self, features: int) -> Head:
        """Return a head of two margins an image."""
        return MarginHead(features, self.num_classes)
