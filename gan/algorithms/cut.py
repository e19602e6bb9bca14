"""Contrastive unpaired translation (Park et al., 2020)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gan.algorithms.translation import TranslationGame
from gan.algorithms.two_player import Terms
from gan.batch import PairBatch
from gan.latents import keyed_generator
from gan.networks.base import Discriminator
from gan.networks.cut import PatchProjector
from gan.networks.cyclegan import ResNetTranslator

_PATCHES, _FLIPS = (0, 1), (0, 2)  # ends of keys


def patch_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """Return the mean of -log softmax(q . k / temperature) of each patch and its own key.

    The negatives of a patch are the other patches of its image.

    Args:
        queries: (B, P, dim), of unit length.
        keys: (B, P, dim), of unit length; they get no gradient.
        temperature: tau.
    """
    logits = queries @ keys.detach().transpose(1, 2) / temperature
    own = torch.arange(queries.shape[1], device=logits.device).repeat(len(queries))
    return cross_entropy(logits.flatten(0, 1), own)


class CUT(TranslationGame):
    """A patch of the translation is nearer to its source than to the image's other patches (eq. 5).

    FastCUT has no identity term and flips half of the batches, whose patches are flipped back.
    Deviations: weights start as those of CycleGAN, and D has no low-pass filters. ``loss=lsgan``
    has a factor 1/2 in both players' losses, so that the weights of the recipe are half of the
    authors'.

    Args:
        generator: A to B.
        discriminator: of images of B.
        projector: H, patches of the encoder's maps to unit vectors; it is trained with G.
        nce: weight of the term of sources and their translations, the mean over layers.
        identity: weight of the same term of images of B and what G makes of them.
        patches: of an image and layer.
        temperature: tau.
        flip: flip half of the batches.
        ingredients: see :class:`~gan.algorithms.translation.TranslationGame`.
    """

    generator: ResNetTranslator
    averaged: ResNetTranslator
    discriminator: Discriminator

    def __init__(
        self,
        generator: ResNetTranslator,
        discriminator: Discriminator,
        *args: Any,
        projector: PatchProjector,
        nce: float = 0.25,
        identity: float = 0.25,
        patches: int = 256,
        temperature: float = 0.07,
        flip: bool = False,
        **ingredients: Any,
    ) -> None:
        super().__init__(generator, discriminator, *args, **ingredients)
        self.critic, self.projector = self.add_critic(discriminator, generator), projector
        self.nce, self.identity, self.patches = nce, identity, patches
        self.temperature, self.flip = temperature, flip
        self.add_network("generator", projector)

    def forward(self, images: Tensor, direction: str = "ab") -> Tensor:
        """Return images translated by the averaged weights."""
        translated: Tensor = self.averaged(images)
        return translated

    def discriminator_loss(self, batch: PairBatch) -> Terms:
        """Return the adversarial term and those of regularizers."""
        with torch.no_grad():
            fake = self.generator(self._flip(batch.source)).to(batch.real.dtype)
        return self.discriminator_terms(self.critic, batch, fake)

    def generator_loss(self, batch: PairBatch) -> Terms:
        """Return the adversarial term, those of regularizers, and those of patches."""
        fake, keys = self._translate(batch.source)
        terms = self.generator_terms(self.critic, batch, fake)
        terms["nce"] = self.nce * self.contrast(keys, fake)
        if self.identity:
            same, keys = self._translate(batch.real)
            terms["identity"] = self.identity * self.contrast(keys, same)
        return terms

    def _translate(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return translations, flipped if the batch is, and the encoder's maps of the images."""
        if not self._is_flipped:
            return self.generator.forward_with_features(images)
        with torch.no_grad():
            maps = self.generator.features(images)
        return self.generator(self._flip(images)), maps

    def contrast(self, keys: list[Tensor], translated: Tensor) -> Tensor:
        """Return the mean over layers of :func:`patch_nce`, a scalar.

        Args:
            keys: maps of the encoder on the images, five of (B, F, h, w).
            translated: translations of these, (B, C, H, W), flipped if the batch is; the patches of
                their maps are the queries.
        """
        queries = [self._flip(maps) for maps in self.generator.features(translated)]
        chosen = self._positions(keys)
        fixed = [maps.detach() for maps in keys]
        pairs = zip(self.projector(queries, chosen), self.projector(fixed, chosen), strict=True)
        return torch.stack([patch_nce(q, k, self.temperature) for q, k in pairs]).mean()

    def _flip(self, maps: Tensor) -> Tensor:
        """Return maps (B, C, H, W), mirrored if this step's batch is flipped."""
        return maps.flip(3) if self._is_flipped else maps

    @property
    def _is_flipped(self) -> bool:
        """Return whether this step's batch is flipped."""
        return self.flip and bool(torch.rand((), generator=self._key(*_FLIPS)) < 0.5)

    def _key(self, *end: int) -> torch.Generator:
        """Return a random generator of this step, equal on all devices."""
        return keyed_generator(self.seed, self.clock.step, *end)

    def _positions(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return the patches of each layer, which all images share, at most ``patches``."""
        draw, sizes = self._key(*_PATCHES), [features[0, 0].numel() for features in maps]
        order = [torch.randperm(size, generator=draw)[: self.patches] for size in sizes]
        return [chosen.to(maps[0].device) for chosen in order]
