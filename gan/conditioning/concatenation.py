"""Concatenation: the label's embedding lies beside what each player starts from."""

import torch
from torch import Tensor, nn

from gan.conditioning.base import Head, Labelled


class ConcatenationHead(Head):
    """Features beside the label's embedding, a hidden layer that joins them, one logit.

    Source: Mirza & Osindero, 2014, section 4.1, whose joint layer is maxout; this one is a leaky
    rectifier's.

    Args:
        features: numbers in h.
        num_classes: labels known.
        embedding_dim: numbers in the label's embedding.
        hidden: units of the joint layer.
    """

    def __init__(self, features: int, num_classes: int, embedding_dim: int, hidden: int) -> None:
        super().__init__(hidden)
        self.width = features
        self.embedding = nn.Embedding(num_classes, embedding_dim)
        self.joint = nn.Sequential(nn.Linear(features + embedding_dim, hidden), nn.LeakyReLU(0.2))

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return logits (B,) from features (B, F) and labels (B,)."""
        if y is None:
            raise ValueError("a conditional discriminator needs labels: pass y, (B,) of int64")
        return super().forward(self.joint(torch.cat([h, self.embedding(y).to(h)], dim=1)))


class Concatenation(Labelled):
    """Label embeddings beside z in G and beside the features in D (Mirza & Osindero, 2014).

    Args:
        num_classes: labels known, at least 1.
        embedding_dim: numbers in either player's label embedding.
        hidden: units of D's layer that joins features and label.
    """

    name = "concatenation"

    def __init__(self, num_classes: int, embedding_dim: int = 64, hidden: int = 240) -> None:
        super().__init__(num_classes, embedding_dim)
        self.hidden = hidden

    def head(self, features: int) -> Head:
        """Return a head that joins features and label."""
        return ConcatenationHead(features, self.num_classes, self.embedding_dim, self.hidden)
