"""Games that learn an encoder, the way back from images to latents."""

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from gan.algorithms.class_names import Labels
from gan.algorithms.latent import SAMPLE_BATCH, LatentGame, evaluating
from gan.algorithms.two_player import Images
from gan.batch import EncodedBatch
from gan.errors import InputError
from gan.latents import keyed_generator
from gan.networks.base import Encoder

_NOISE = (1,)  # end of keys of the noise of encodings


class EncodingGame(LatentGame):
    """A game on latents whose encoder is trained with the generator, by the same optimizer.

    The weights of the encoder are averaged as those of the generator are. The noise of its
    distributions is a function of (seed, step, turn) alone, of which each device takes its share.

    Args:
        encoder: images to latents.
        settings: see :class:`LatentGame`.

    Attributes:
        averaged_encoder: the encoder that encodes images after training.

    Raises:
        InputError: if encoder and generator have latents of different dimensions.
    """

    def __init__(self, *args: Any, encoder: Encoder, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if encoder.latent_dim != self.generator.latent_dim:
            raise InputError(
                f"model.encoder.latent_dim={encoder.latent_dim} must be that of the generator, "
                f"{self.generator.latent_dim}: set prior.dim, which gives both"
            )
        self.encoder = encoder
        self.averaged_encoder = self.average(encoder)
        self.add_network("generator", encoder)

    def answering(self) -> dict[str, nn.Module]:
        """Return the averaged generator and encoder."""
        return {**super().answering(), "encoder": self.averaged_encoder}

    def drop_training(self, kept: Collection[str]) -> None:
        """Drop the networks that training alone needs."""
        super().drop_training(kept)
        assert isinstance(self.averaged_encoder, Encoder)
        self.encoder = self.averaged_encoder

    def make_batch(self, images: Images, turn: int) -> EncodedBatch:
        """Return this device's images, its share of the latents and of the encoder's noise."""
        batch = super().make_batch(images, turn)
        total = len(batch.z) * self.trainer.world_size
        key = keyed_generator(self.seed, self.clock.step, turn + 1, *_NOISE)
        drawn = torch.randn(total, self.encoder.latent_dim, generator=key)
        noise = self.own_share(drawn).to(batch.z)
        return EncodedBatch(batch.real, batch.labels, batch.z, batch.epsilon, noise)

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (n, dim) of images (n, C, H, W) in [-1, 1], float32 on the CPU.

        Of a distribution, they are the mean. Latents do not depend on the other images.
        """
        assert isinstance(self.averaged_encoder, Encoder)
        with evaluating(self.averaged_encoder):
            parts = [
                self.averaged_encoder.mean(part.to(self.device)).float().cpu()
                for part in torch.split(images, SAMPLE_BATCH)
            ]
        return torch.cat(parts)

    def reconstruct(self, images: Tensor, labels: Labels | None = None) -> Tensor:
        """Return the images of the latents of images, (n, C, H, W) in [-1, 1], on the CPU.

        Args:
            images: (n, C, H, W) in [-1, 1].
            labels: of a conditional model, one for each image, or one for all.

        Raises:
            InputError: if the model is conditional and there are no labels.
        """
        if self.generator.num_classes and labels is None:
            raise InputError("reconstruct: the model is conditional: give labels of the images")
        return self.decode(self.encode(images), labels)
