"""Conditioning: how the label enters generator and discriminator."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan.errors import InputError
from gan.layers.conditional_norm import UnconditionalBatchNorm


class Entry(nn.Module):
    """The input layer of an unconditional generator: z itself.

    Attributes:
        width: size of the output for each latent.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.width = latent_dim

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return z, (B, latent_dim); y is ignored."""
        return z


class EmbeddedEntry(Entry):
    """The input layer that concatenates z and a label embedding (Mirza & Osindero, 2014).

    Args:
        latent_dim: dimension of z.
        num_classes: number of classes.
        embedding_dim: dimension of the label embedding.
        std: standard deviation of the embedding at initialisation.
    """

    def __init__(self, latent_dim: int, num_classes: int, embedding_dim: int, std: float) -> None:
        super().__init__(latent_dim + embedding_dim)
        self.embedding = nn.Embedding(num_classes, embedding_dim)
        nn.init.normal_(self.embedding.weight, std=std)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return (B, width) from z, (B, latent_dim), and labels y, (B,)."""
        if y is None:
            raise ValueError("a conditional generator needs labels: pass y, (B,) of int64")
        return torch.cat([z, self.embedding(y)], dim=1)


class Head(nn.Module):
    """The output layer of a discriminator: features to one logit.

    Args:
        features: size of the features h.
        outputs: size of the output of the linear layer.

    Attributes:
        width: size of the features h.
        logits: number of logits per image.
    """

    logits: int = 1

    def __init__(self, features: int, outputs: int = 1) -> None:
        super().__init__()
        self.width = features
        self.linear = nn.Linear(features, outputs)

    def replace_linear(self, build: Callable[[int, int], nn.Module]) -> None:
        """Replace the linear layer by ``build(in_features, out_features)``."""
        self.add_module("linear", build(self.linear.in_features, self.linear.out_features))

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return logits, (B,), of features h, (B, F); y is ignored."""
        logits: Tensor = self.linear(h)
        return logits.squeeze(1)

    def class_outputs(self, h: Tensor) -> Tensor | None:
        """Return what consistency terms compare beside the logit, (B, n), or ``None``."""
        return None


class Conditioning(ABC):
    """The modules through which the label enters: input layer and norm of G, head of D.

    Attributes:
        num_classes: number of classes; 0 is unconditional.
        conditional_norm: whether the label enters G through its normalisation layers only.
    """

    num_classes: int
    conditional_norm: bool = False

    @abstractmethod
    def entry(self, latent_dim: int) -> Entry:
        """Return the input layer of the generator, a module of (z, y)."""

    @abstractmethod
    def head(self, features: int) -> Head:
        """Return the output layer of the discriminator, a module of (h, y) that returns logits."""

    def norm(self, channels: int) -> nn.Module:
        """Return a normalisation layer of (x, y) for G; by default, it ignores the label."""
        return UnconditionalBatchNorm(channels)


class Unconditional(Conditioning):
    """No conditioning: labels are ignored."""

    num_classes = 0

    def entry(self, latent_dim: int) -> Entry:
        """Return the identity on z."""
        return Entry(latent_dim)

    def head(self, features: int) -> Head:
        """Return a linear head."""
        return Head(features)


class Labelled(Conditioning):
    """The base class of conditioning with a label embedding concatenated to z in G.

    Args:
        num_classes: number of classes, at least 1.
        embedding_dim: dimension of the generator's label embedding, at least 1.

    Raises:
        ValueError: if the data have no labels.
        InputError: if the dimension is out of range.
    """

    name: str

    def __init__(self, num_classes: int, embedding_dim: int = 64) -> None:
        if num_classes < 1:
            raise ValueError(
                f"conditioning={self.name} needs labels, but data.num_classes=0: "
                "choose labelled data or conditioning=none"
            )
        if embedding_dim < 1:
            raise InputError(f"conditioning.embedding_dim={embedding_dim}: give a number from 1")
        self.num_classes, self.embedding_dim = num_classes, embedding_dim

    def entry(self, latent_dim: int) -> Entry:
        """Return the layer that concatenates z and the label embedding."""
        # embeddings of length about 1: with longer ones, G ignores z
        std = self.embedding_dim**-0.5
        return EmbeddedEntry(latent_dim, self.num_classes, self.embedding_dim, std)
