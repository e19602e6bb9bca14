"""Games whose generator turns latents into images."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan.algorithms.class_names import ClassNames, Labels
from gan.algorithms.two_player import Images, TwoPlayerGame
from gan.batch import LatentBatch
from gan.errors import InputError
from gan.latents import Gaussian, Prior, keyed_generator
from gan.layers.noise import noise_per_image
from gan.networks.base import Generator

SAMPLE_BATCH = 100  # images generated at once
_PIXELS = (0, 6)  # end of keys of pixel noise


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Set ``network`` to evaluation mode, without gradients, inside the context."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        with torch.no_grad():
            network.eval()
            yield
    finally:
        for module, training in modes:
            module.training = training


class LatentGame(TwoPlayerGame[LatentBatch]):
    """A two-player game on latents from a prior, and its samples.

    The latents of training, and the epsilon of penalties, are a function of (seed, step, turn)
    alone, of which each device takes its share; the latents of samples are one of (seed, image).

    Args:
        generator: latents to images.
        discriminator: the other player.
        prior: of the latents; standard normal by default.
        settings: see :class:`TwoPlayerGame`.

    Attributes:
        class_names: of the data, where the run folder has them.
        classifier_name: the network that :meth:`classify` asks, in words.
    """

    generator: Generator
    averaged: Generator
    class_names = ClassNames()
    classifier_name: ClassVar[str] = "discriminator"

    def __init__(
        self,
        generator: Generator,
        discriminator: nn.Module | None,
        prior: Prior | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(generator, discriminator, **settings)
        self.prior = prior or Gaussian(generator.latent_dim)

    def make_batch(self, images: Images, turn: int) -> LatentBatch:
        """Return this device's images with its share of the latents of an update."""
        real, labels = images
        key = keyed_generator(self.seed, self.clock.step, turn + 1)  # samples have key 0 there
        total = len(real) * self.trainer.world_size
        drawn = self.prior.sample(total, key), torch.rand(total, generator=key)
        z, epsilon = (self.own_share(values).to(real) for values in drawn)
        return LatentBatch(self.generator.match_resolution(real), labels, z, epsilon)

    def generate(self, seed: int, indices: range, labels: Tensor | None = None) -> Tensor:
        """Return image k of ``seed`` for each k of ``indices``, on the game's device.

        Args:
            seed: of the latents; image k depends on (seed, k) and its label alone.
            indices: of the images.
            labels: (len(indices),) of int64; ``None`` takes the classes in turn, k mod num_classes.

        Returns:
            Images (len(indices), C, H, W) in [-1, 1] from the averaged weights.
        """
        if self.generator.num_classes and labels is None:
            labels = torch.tensor(indices) % self.generator.num_classes
        return self._images(self.prior.sample_each(seed, indices), labels, seed, indices)

    def _images(
        self, z: Tensor, labels: Tensor | None, seed: int | None, indices: Sequence[int]
    ) -> Tensor:
        """Return images (n, C, H, W) of latents (n, dim) and labels (n,), on the game's device."""
        y = None if labels is None else labels.to(self.device)
        keys = () if seed is None else tuple((seed, k, *_PIXELS) for k in indices)
        with evaluating(self.averaged), noise_per_image(self.averaged, keys):
            images: Tensor = self.averaged(z.to(self.device), y)
        return images

    def decode(
        self, z: Tensor, labels: Labels | None = None, seed: int | None = None, first: int = 0
    ) -> Tensor:
        """Return the images of given latents: (n, C, H, W) in [-1, 1], float32 on the CPU.

        ``decode(prior.sample_each(seed, range(n)), seed=seed)`` is ``sample(n, seed)``.

        Args:
            z: (n, dim).
            labels: one for each latent, or one for all; ``None`` takes the classes in turn.
            seed: of the pixel noise of a style generator, for image k a function of (seed, k);
                with ``None`` all images have the same noise.
            first: k of the first image.

        Raises:
            InputError: on latents of another shape, or an impossible label.
        """
        if z.dim() != 2 or z.shape[1] != self.prior.dim:
            raise InputError(f"latents of shape {tuple(z.shape)}: give (n, {self.prior.dim})")
        y = self.labels_for(len(z), labels)
        parts = torch.split(torch.arange(len(z)), SAMPLE_BATCH)
        images = [
            self._images(z[k], None if y is None else y[k], seed, (first + k).tolist())
            .float()
            .cpu()
            for k in parts
        ]
        return torch.cat(images)

    def sample(
        self,
        n: int,
        seed: int = 0,
        labels: Labels | None = None,
        truncation: float | None = None,
    ) -> Tensor:
        """Return ``n`` images (n, C, H, W) in [-1, 1], float32 on the CPU.

        Args:
            n: at least 1.
            seed: image k is the same for the same seed, whatever ``n``.
            labels: number or name of a class, one for each image or one for all; ``None`` takes
                the classes in turn.
            truncation: bound on the absolute value of each number of a latent, which trades
                diversity for quality; image k changes smoothly with it. ``None`` sets no bound.

        Raises:
            InputError: on an impossible number, label or truncation.
        """
        return self.decode(self.latents(n, seed, truncation), labels, seed)

    def latents(self, n: int, seed: int = 0, truncation: float | None = None) -> Tensor:
        """Return the latents (n, dim) of :meth:`sample`, on the CPU.

        Raises:
            InputError: on an impossible number or truncation.
        """
        if n < 1:
            raise InputError(f"n={n}: ask for at least one image")
        if seed < 0:
            raise InputError(f"seed={seed}: give a number from 0")
        z = self.prior.sample_each(seed, range(n))
        return z if truncation is None else self.prior.truncate(z, truncation)

    def judged(self, images: Tensor, z: Tensor) -> Tensor:
        """Return what the discriminator is given for images of latents: the images."""
        return images

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (n, dim) of images (n, C, H, W) in [-1, 1], on the CPU.

        Raises:
            InputError: if the model has no encoder.
        """
        raise InputError(
            "encode: this model has no encoder: train model=bigan, ali, vae or vaegan, or use "
            "ganymede project"
        )

    def classify(self, images: Tensor) -> Tensor:
        """Return class logits (n, num_classes) of images (n, C, H, W) in [-1, 1], on the CPU.

        Raises:
            InputError: if the model has no classifier.
        """
        raise InputError(
            "classify: this model has no classifier: train model=acgan, contragan, reacgan or "
            "semi_supervised"
        )

    @property
    def num_classified(self) -> int:
        """Return how many classes :meth:`classify` tells apart; 0 without a classifier."""
        return 0

    @property
    def judges(self) -> list[nn.Module]:
        """Return the networks besides the generator whose outputs are measured."""
        return []

    def labels_for(self, n: int, labels: Labels | None) -> Tensor | None:
        """Return the labels of ``n`` images as (n,), by default the classes in turn.

        Returns:
            ``None`` for an unconditional model.

        Raises:
            InputError: on an impossible label.
        """
        classes = self.generator.num_classes
        if labels is None:
            return torch.arange(n) % classes if classes else None
        if classes == 0:
            raise InputError("labels: the model is unconditional; leave labels out")
        if isinstance(labels, Sequence):
            labels = self.class_names.numbers(labels)
        y = torch.as_tensor(labels, dtype=torch.int64).flatten()
        if len(y) not in (1, n):
            raise InputError(f"labels: {len(y)} given for n={n} images: give one, or one each")
        if y.min() < 0 or y.max() >= classes:
            raise InputError(f"labels: they must lie in 0..{classes - 1}")
        return y.expand(n)

    def validation_step(self, batch: Images, batch_idx: int) -> dict[str, Tensor]:
        """Return the real images and as many fakes with their labels.

        Batch i of B images holds fakes i*B to (i+1)*B - 1 of the game's seed.
        """
        real, labels = batch
        indices = range(batch_idx * len(real), (batch_idx + 1) * len(real))
        return {"real": real, "fake": self.generate(self.seed, indices, labels)}
