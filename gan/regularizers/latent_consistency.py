"""Consistency under small moves of the latent."""

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from gan.errors import InputError
from gan.regularizers.base import Attempt, Regularizer, Verdict


class LatentConsistency(Regularizer):
    """A small move of z shall change the image, and D shall not mind (Zhao et al., 2021, zCR).

    With T(z) = z + sigma n, n standard normal (their algorithm 2):

        D: weight_dis * E (D(G(z)) - D(G(T(z))))^2
        G: -weight_gen * E |G(z) - G(T(z))|^2

    The square in G's loss is the mean over channels and pixels, as in StudioGAN, so that the weight
    holds at any resolution and the term stays above -4 weight_gen; the paper writes a norm, whose
    sum would outweigh the adversarial loss. Batch normalisation and packing in D are no obstacle:
    the two batches of fakes are of one kind.

    Args:
        weight_dis: lambda_dis; 20 is for BigGAN.
        weight_gen: lambda_gen.
        sigma: standard deviation of the move, above 0; StudioGAN's ``radius``.
        every: as in :class:`Regularizer`.

    Raises:
        InputError: if ``sigma`` is not above 0.
    """

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

    def moved(self, z: Tensor) -> Tensor:
        """Return T(z) of latents (B, latent_dim)."""
        return z + self.sigma * torch.randn_like(z)

    def penalty(self, verdict: Verdict) -> Tensor:
        """Return D's term; the generator and the critic are asked again."""
        logits = verdict.critic(verdict.generate(self.moved(verdict.z)))
        return self.weight_dis * mse_loss(logits, verdict.fake_logits)

    def generator_penalty(self, attempt: Attempt) -> Tensor:
        """Return G's term; the generator is asked again."""
        return -self.weight_gen * mse_loss(attempt.generate(self.moved(attempt.z)), attempt.fake)
