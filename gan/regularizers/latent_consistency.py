"""Consistency under small perturbations of the latent."""

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from gan.errors import InputError
from gan.regularizers.base import (
    DiscriminatorOutputs,
    GeneratorOutputs,
    Networks,
    Regularizer,
)
from gan.regularizers.consistency import distance


class LatentConsistency(Regularizer):
    """D is insensitive to small perturbations of z, G is sensitive (Zhao et al., 2021, zCR).

    With T(z) = z + sigma n, n standard normal (their algorithm 2):

        D: weight_dis * E (D(G(z)) - D(G(T(z))))^2
        G: -weight_gen * E |G(z) - G(T(z))|^2

    D is the logit, and the outputs of a classifier, if there is one (see
    :func:`~gan.regularizers.consistency.distance`).

    The square in G's loss is the mean over channels and pixels, as in StudioGAN, so that the weight
    holds at any resolution and the term stays above -4 weight_gen; the paper writes a norm, whose
    sum would outweigh the adversarial loss. Batch normalisation and packing in D are allowed, as
    D gets the two batches of fakes whole.

    Args:
        weight_dis: lambda_dis; 20 is for BigGAN.
        weight_gen: lambda_gen.
        sigma: standard deviation of the perturbation, above 0; StudioGAN's ``radius``.
        every: as in :class:`Regularizer`.

    Raises:
        InputError: if ``sigma`` is not above 0.
    """

    needs_latents = True

    def __init__(
        self,
        weight_dis: float = 20.0,
        weight_gen: float = 0.5,
        sigma: float = 0.05,
        every: int = 1,
    ) -> None:
        super().__init__(every)
        if sigma <= 0:
            raise InputError(f"regularizers.zcr.sigma={sigma}: give a positive number")
        self.weight_dis, self.weight_gen, self.sigma = weight_dis, weight_gen, sigma

    def perturb(self, z: Tensor) -> Tensor:
        """Return T(z) of latents (B, latent_dim)."""
        return z + self.sigma * torch.randn_like(z)

    def penalty(self, out: DiscriminatorOutputs, networks: Networks) -> Tensor:
        """Return D's term, with D's outputs on G(T(z))."""
        with torch.no_grad():
            fake = networks.generator(self.perturb(out.latents), out.batch.labels)
        moved = networks.discriminate(fake, out.batch.labels)
        return self.weight_dis * distance(networks, moved, (out.fake_logits, out.fake_features))

    def generator_penalty(self, out: GeneratorOutputs, networks: Networks) -> Tensor:
        """Return G's term, with the images G(T(z))."""
        fake = networks.generator(self.perturb(out.latents), out.batch.labels)
        return -self.weight_gen * mse_loss(fake, out.fake)
