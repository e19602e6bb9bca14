"""Concatenation: the label embedding is concatenated to the input of G and the features of D."""

import torch
from torch import Tensor, nn

from gan.conditioning.base import Head, Labelled
from gan.errors import InputError


class ConcatenationHead(Head):
    """Features and label embedding, concatenated, then a hidden layer and one logit.

    Mirza & Osindero, 2014, section 4.1. Deviation: the hidden layer has leaky ReLU, not maxout.

    Args:
        features: size of the features h.
        num_classes: number of classes.
        embedding_dim: dimension of the label embedding.
        hidden: units of the hidden layer.
    """

    def __init__(self, features: int, num_classes: int, embedding_dim: int, hidden: int) -> None:
        super().__init__(hidden)
        self.width = features
        self.embedding = nn.Embedding(num_classes, embedding_dim)
        self.joint = nn.Sequential(nn.Linear(features + embedding_dim, hidden), nn.LeakyReLU(0.2))

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return logits, (B,), of features h, (B, F), and labels y, (B,)."""
        if y is None:
            raise ValueError("a conditional discriminator needs labels: pass y, (B,) of int64")
        return super().forward(self.joint(torch.cat([h, self.embedding(y).to(h)], dim=1)))


class Concatenation(Labelled):
    """Label embeddings concatenated to z in G and to the features in D (Mirza & Osindero, 2014).

    Args:
        num_classes: number of classes, at least 1.
        embedding_dim: dimension of the label embeddings of G and D.
        hidden: units of D's hidden layer after the concatenation, at least 1.

    Raises:
        InputError: if a number is out of range.
    """

    name = "concatenation"

    def __init__(self, num_classes: int, embedding_dim: int = 64, hidden: int = 240) -> None:
        super().__init__(num_classes, embedding_dim)
        if hidden < 1:
            raise InputError(f"conditioning.hidden={hidden}: give a number from 1")
        self.hidden = hidden

    def head(self, features: int) -> Head:
        """Return a head that concatenates features and label embedding."""
        return ConcatenationHead(features, self.num_classes, self.embedding_dim, self.hidden)
