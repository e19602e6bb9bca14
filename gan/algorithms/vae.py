"""The variational autoencoder (Kingma and Welling, 2014), with beta (Higgins et al., 2017)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gan.algorithms.compatibility import check_alone, check_beta
from gan.algorithms.encoding import EncodingGame
from gan.algorithms.latent import evaluating
from gan.algorithms.two_player import Terms
from gan.augment.base import Augmentation
from gan.batch import EncodedBatch
from gan.likelihoods.base import Likelihood
from gan.losses.base import AdversarialLoss
from gan.losses.none import NoLoss
from gan.networks.base import Generator
from gan.networks.vae import VariationalEncoder
from gan.regularizers.base import Regularizer


class VAE(EncodingGame):
    """Encoder and decoder minimise -E_q log p(x | z) + beta KL(q(z | x) || p(z)), one player.

    With ``beta`` 1 this is the negative ELBO (Kingma and Welling, eq. 3), estimated with one latent
    an image, in nats an image. The generator is the decoder; given labels, it is that of p(x | y).

    Args:
        generator: latents to the means of p(x | z).
        encoder: images to q(z | x).
        likelihood: p(x | z) around the means.
        beta: weight of the KL.
        loss: none, for there is no discriminator.
        regularizers: none, likewise.
        augment: none, likewise.
        pack: 1, likewise.
        settings: see :class:`LatentGame`.

    Raises:
        InputError: on ingredients of games with a discriminator, or a prior that is not normal.
    """

    encoder: VariationalEncoder
    averaged_encoder: VariationalEncoder

    def __init__(
        self,
        generator: Generator,
        encoder: VariationalEncoder,
        likelihood: Likelihood,
        beta: float = 1.0,
        loss: AdversarialLoss | None = None,
        regularizers: Mapping[str, Regularizer] | None = None,
        augment: Augmentation | None = None,
        pack: int = 1,
        **settings: Any,
    ) -> None:
        super().__init__(generator, None, encoder=encoder, **settings)
        check_alone(self, loss, regularizers or {}, augment, pack)
        check_beta(beta, self.prior)
        self.beta, self.likelihood = beta, likelihood
        self.loss = NoLoss()
        self.add_network("generator", likelihood)

    def answering(self) -> dict[str, nn.Module]:
        """Return the averaged networks, and the likelihood."""
        return {**super().answering(), "likelihood": self.likelihood}

    def generator_loss(self, batch: EncodedBatch) -> Terms:  # type: ignore[override]
        """Return both terms."""
        posterior = self.encoder(batch.real)
        decoded = self.generator(posterior.sample(batch.noise), batch.labels)
        return {
            "reconstruction": -self.likelihood.log_prob(batch.real, decoded).mean(),
            "kl": self.beta * posterior.kl().mean(),
        }

    def evidence(
        self, images: Tensor, labels: Tensor | None, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return log p(x | z) and KL(q || p) of images, (B,) each, of the averaged weights.

        Args:
            images: (B, C, H, W), on the game's device.
            labels: (B,) of a conditional model.
            noise: of the latents, (B, dim).
        """
        with evaluating(self.averaged), evaluating(self.averaged_encoder):
            posterior = self.averaged_encoder(images)
            decoded = self.averaged(posterior.sample(noise), labels)
            return self.likelihood.log_prob(images, decoded), posterior.kl()

    def log_weights(self, images: Tensor, labels: Tensor | None, noise: Tensor) -> Tensor:
        """Return log p(x, z) - log q(z | x) of K latents of each image, (K, B).

        Args:
            images: (B, C, H, W), on the game's device.
            labels: (B,) of a conditional model.
            noise: of the latents, (K, B, dim).
        """
        with evaluating(self.averaged), evaluating(self.averaged_encoder):
            posterior = self.averaged_encoder(images)
            prior = posterior.standard()
            latents = (posterior.sample(part) for part in noise)
            return torch.stack(
                [
                    self.likelihood.log_prob(images, self.averaged(z, labels))
                    + prior.log_prob(z)
                    - posterior.log_prob(z)
                    for z in latents
                ]
            )
