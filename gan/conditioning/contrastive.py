"""Contrastive conditioning: a contrastive loss over the images of a batch of all devices."""

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from gan import processes
from gan.conditioning.auxiliary import ClassHead
from gan.conditioning.base import Head, Labelled
from gan.layers.precision import at_least_float32


def conditional_contrastive_loss(
    e: Tensor, proxy: Tensor, y: Tensor, temperature: float, positives: bool = True
) -> Tensor:
    """Return the conditional contrastive loss, 2C (Kang & Park, 2020, eq. 8), a scalar.

    -log((exp(e_i.p_i / t) + sum over j of i's class exp(e_i.e_j / t)) / (exp(e_i.p_i / t) + sum
    over all j exp(e_i.e_j / t))), with j other than i, averaged over i. It attracts each embedding
    to the proxy of its class and to embeddings of the same class, and repels it from the others.

    Without positives, as in the authors' code with ``pos_collected_numerator`` off, the numerator
    is exp(e_i.p_i / t) alone: embeddings are attracted to the proxy of their class, and repelled
    from all others, those of the same class too.

    Args:
        e: image embeddings of unit length, (B, d).
        proxy: class proxy of each image, of unit length, (B, d).
        y: labels (B,).
        temperature: t.
        positives: images of the same class are attracted, as in the paper.
    """
    to_proxy = (e * proxy).sum(1, keepdim=True) / temperature
    diagonal = torch.eye(len(e), dtype=torch.bool, device=e.device)
    to_others = (e @ e.T / temperature).masked_fill(diagonal, -torch.inf)
    total = torch.cat([to_proxy, to_others], 1).logsumexp(1)
    if not positives:
        return (total - to_proxy.squeeze(1)).mean()
    to_positives = to_others.masked_fill(y[:, None] != y, -torch.inf)
    return (total - torch.cat([to_proxy, to_positives], 1).logsumexp(1)).mean()


def data_to_data_cross_entropy(
    e: Tensor, proxy: Tensor, y: Tensor, temperature: float, margin: float, shifted: bool = False
) -> Tensor:
    """Return the data-to-data cross-entropy, D2D-CE (Kang et al., 2021, eq. 6), a scalar.

    -log(exp(n_i) / (exp(n_i) + sum over j of other classes exp(f_ij))), averaged over i, with n_i =
    min(e_i.p_i - m_p, 0) / tau and f_ij = max(e_i.e_j - m_n, 0) / tau. It attracts each embedding
    to its class proxy up to a similarity of m_p, and repels it from embeddings of other classes
    down to a similarity of m_n.

    The authors' code subtracts from each f_ij the largest of image i, max over j of (e_i.e_j - m_n)
    / tau, as a constant and whatever the class of j. As n_i stays, negatives weigh less the more
    alike the most similar image is.

    Args:
        e: image embeddings of unit length, (B, d).
        proxy: class proxy of each image, of unit length, (B, d).
        y: labels (B,).
        temperature: tau.
        margin: m_p, the similarity above which positives are ignored; m_n = 1 - m_p.
        shifted: as in the authors' code; otherwise the paper's equation.
    """
    positive = ((e * proxy).sum(1, keepdim=True) - margin).clamp(max=0) / temperature
    pairs = (e @ e.T - (1 - margin)) / temperature
    repelled = pairs.clamp(min=0)
    if shifted:
        others = pairs.detach().clone().fill_diagonal_(-torch.inf)
        repelled = repelled - others.amax(1, keepdim=True)
    negatives = repelled.masked_fill(y[:, None] == y, -torch.inf)
    return (torch.cat([positive, negatives], 1).logsumexp(1) - positive.squeeze(1)).mean()


class ContrastiveHead(ClassHead):
    """The 2C loss on a linear embedding of the features, with a learned proxy per class.

    Images are compared within the batch of all devices; every device has as many.
    The proxies are orthogonal at initialisation, as in the authors' code.

    Args:
        features: size of the features h.
        num_classes: number of classes.
        dim: d, dimension of the embedding.
        temperature: t of the loss.
        positives: as in :func:`conditional_contrastive_loss`.
    """

    def __init__(
        self,
        features: int,
        num_classes: int,
        dim: int,
        temperature: float,
        positives: bool = True,
    ) -> None:
        super().__init__(features)
        self.embed = nn.Linear(features, dim)
        self.proxy = nn.Embedding(num_classes, dim)
        nn.init.orthogonal_(self.proxy.weight)
        self.temperature, self.positives = temperature, positives

    def classify(self, h: Tensor) -> Tensor:
        """Return the similarity of the embedding to each proxy over t, (B, num_classes).

        The proxy that is nearest in angle has the largest.
        """
        proxies = normalize(at_least_float32(self.proxy.weight))
        return self.class_outputs(h) @ proxies.T / self.temperature

    def class_outputs(self, h: Tensor) -> Tensor:
        """Return the embeddings, (B, d), of unit length."""
        return normalize(at_least_float32(self.embed(h)))

    def class_loss(self, h: Tensor, y: Tensor) -> Tensor:
        """Return the contrastive loss of embeddings and proxies, both normalised to unit length."""
        proxy = normalize(at_least_float32(self.proxy(y)))
        e, proxy = processes.gather(self.class_outputs(h)), processes.gather(proxy)
        return self.contrastive_loss(e, proxy, processes.concatenate(y))

    def contrastive_loss(self, e: Tensor, proxy: Tensor, y: Tensor) -> Tensor:
        """Return :func:`conditional_contrastive_loss`."""
        return conditional_contrastive_loss(e, proxy, y, self.temperature, self.positives)


class DataToDataHead(ContrastiveHead):
    """A head with the D2D-CE loss instead of 2C.

    Args:
        features: size of the features h.
        num_classes: number of classes.
        dim: d, dimension of the embedding.
        temperature: tau.
        margin: m_p.
        shifted: as in :func:`data_to_data_cross_entropy`.
    """

    def __init__(
        self,
        features: int,
        num_classes: int,
        dim: int,
        temperature: float,
        margin: float,
        shifted: bool,
    ) -> None:
        super().__init__(features, num_classes, dim, temperature)
        self.margin, self.shifted = margin, shifted

    def contrastive_loss(self, e: Tensor, proxy: Tensor, y: Tensor) -> Tensor:
        """Return :func:`data_to_data_cross_entropy`."""
        settings = self.temperature, self.margin, self.shifted
        return data_to_data_cross_entropy(e, proxy, y, *settings)


class _ContrastiveConditioning(Labelled):
    """A label embedding concatenated to z in G, a contrastive loss in D."""

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
        """Return the head with the contrastive loss."""


class Contrastive(_ContrastiveConditioning):
    """Conditional contrastive learning (Kang & Park, 2020, ContraGAN).

    Args:
        num_classes: number of classes, at least 1.
        embedding_dim: dimension of the generator's label embedding.
        dim: dimension of D's image embedding.
        temperature: t of the loss.
        positives: D and G attract the images of a class to each other too, as in the paper;
            otherwise to the proxy of the class alone, which the authors advise where labels draw
            the images of other classes.
    """

    name = "contrastive"

    def __init__(
        self,
        num_classes: int,
        embedding_dim: int = 64,
        dim: int = 512,
        temperature: float = 1.0,
        positives: bool = True,
    ) -> None:
        super().__init__(num_classes, embedding_dim, dim, temperature)
        self.positives = positives

    def head(self, features: int) -> Head:
        """Return a head with the 2C loss."""
        settings = self.dim, self.temperature, self.positives
        return ContrastiveHead(features, self.num_classes, *settings)


class DataToData(_ContrastiveConditioning):
    """Data-to-data cross-entropy (Kang et al., 2021, ReACGAN).

    Args:
        num_classes: number of classes, at least 1.
        embedding_dim: dimension of the generator's label embedding.
        dim: dimension of D's image embedding.
        temperature: tau.
        margin: m_p, in [0, 1].
        shifted: subtract each image's largest similarity from its negatives, as in the authors'
            code; otherwise the paper's equation.
    """

    name = "data_to_data"

    def __init__(
        self,
        num_classes: int,
        embedding_dim: int = 64,
        dim: int = 512,
        temperature: float = 0.5,
        margin: float = 0.98,
        shifted: bool = False,
    ) -> None:
        super().__init__(num_classes, embedding_dim, dim, temperature)
        if not 0 <= margin <= 1:
            raise ValueError(f"conditioning={self.name}: margin={margin} must lie in [0, 1]")
        self.margin, self.shifted = margin, shifted

    def head(self, features: int) -> Head:
        """Return a head with the D2D-CE loss."""
        settings = self.temperature, self.margin, self.shifted
        return DataToDataHead(features, self.num_classes, self.dim, *settings)
