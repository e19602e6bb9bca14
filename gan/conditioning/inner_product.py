"""Conditioning in which the logit is an inner product of features and label."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gan.conditioning.base import EmbeddedEntry, Entry, Head, Labelled
from gan.errors import InputError
from gan.layers.equalised import EqualisedLinear
from gan.layers.mapping import Mapping, normalise_second_moment


class InnerProductHead(Head):
    """The logit <A h, e(y)> (Huang et al., 2024).

    Args:
        features: size of h and of A h.
        num_classes: number of classes.
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__(features, features)
        self.embedding = nn.Embedding(num_classes, features)
        nn.init.normal_(self.embedding.weight, std=1 / math.sqrt(features * num_classes))

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return logits, (B,), of features h, (B, F), and labels y, (B,)."""
        if y is None:
            raise ValueError("a conditional discriminator needs labels: pass y, (B,) of int64")
        logits: Tensor = (self.linear(h) * self.embedding(y)).sum(1)
        return logits


class InnerProduct(Labelled):
    """A label embedding concatenated to z in G, an inner product in D (Huang et al., 2024).

    Args:
        num_classes: number of classes, at least 1.
        embedding_dim: dimension of the generator's label embedding.
    """

    name = "inner_product"

    def entry(self, latent_dim: int) -> Entry:
        """Return the layer that concatenates z and the label embedding.

        It starts as a linear layer of the one-hot label: std 1 / sqrt(num_classes).
        """
        std = self.num_classes**-0.5
        return EmbeddedEntry(latent_dim, self.num_classes, self.embedding_dim, std)

    def head(self, features: int) -> Head:
        """Return a head with an inner product."""
        return InnerProductHead(features, self.num_classes)


class NormalisedEntry(Entry):
    """The input layer that concatenates z and a linear map of the label (Karras et al., 2020b).

    Each of the two is scaled to a mean square of 1.

    Args:
        latent_dim: dimension of z.
        num_classes: number of classes.
        embedding_dim: dimension of the mapped label.
    """

    def __init__(self, latent_dim: int, num_classes: int, embedding_dim: int) -> None:
        super().__init__(latent_dim + embedding_dim)
        self.num_classes = num_classes
        self.linear = EqualisedLinear(num_classes, embedding_dim)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return (B, width) from z, (B, latent_dim), and labels y, (B,)."""
        if y is None:
            raise ValueError("a conditional generator needs labels: pass y, (B,) of int64")
        label = self.linear(one_hot(y, self.num_classes).to(z.dtype))
        return torch.cat([normalise_second_moment(z), normalise_second_moment(label)], dim=1)


class MappingHead(Head):
    """The logit <A h, m(y)> / sqrt(F) with a mapping network m (Karras et al., 2020b).

    Args:
        features: F, size of the features h.
        num_classes: number of classes.
        depth: layers of m.
    """

    def __init__(self, features: int, num_classes: int, depth: int) -> None:
        super().__init__(features, features)
        self.num_classes = num_classes
        self.embedding = EqualisedLinear(num_classes, features)
        self.mapping = Mapping(features, features, depth)

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return logits, (B,), of features h, (B, F), and labels y, (B,)."""
        if y is None:
            raise ValueError("a conditional discriminator needs labels: pass y, (B,) of int64")
        label = self.mapping(self.embedding(one_hot(y, self.num_classes).to(h.dtype)))
        logits: Tensor = (self.linear(h) * label).sum(1) / math.sqrt(self.width)
        return logits


class Mapped(Labelled):
    """A linear map of the label concatenated to z in G, a mapping network of the label in D.

    Karras et al., 2020b.

    Args:
        num_classes: number of classes, at least 1.
        embedding_dim: dimension of the mapped label in G, at least 1.
        depth: layers of D's mapping network; 0 is a linear map of the label.

    Raises:
        InputError: if a number is out of range.
    """

    name = "mapped"

    def __init__(self, num_classes: int, embedding_dim: int = 512, depth: int = 8) -> None:
        super().__init__(num_classes, embedding_dim)
        if depth < 0:
            raise InputError(f"conditioning.depth={depth}: give a number from 0")
        self.depth = depth

    def entry(self, latent_dim: int) -> Entry:
        """Return the layer that concatenates normalised z and label."""
        return NormalisedEntry(latent_dim, self.num_classes, self.embedding_dim)

    def head(self, features: int) -> Head:
        """Return a head with an inner product of features and mapped label."""
        return MappingHead(features, self.num_classes, self.depth)
