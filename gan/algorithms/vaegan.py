"""The VAE whose reconstructions are compared in the critic's features (Larsen et al., 2016)."""

from typing import Any

import torch
from torch import Tensor

from gan.algorithms.compatibility import check_beta
from gan.algorithms.encoding import EncodingGame
from gan.algorithms.gan import GAN
from gan.algorithms.player import frozen
from gan.algorithms.two_player import Terms
from gan.batch import EncodedBatch
from gan.errors import InputError
from gan.layers.precision import at_least_float32
from gan.networks.vae import VariationalEncoder
from gan.regularizers.base import DiscriminatorOutputs, GeneratorOutputs


class VAEGAN(EncodingGame, GAN):
    """Autoencoder and GAN with one decoder; images are alike if D's features are (algorithm 1).

    * The encoder minimises KL + L: L is half the squared distance of D's features of image and
      reconstruction, their negative log-likelihood under a normal distribution of variance 1, up
      to a constant (eq. 7).
    * The decoder, which is the generator, minimises gamma L and the adversarial loss of samples of
      the prior and of reconstructions.
    * D minimises the adversarial loss alone.

    No adversarial gradient reaches the encoder, because the reconstructions that D judges are
    decoded from detached latents. No gradient of the encoder's L reaches the decoder, whose weights
    are frozen in that forward pass.

    Features are D's last maps, without augmentation. As in the authors' code, real images weigh as
    much as both kinds of fakes together.

    Args:
        gamma: weight of L in the decoder's loss.
        beta: weight of the KL.
        ingredients: see :class:`EncodingGame` and :class:`~gan.algorithms.gan.GAN`.

    Raises:
        InputError: if images are packed, a weight is negative or the prior is not normal.
    """

    encoder: VariationalEncoder

    def __init__(
        self, *args: Any, gamma: float = 1e-2, beta: float = 1.0, **ingredients: Any
    ) -> None:
        super().__init__(*args, **ingredients)
        check_beta(beta, self.prior)
        if gamma < 0:
            raise InputError(f"model.gamma={gamma}: give a number from 0")
        if self.pack > 1:
            raise InputError(
                f"pack={self.pack}: the features of one image are compared: set pack=1"
            )
        self.gamma, self.beta = gamma, beta

    def _distance(self, h: Tensor, images: Tensor) -> Tensor:
        """Return L, the mean over images, of D's features (B, F) of others and of ``images``."""
        difference = at_least_float32(self.discriminator.body(images)) - at_least_float32(h)
        return 0.5 * difference.square().flatten(1).sum(1).mean()

    def discriminator_terms(self, out: DiscriminatorOutputs) -> Terms:
        """Return the adversarial term of reconstructions."""
        batch = out.batch
        assert isinstance(batch, EncodedBatch)
        with torch.no_grad():
            z = self.encoder(batch.real).sample(batch.noise)
            reconstructed = self.generator(z, batch.labels).to(batch.real.dtype)
        logits, _ = self.discriminate(reconstructed, batch.labels)
        return {"reconstructed": self.loss.discriminator(out.real_logits, logits)}

    def generator_terms(self, out: GeneratorOutputs) -> Terms:
        """Return the encoder's terms and those of the decoder's reconstructions."""
        batch = out.batch
        assert isinstance(batch, EncodedBatch)
        posterior = self.encoder(batch.real)
        z = posterior.sample(batch.noise)
        with torch.no_grad():
            h = self.discriminator.body(batch.real)
        with frozen(self.generator):
            encoded = self.generator(z, batch.labels)
        decoded = self.generator(z.detach(), batch.labels)
        logits, _ = self.discriminate(decoded, batch.labels)
        real_logits = self.real_logits(batch) if self.loss.relativistic else None
        return {
            "kl": self.beta * posterior.kl().mean(),
            "encoder_reconstruction": self._distance(h, encoded),
            "decoder_reconstruction": self.gamma * self._distance(h, decoded),
            "reconstructed": self.loss.generator(logits, real_logits),
        }
