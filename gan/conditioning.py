"""Conditioning: how a label enters the two players."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from gan.layers.conditional_norm import ClassNorm, Norm


class Entry(nn.Module):
    """What the generator starts from, without a label: z itself.

    Attributes:
        width: numbers a sample that :meth:`forward` returns.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.width = latent_dim

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return (B, width) from latents (B, latent_dim) and labels (B,), unused here."""
        return z


class EmbeddedEntry(Entry):
    """z beside a learned embedding of its label (Mirza & Osindero, 2014)."""

    def __init__(self, latent_dim: int, num_classes: int, embedding_dim: int) -> None:
        super().__init__(latent_dim + embedding_dim)
        self.embedding = nn.Embedding(num_classes, embedding_dim)
        # length 1: a longer label drowns z, and each class collapses to one image
        nn.init.normal_(self.embedding.weight, std=embedding_dim**-0.5)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return (B, width) from latents (B, latent_dim) and labels (B,)."""
        if y is None:
            raise ValueError("a conditional generator needs labels: pass y, (B,) of int64")
        return torch.cat([z, self.embedding(y)], dim=1)


class Head(nn.Module):
    """One logit an image from its features."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return logits (B,) from features (B, F) and labels (B,), unused here."""
        logits: Tensor = self.linear(h)
        return logits.squeeze(1)


class ProjectionHead(Head):
    """The inner product of features and label embedding joins the logit.

    Source: Miyato & Koyama, 2018, eq. 3.
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__(features)
        self.embedding = nn.Embedding(num_classes, features)
        nn.init.normal_(self.embedding.weight, std=0.02)  # the label does not drown the image

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return logits (B,) from features (B, F) and labels (B,)."""
        if y is None:
            raise ValueError("a conditional discriminator needs labels: pass y, (B,) of int64")
        projection: Tensor = (self.embedding(y) * h).sum(dim=1)
        return super().forward(h) + projection


class AuxiliaryHead(Head):
    """The logit knows no label; beside it the class is told (Odena et al., 2017).

    Args:
        features: numbers in h.
        num_classes: labels known.
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__(features)
        self.classes = nn.Linear(features, num_classes)

    def classify(self, h: Tensor) -> Tensor:
        """Return logits of the classes (B, num_classes) from features (B, F)."""
        logits: Tensor = self.classes(h)
        return logits


class Conditioning(ABC):
    """The parts through which a label enters: an entry to G, its normalisation, a head on D.

    Attributes:
        num_classes: labels known; 0 is unconditional.
    """

    num_classes: int

    @abstractmethod
    def entry(self, latent_dim: int) -> Entry:
        """Return the module that turns (z, y) into the generator's first features."""

    @abstractmethod
    def head(self, features: int) -> Head:
        """Return the module that turns (h, y) into logits."""

    def norm(self, channels: int) -> nn.Module:
        """Return the normalisation (x, y) -> x of a generator that can tell its layers the label.

        Without more, they are not told.
        """
        return Norm(channels)


class Unconditional(Conditioning):
    """Labels are ignored."""

    num_classes = 0

    def entry(self, latent_dim: int) -> Entry:
        """Return the identity on z."""
        return Entry(latent_dim)

    def head(self, features: int) -> Head:
        """Return a linear head."""
        return Head(features)


class Projection(Conditioning):
    """Label embedding beside z in G, projection in D (Miyato & Koyama, 2018).

    The paper's generator uses conditional batch normalisation; this one concatenates, so that
    every generator can be conditioned.

    Args:
        num_classes: labels known, at least 1.
        embedding_dim: numbers in the generator's label embedding.
    """

    name = "projection"

    def __init__(self, num_classes: int, embedding_dim: int = 64) -> None:
        if num_classes < 1:
            raise ValueError(
                f"conditioning={self.name} needs labels, but data.num_classes=0: "
                "choose labelled data or conditioning=none"
            )
        self.num_classes, self.embedding_dim = num_classes, embedding_dim

    def entry(self, latent_dim: int) -> Entry:
        """Return z beside the label's embedding."""
        return EmbeddedEntry(latent_dim, self.num_classes, self.embedding_dim)

    def head(self, features: int) -> Head:
        """Return a projection head."""
        return ProjectionHead(features, self.num_classes)


class ClassNormProjection(Projection):
    """Conditional batch normalisation in G, projection in D (Miyato & Koyama, 2018).

    For generators whose normalisation can be told: those with residual blocks.

    Args:
        num_classes: labels known, at least 1.
    """

    name = "class_norm"

    def entry(self, latent_dim: int) -> Entry:
        """Return the identity on z."""
        return Entry(latent_dim)

    def norm(self, channels: int) -> nn.Module:
        """Return a normalisation with a gain and a bias for each class."""
        return ClassNorm(channels, self.num_classes)


class Auxiliary(Projection):
    """Label embedding beside z in G, a classifier beside D's logit (Odena et al., 2017).

    Args:
        num_classes: labels known, at least 1.
        embedding_dim: numbers in the generator's label embedding.
    """

    name = "auxiliary"

    def head(self, features: int) -> Head:
        """Return a head that classifies as well."""
        return AuxiliaryHead(features, self.num_classes)
