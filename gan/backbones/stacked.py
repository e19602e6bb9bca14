"""A classifier of each channel as a backbone, for images that are stacked from others."""

from functools import reduce

import torch
from torch import Tensor

from gan.backbones.base import Backbone
from gan.backbones.classifier import Training
from gan.backbones.domain import DomainBackbone
from gan.backbones.source import RealSource, StackedSource
from gan.errors import InputError


class StackedBackbone(Backbone):
    """Looks at each of three channels through one classifier, that of the data set behind them.

    Pooled features are those of the channels, one after the other. Logits are log-probabilities of
    the joint classes, channels taken as independent: log p(i) + log p(j) + log p(k) at (i K + j) K
    + k. Counting classes by a classifier of the single channels: Metz et al., 2017; Srivastava et
    al., 2017.

    Args:
        cache: folder of the classifier's file.
        seed: of its training.
        training: its recipe.
        weights: file of another run to use instead.
    """

    name = "stacked"
    CHANNELS = 3
    num_features = CHANNELS * DomainBackbone.num_features
    resize = "none"
    knows_labels = True

    def __init__(
        self,
        cache: str,
        seed: int = 0,
        training: Training | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__(weights)
        self.channel = DomainBackbone(cache, seed, training)

    def prepare(self, source: RealSource, device: torch.device) -> None:
        """Loads or trains the classifier of the data set behind the channels.

        Raises:
            InputError: there is no such data set, or the file that `weights` names is no classifier
                of its images.
        """
        if not isinstance(source, StackedSource) or source.channels != self.CHANNELS:
            raise InputError(
                f"metrics=stacked looks at the channels of stacked images and {source.name} has no "
                "such; use data=stacked_mnist or metrics=domain"
            )
        self.channel.weights = self.weights
        self.channel.prepare(source.layer(), device)
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, 3 F) and joint log-probabilities (B, K^3) of uint8 images (B, 3, R, R)."""
        pool, logits = self.channel.extract(images.flatten(0, 1)[:, None])
        log_p = logits.log_softmax(1).view(len(images), self.CHANNELS, -1)
        return pool.view(len(images), -1), reduce(_joint, log_p.unbind(1))

    def stamp(self) -> dict[str, str | int | float]:
        """Also the accuracy of the classifier on single channels."""
        return self.channel.stamp() | super().stamp()


def _joint(first: Tensor, second: Tensor) -> Tensor:
    """Log-probabilities (B, M N) of pairs of independent classes, from (B, M) and (B, N)."""
    return (first[:, :, None] + second[:, None]).flatten(1)
