"""A classifier of each channel, for images that are stacked from images of another data set."""

from functools import reduce

import torch
from torch import Tensor

from gan.backbones.base import Backbone
from gan.backbones.classifier import Training
from gan.backbones.dataset import ImageDataset, StackedDataset
from gan.backbones.domain import DomainBackbone
from gan.errors import InputError


class StackedBackbone(Backbone):
    """One classifier for each of three channels, trained on the data set of a channel.

    Pooled features are those of the channels, concatenated. Logits are log-probabilities of the
    joint classes for independent channels: log p(i) + log p(j) + log p(k) at (i K + j) K + k.
    Classes are counted by a classifier of single channels as in Metz et al., 2017, and Srivastava
    et al., 2017.

    Args:
        cache: folder of the file of the classifier.
        seed: of the training of the classifier.
        training: of the classifier.
        weights: file of a classifier of another run, instead of training one.
        weights_hash: see `Backbone`.
    """

    name = "stacked"
    CHANNELS = 3
    num_features = CHANNELS * DomainBackbone.num_features
    resize = "none"
    predicts_labels = True

    def __init__(
        self,
        cache: str,
        seed: int = 0,
        training: Training | None = None,
        weights: str | None = None,
        weights_hash: str | None = None,
    ) -> None:
        super().__init__(weights, weights_hash)
        self.channel = DomainBackbone(cache, seed, training, weights)

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Load or train the classifier on the data set of a channel.

        Raises:
            InputError: the images are not stacked, or the file `weights` is no classifier of their
                channels.
        """
        if not isinstance(dataset, StackedDataset) or dataset.channels != self.CHANNELS:
            raise InputError(
                f"backbone=stacked reads the channels of stacked images and {dataset.name} holds "
                "others; use data=stacked_mnist or backbone=domain"
            )
        self.channel.prepare(dataset.layer(), device)
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, 3 F) and log-probabilities (B, K^3) of uint8 images (B, 3, R, R)."""
        pool, logits = self.channel.extract(images.flatten(0, 1)[:, None])
        log_p = logits.log_softmax(1).view(len(images), self.CHANNELS, -1)
        return pool.view(len(images), -1), reduce(_joint, log_p.unbind(1))

    def stamp(self) -> dict[str, str | int | float]:
        """Return what identifies the features, with the accuracy of the classifier."""
        return self.channel.stamp() | super().stamp()


def _joint(first: Tensor, second: Tensor) -> Tensor:
    """Return log-probabilities (B, M N) of pairs of independent classes, from (B, M), (B, N)."""
    return (first[:, :, None] + second[:, None]).flatten(1)
