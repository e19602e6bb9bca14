"""The projection discriminator (Miyato & Koyama, 2018)."""

from torch import Tensor, nn

from gan.conditioning.base import Entry, Head, Labelled
from gan.layers.conditional_norm import ClassConditionalBatchNorm


class ProjectionHead(Head):
    """A logit plus the inner product of features and label embedding.

    Miyato & Koyama, 2018, eq. 3. The embedding starts from N(0, 0.02^2), like DCGAN's weights, such
    that the projection is small against the unconditional logit. Networks with a published start
    (ResNetDiscriminator, BigGANDiscriminator) replace it.

    Args:
        features: size of the features h.
        num_classes: number of classes.
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__(features)
        self.embedding = nn.Embedding(num_classes, features)
        nn.init.normal_(self.embedding.weight, std=0.02)

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return logits, (B,), of features h, (B, F), and labels y, (B,)."""
        if y is None:
            raise ValueError("a conditional discriminator needs labels: pass y, (B,) of int64")
        projection: Tensor = (self.embedding(y) * h).sum(dim=1)
        return super().forward(h) + projection


class Projection(Labelled):
    """A label embedding concatenated to z in G, projection in D (Miyato & Koyama, 2018).

    Deviation: the paper's generator has conditional batch normalisation. Here the label is
    concatenated to z, which works with every generator.

    Args:
        num_classes: number of classes, at least 1.
        embedding_dim: dimension of the generator's label embedding.
    """

    name = "projection"

    def head(self, features: int) -> Head:
        """Return a projection head."""
        return ProjectionHead(features, self.num_classes)


class ClassNormProjection(Projection):
    """Conditional batch normalisation in G, projection in D (Miyato & Koyama, 2018).

    For generators whose normalisation layers take the label: ResNet and SNDCGAN.

    Args:
        num_classes: number of classes, at least 1.
    """

    name = "class_norm"
    conditional_norm = True

    def entry(self, latent_dim: int) -> Entry:
        """Return the identity on z."""
        return Entry(latent_dim)

    def norm(self, channels: int) -> nn.Module:
        """Return class-conditional batch normalisation."""
        return ClassConditionalBatchNorm(channels, self.num_classes)
