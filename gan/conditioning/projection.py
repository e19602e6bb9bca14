"""Projection: features and label meet in an inner product (Miyato & Koyama, 2018)."""

from torch import Tensor, nn

from gan.conditioning.base import Entry, Head, Labelled
from gan.layers.conditional_norm import ClassConditionalBatchNorm


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


class Projection(Labelled):
    """Label embedding beside z in G, projection in D (Miyato & Koyama, 2018).

    The paper's generator uses conditional batch normalisation; this one concatenates, so that
    every generator can be conditioned.

    Args:
        num_classes: labels known, at least 1.
        embedding_dim: numbers in the generator's label embedding.
    """

    name = "projection"

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
    conditional_norm = True

    def entry(self, latent_dim: int) -> Entry:
        """Return the identity on z."""
        return Entry(latent_dim)

    def norm(self, channels: int) -> nn.Module:
        """Return a normalisation with a gain and a bias for each class."""
        return ClassConditionalBatchNorm(channels, self.num_classes)
