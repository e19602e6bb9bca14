"""Conditioning: how a label enters the two players."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan.layers.conditional_norm import UnconditionalBatchNorm


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
    """One logit an image from its features.

    Args:
        features: numbers in h.
        outputs: numbers that the linear map returns.

    Attributes:
        width: numbers in h.
        logits: an image is given.
    """

    logits: int = 1

    def __init__(self, features: int, outputs: int = 1) -> None:
        super().__init__()
        self.width = features
        self.linear = nn.Linear(features, outputs)

    def replace_linear(self, build: Callable[[int, int], nn.Module]) -> None:
        """Take another linear map, such as one of equalised weights, from inputs and outputs."""
        self.add_module("linear", build(self.linear.in_features, self.linear.out_features))

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return logits (B,) from features (B, F) and labels (B,), unused here."""
        logits: Tensor = self.linear(h)
        return logits.squeeze(1)


class Conditioning(ABC):
    """The parts through which a label enters: an entry to G, its normalisation, a head on D.

    Attributes:
        num_classes: labels known; 0 is unconditional.
        in_norm: the generator learns the label from its normalisation alone.
    """

    num_classes: int
    conditional_norm: bool = False

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
        return UnconditionalBatchNorm(channels)


class Unconditional(Conditioning):
    """Labels are ignored."""

    num_classes = 0

    def entry(self, latent_dim: int) -> Entry:
        """Return the identity on z."""
        return Entry(latent_dim)

    def head(self, features: int) -> Head:
        """Return a linear head."""
        return Head(features)


class Labelled(Conditioning):
    """Label embedding beside z in G; what D does with it is up to the kind.

    Args:
        num_classes: labels known, at least 1.
        embedding_dim: numbers in the generator's label embedding.

    Raises:
        ValueError: if there are no labels.
    """

    name: str

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
