"""Bounds and estimates of the log-likelihood of held-out images under a VAE."""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.algorithms.vae import VAE
from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset
from gan.errors import InputError
from gan.latents import keyed_generator
from gan.metrics.base import Stamp
from gan.metrics.model_metric import ModelMetric
from gan.metrics.reconstruction import first_images

_NOISE = (0, 7)  # end of keys of the noise of latents


class LikelihoodMetric(ModelMetric):
    """A metric of log p(x) of the first held-out images, in nats an image.

    Nats are those of the likelihood's pixels: a density of values in [-1, 1], or a probability.
    Bits are per pixel and channel; a density is multiplied by the distance of two of 256 levels.

    Args:
        count: number of held-out images.

    Attributes:
        draws: latents an image.
    """

    draws: int = 1

    def __init__(self, count: int = 1000) -> None:
        if count < 1:
            raise InputError(f"{self.name}.count={count}: give a number from 1")
        self.count = count

    def check(self, game: LatentGame, dataset: ImageDataset) -> None:
        """Refuse a model without a likelihood.

        Raises:
            InputError: with the reason.
        """
        super().check(game, dataset)
        if not isinstance(game, VAE):
            raise InputError(
                f"{self.name}: the model gives images no likelihood: train model=vae, or leave "
                f"{self.name} out"
            )

    def measure(
        self, game: LatentGame, dataset: ImageDataset, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """Return the means over the images."""
        assert isinstance(game, VAE)
        parts = []
        for indices, images, labels in first_images(dataset, self.count):
            y = labels if game.generator.num_classes and labels is not None else None
            noise = self._noise(game, seed, indices)
            x, y = images.to(game.device), None if y is None else y.to(game.device)
            parts.append(self.values(game, x, y, noise).double().cpu())
        means = torch.cat(parts, 1).mean(1).tolist()
        values = dict(zip(self.keys, means, strict=True))
        bits = game.likelihood.bits_per_dimension(means[0], math.prod(images.shape[1:]))
        return {**values, f"{self.keys[0]}_bits": bits}

    keys: ClassVar[tuple[str, ...]]

    def _noise(self, game: VAE, seed: int, indices: range) -> Tensor:
        """Return the noise of each image, (draws, B, dim), a function of (seed, image)."""
        shape = (self.draws, game.prior.dim)
        keys = (keyed_generator(seed, k, *_NOISE) for k in indices)
        drawn = torch.stack([torch.randn(shape, generator=key) for key in keys], 1)
        return drawn.to(game.device)

    @abstractmethod
    def values(self, game: VAE, images: Tensor, labels: Tensor | None, noise: Tensor) -> Tensor:
        """Return the value of each key of each image, (keys, B); the first is in nats.

        Args:
            game: the model.
            images: (B, C, H, W), on its device.
            labels: (B,) of a conditional model.
            noise: (draws, B, dim).
        """


class EvidenceLowerBound(LikelihoodMetric):
    """The ELBO, key "elbo", with its parts: "elbo" = "elbo_reconstruction" - "elbo_kl".

    Kingma and Welling, 2014, eq. 3, with one latent an image and the KL in closed form, whatever
    the model's beta. Key "elbo_bits" has the bits per pixel and channel.

    Args:
        count: number of held-out images, the first ones.
    """

    name = "elbo"
    in_training = True
    ranking = ("elbo",)
    keys = ("elbo", "elbo_reconstruction", "elbo_kl")

    def values(self, game: VAE, images: Tensor, labels: Tensor | None, noise: Tensor) -> Tensor:
        """Return the bound and its parts, (3, B)."""
        reconstruction, kl = game.evidence(images, labels, noise[0])
        return torch.stack([reconstruction - kl, reconstruction, kl])

    def stamp(self) -> Stamp:
        """Return the number of images."""
        return {"elbo_count": self.count}


class LogLikelihood(LikelihoodMetric):
    """An importance-weighted estimate of log p(x), key "log_likelihood".

    log of the mean of p(x, z) / q(z | x) over latents z of q: in the mean a lower bound, which
    rises to log p(x) with their number (Burda et al., 2016, eq. 8). Key "log_likelihood_bits" has
    the bits per pixel and channel.

    Args:
        count: number of held-out images, the first ones.
        samples: latents an image.

    Raises:
        InputError: no images or latents.
    """

    name = "log_likelihood"
    keys = ("log_likelihood",)

    def __init__(self, count: int = 500, samples: int = 200) -> None:
        super().__init__(count)
        if samples < 1:
            raise InputError(f"log_likelihood.samples={samples}: give a number from 1")
        self.draws = samples

    def values(self, game: VAE, images: Tensor, labels: Tensor | None, noise: Tensor) -> Tensor:
        """Return the estimate, (1, B)."""
        weights = game.log_weights(images, labels, noise).double()
        return (weights.logsumexp(0) - math.log(len(weights)))[None]

    def stamp(self) -> Stamp:
        """Return the numbers of images and latents."""
        return {"log_likelihood_count": self.count, "log_likelihood_samples": self.draws}
