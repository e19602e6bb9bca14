"""A discriminator of an image-to-image game, with what its logits pass through."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from gan.augment.base import Augmentation
from gan.layers.convolution import twice_differentiable
from gan.layers.precision import at_least_float32
from gan.networks.base import Discriminator
from gan.regularizers.base import Regularizer
from gan.regularizers.due import DueRegularizers


@dataclass(frozen=True)
class Critic:
    """A discriminator, its augmentation and its regularizers.

    Attributes:
        generator: the opponent, whose images it judges, for regularizers that read it.
        network: images to logits.
        regularizers: terms of the players' losses, by log name.
        augment: applied to all images that the network is given.
        condition: images that are stacked before those to be judged, (B, C', H, W), or ``None``.
        suffix: of the log names, where a game has several.
    """

    generator: Any
    network: Discriminator
    regularizers: dict[str, Regularizer]
    augment: Augmentation
    condition: Tensor | None = None
    suffix: str = ""

    def given(self, condition: Tensor) -> Self:
        """Return the critic of images beside a condition (B, C', H, W)."""
        return replace(self, condition=condition)

    def buffers(self) -> Iterator[Tensor]:
        """Yield the buffers of the network."""
        return self.network.buffers()

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield the weights of the network."""
        return self.network.parameters()

    def features(self, images: Tensor) -> Tensor:
        """Return the features h of images (B, C, H, W), augmented, beside the condition."""
        images = self.augment(images)
        if self.condition is not None:
            images = torch.cat([self.condition, images], dim=1)
        return self.network.features(images)

    def discriminate(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the logits of images, in float32 or wider, and the features h.

        Images that a penalty will differentiate by are leaves of the graph: autocast is off for
        them, and compiled functions are not used.
        """
        differentiated = images.is_leaf and images.requires_grad
        with twice_differentiable(images.device) if differentiated else nullcontext():
            h = self.features(images)
            return at_least_float32(self.network.score(h)), h

    def class_outputs(self, h: Tensor) -> Tensor | None:
        """Return what the head's classifier, if there is one, makes of features h, (B, n)."""
        return self.network.head.class_outputs(at_least_float32(h))

    def due(self, update: int) -> DueRegularizers:
        """Return the regularizers that are due in an update of their player, counted from 0."""
        return DueRegularizers(
            {name: r for name, r in self.regularizers.items() if update % r.every == 0}
        )

    def named(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return terms under their log names."""
        return {f"{name}{self.suffix}": term for name, term in terms.items()}
