"""The interface of regularizers: terms of a player's loss beside the adversarial one."""

from abc import ABC
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from gan.batch import LatentBatch, PairBatch
from gan.errors import InputError


def latents_of(batch: LatentBatch | PairBatch) -> Tensor:
    """Return the latents of a batch; games without latents refuse what needs them."""
    if not isinstance(batch, LatentBatch):
        raise TypeError("the batch has no latents")
    return batch.z


def mean_over_patches(logits: Tensor) -> Tensor:
    """Return a logit an image, (B,), of maps of logits (B, h, w); other logits are unchanged."""
    return logits.mean((1, 2)) if logits.dim() == 3 else logits


@dataclass(frozen=True)
class DiscriminatorOutputs:
    """What the discriminator returned in one of its updates.

    Attributes:
        batch: labels and latents of the images.
        real: real images (B, C, H, W), part of the graph of ``real_logits`` if a penalty that is
            due asked for it.
        fake: generated images (B, C, H, W), likewise.
        real_logits: of the real images, in float32 or wider.
        fake_logits: of the fakes.
        real_features: h of the real images, from which the logits are computed.
        fake_features: h of the fakes.
    """

    batch: LatentBatch | PairBatch
    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    real_features: Tensor
    fake_features: Tensor

    @property
    def latents(self) -> Tensor:
        """Return the latents of the fakes, (B, latent_dim)."""
        return latents_of(self.batch)


@dataclass(frozen=True)
class GeneratorOutputs:
    """What the generator returned in one of its updates, and the discriminator's outputs on it.

    Attributes:
        batch: real images, labels, and the latents of the fakes.
        fake: generated images (B, C, H, W).
        fake_logits: of the fakes, in float32 or wider.
        fake_features: h of the fakes, from which the logits are computed.
    """

    batch: LatentBatch | PairBatch
    fake: Tensor
    fake_logits: Tensor
    fake_features: Tensor

    @property
    def latents(self) -> Tensor:
        """Return the latents of the fakes, (B, latent_dim)."""
        return latents_of(self.batch)


class GeneratorNetwork(Protocol):
    """What regularizers call on a generator."""

    def __call__(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) of latents and labels."""

    def forward_with_styles(self, z: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what images are a smooth function of, (B, ...), and the images."""

    def modules(self) -> Iterator[nn.Module]:
        """Yield all modules of the network."""


class Networks(Protocol):
    """The forward passes of a game, for terms that need further ones."""

    @property
    def generator(self) -> GeneratorNetwork:
        """The generator."""

    def buffers(self) -> Iterator[Tensor]:
        """Yield the buffers that a forward pass of the discriminator may change, and others."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield the weights of the discriminator, and others."""

    def features(self, images: Tensor) -> Tensor:
        """Return the discriminator's features h of images, augmented."""

    def discriminate(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the logits of images, augmented, and their features h."""

    def class_outputs(self, h: Tensor) -> Tensor | None:
        """Return what a classifier makes of features h, (B, n), where there is one."""


class Regularizer(nn.Module, ABC):
    """A term of either player's loss, a choice among its logits, or a projection of D's weights.

    Args:
        every: updates of its player between two uses (lazy regularization, Karras et al., 2020);
            the term is multiplied by ``every``.

    Attributes:
        needs_real_gradient: the gradient of the real logits with respect to the real images is
            needed.
        needs_fake_gradient: that of the fake logits with respect to the fakes.
        per_sample: the term is right only if the logit of an image depends on no other image, which
            excludes batch normalisation and packing in the discriminator.
        clips: it bounds the stored weights, which excludes equalised ones.
        selective: it chooses among the generator's logits, which excludes losses of pairs.
        needs_latents: it changes the latents of fakes, which excludes games on images.
        transforms_images: it changes images before they are judged, which excludes pairs of image
            and latent.
        observes: its term in D's loss needs a state that all images of the update have moved.
        observing: it moves that state; not where the whole batch has moved it already.

    Raises:
        InputError: if ``every`` is below 1.
    """

    needs_real_gradient: bool = False
    needs_fake_gradient: bool = False
    per_sample: bool = False
    clips: bool = False
    selective: bool = False
    needs_latents: bool = False
    transforms_images: bool = False
    observes: bool = False
    observing: bool = True
    every: int = 1

    def __init__(self, every: int = 1) -> None:
        super().__init__()
        if every < 1:
            raise InputError(f"regularizers: every={every}: give a number from 1")
        self.every = every

    def penalty(self, out: DiscriminatorOutputs, networks: Networks) -> Tensor | None:
        """Return the term of the discriminator's loss, a scalar, or ``None`` for none."""
        return None

    def generator_penalty(self, out: GeneratorOutputs, networks: Networks) -> Tensor | None:
        """Return the term of the generator's loss, a scalar, or ``None`` for none."""
        return None

    def select(self, fake_logits: Tensor, images: int) -> Tensor:
        """Return the logits (k,) that the generator's loss is taken over.

        Args:
            fake_logits: of all fakes, (B,).
            images: real images seen.
        """
        return fake_logits

    @torch.no_grad()
    def project(self, discriminator: nn.Module) -> None:
        """Project the discriminator's weights onto the allowed set, after its update."""
