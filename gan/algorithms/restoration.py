"""Games that restore the images from which their sources were made."""

from typing import Any

from torch import Tensor

from gan.algorithms.translation import TranslationGame
from gan.backbones.dataset import Task
from gan.networks.base import Discriminator, Translator


class RestorationGame(TranslationGame):
    """A game of one translator and one discriminator.

    Args:
        generator: sources to images.
        discriminator: images to logits.
        task: that made the sources, or ``None``; pixels that a source still knows, such as those
            around a hole, are taken from it in training and afterwards.
        ingredients: see :class:`~gan.algorithms.translation.TranslationGame`.
    """

    generator: Translator
    averaged: Translator
    discriminator: Discriminator

    def __init__(
        self,
        generator: Translator,
        discriminator: Discriminator,
        *args: Any,
        task: Task | None = None,
        **ingredients: Any,
    ) -> None:
        super().__init__(generator, discriminator, *args, **ingredients)
        self.critic, self.task = self.add_critic(discriminator, generator), task or None

    def restored(self, network: Translator, source: Tensor) -> Tensor:
        """Return what a network makes of sources (B, C, h, w): images (B, C, H, W)."""
        images: Tensor = network(source)
        return images if self.task is None else self.task.complete(source, images)

    def forward(self, images: Tensor, direction: str = "ab") -> Tensor:
        """Return images restored by the averaged weights."""
        return self.restored(self.averaged, images)
