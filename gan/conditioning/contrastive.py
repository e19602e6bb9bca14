"""Contrasts: classes learned from how alike the images of a batch are.

Images are compared within the batch of a device.
"""

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from gan.conditioning.auxiliary import ClassHead
from gan.conditioning.base import Head, Labelled
from gan.layers.precision import at_least_float32


def conditional_contrastive_loss(e: Tensor, proxy: Tensor, y: Tensor, temperature: float) -> Tensor:
    """Return the 2C loss (Kang & Park, 2020, eq. 8), a scalar.

    -log((exp(e_i.p_i / t) + sum over j of i's class exp(e_i.e_j / t)) / (exp(e_i.p_i / t) + sum
    over all j exp(e_i.e_j / t))), with j other than i, averaged over i: each image is drawn to its
    class's proxy and to images of its class, against all others.

    Args:
        e: embeddings of unit length (B, d).
        proxy: that of each image's class, of unit length (B, d).
        y: labels (B,).
        temperature: t.
    """
    own = (e * proxy).sum(1, keepdim=True) / temperature
    itself = torch.eye(len(e), dtype=torch.bool, device=e.device)
    others = (e @ e.T / temperature).masked_fill(itself, -torch.inf)
    positives = others.masked_fill(y[:, None] != y, -torch.inf)
    every = torch.cat([own, others], 1).logsumexp(1)
    return (every - torch.cat([own, positives], 1).logsumexp(1)).mean()


def data_to_data_cross_entropy(
    e: Tensor, proxy: Tensor, y: Tensor, temperature: float, margin: float
) -> Tensor:
    """Return the D2D-CE loss (Kang et al., 2021, eq. 6), a scalar.

    -log(exp(n_i) / (exp(n_i) + sum over j of other classes exp(f_ij))), averaged over i, with n_i =
    min(e_i.p_i - m_p, 0) / tau and f_ij = max(e_i.e_j - m_n, 0) / tau: each image is drawn to its
    class's proxy until it is as near as m_p, and driven from images of other classes until they are
    as far as m_n. The authors' code takes the largest similarity off the negatives alone, which
    changes the loss; this is the paper's equation.

    Args:
        e: embeddings of unit length (B, d).
        proxy: that of each image's class, of unit length (B, d).
        y: labels (B,).
        temperature: tau.
        margin: m_p, where easy positives end; easy negatives end at m_n = 1 - m_p.
    """
    near = ((e * proxy).sum(1, keepdim=True) - margin).clamp(max=0) / temperature
    far = (e @ e.T - (1 - margin)).clamp(min=0) / temperature
    negatives = far.masked_fill(y[:, None] == y, -torch.inf)
    return (torch.cat([near, negatives], 1).logsumexp(1) - near.squeeze(1)).mean()


class ContrastiveHead(ClassHead):
    """The 2C loss on a linear embedding of the features, with a learned proxy for each class.

    Args:
        features: numbers in h.
        num_classes: labels known.
        dim: d, numbers in the embedding.
        temperature: of the contrast.
    """

    def __init__(self, features: int, num_classes: int, dim: int, temperature: float) -> None:
        super().__init__(features)
        self.embed = nn.Linear(features, dim)
        self.proxy = nn.Embedding(num_classes, dim)
        self.temperature = temperature

    def class_loss(self, h: Tensor, y: Tensor) -> Tensor:
        """Return the contrast of embeddings and proxies on the unit sphere."""
        e, proxy = (normalize(at_least_float32(v)) for v in (self.embed(h), self.proxy(y)))
        return self.contrastive_loss(e, proxy, y)

    def contrastive_loss(self, e: Tensor, proxy: Tensor, y: Tensor) -> Tensor:
        """Return :func:`conditional_contrast`."""
        return conditional_contrastive_loss(e, proxy, y, self.temperature)


class DataToDataHead(ContrastiveHead):
    """The D2D-CE loss in place of 2C.

    Args:
        features: numbers in h.
        num_classes: labels known.
        dim: d, numbers in the embedding.
        temperature: tau.
        margin: m_p.
    """

    def __init__(
        self, features: int, num_classes: int, dim: int, temperature: float, margin: float
    ) -> None:
        super().__init__(features, num_classes, dim, temperature)
        self.margin = margin

    def contrastive_loss(self, e: Tensor, proxy: Tensor, y: Tensor) -> Tensor:
        """Return :func:`data_to_data`."""
        return data_to_data_cross_entropy(e, proxy, y, self.temperature, self.margin)


class _ContrastiveConditioning(Labelled):
    """Label embedding beside z in G, an embedding on the unit sphere beside D's logit."""

    def __init__(self, num_classes: int, embedding_dim: int, dim: int, temperature: float) -> None:
        super().__init__(num_classes, embedding_dim)
        if dim < 1 or temperature <= 0:
            raise ValueError(
                f"conditioning={self.name}: dim={dim} and temperature={temperature} must be "
                "positive"
            )
        self.dim, self.temperature = dim, temperature

    @abstractmethod
    def head(self, features: int) -> Head:
        """Return the head that holds the contrast."""


class Contrastive(_ContrastiveConditioning):
    """Labels by conditional contrastive learning (Kang & Park, 2020, ContraGAN).

    Args:
        num_classes: labels known, at least 1.
        embedding_dim: numbers in the generator's label embedding.
        dim: numbers in D's embedding of an image.
        temperature: of the contrast.
    """

    name = "contrastive"

    def __init__(
        self,
        num_classes: int,
        embedding_dim: int = 64,
        dim: int = 512,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(num_classes, embedding_dim, dim, temperature)

    def head(self, features: int) -> Head:
        """Return a head with the 2C loss."""
        return ContrastiveHead(features, self.num_classes, self.dim, self.temperature)


class DataToData(_ContrastiveConditioning):
    """Labels by data-to-data cross-entropy (Kang et al., 2021, ReACGAN).

    Args:
        num_classes: labels known, at least 1.
        embedding_dim: numbers in the generator's label embedding.
        dim: numbers in D's embedding of an image.
        temperature: tau.
        margin: m_p, in [0, 1].
    """

    name = "data_to_data"

    def __init__(
        self,
        num_classes: int,
        embedding_dim: int = 64,
        dim: int = 512,
        temperature: float = 0.5,
        margin: float = 0.98,
    ) -> None:
        super().__init__(num_classes, embedding_dim, dim, temperature)
        if not 0 <= margin <= 1:
            raise ValueError(f"conditioning={self.name}: margin={margin} must lie in [0, 1]")
        self.margin = margin

    def head(self, features: int) -> Head:
        """Return a head with the D2D-CE loss."""
        return DataToDataHead(features, self.num_classes, self.dim, self.temperature, self.margin)
