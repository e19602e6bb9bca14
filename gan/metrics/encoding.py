"""What the latents of an encoder know of the classes."""

import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset, has_split
from gan.errors import InputError
from gan.metrics.base import Stamp
from gan.metrics.model_metric import ModelMetric
from gan.metrics.probes import accuracies

BATCH = 100  # images


def encode_split(game: LatentGame, dataset: ImageDataset, split: str) -> tuple[Tensor, Tensor]:
    """Return the latents (N, dim) of the images of a split and their labels (N,), on the CPU."""
    latents, labels = [], []
    for images, y in dataset.reals(split, BATCH):
        assert y is not None
        latents.append(game.encode(images))
        labels.append(y.cpu())
    return torch.cat(latents), torch.cat(labels)


class EncodingAccuracy(ModelMetric):
    """Accuracy of classifiers of encoded images, which learn from the training split.

    Keys "linear_probe", of a logistic regression, and "nearest_neighbour", of the nearest training
    image in latents, both on the test split, in [0, 1]. BiGAN's paper reports 0.9739 of the second
    on MNIST (Donahue et al., 2017, table 1). Latents alone are read, no images are generated.
    """

    name = "encoding"

    def check(self, game: LatentGame, dataset: ImageDataset) -> None:
        """Refuse a model without an encoder, and data without labels or a test split.

        Raises:
            InputError: with the reason.
        """
        super().check(game, dataset)
        if dataset.num_classes < 2:
            raise InputError(
                f"encoding: {dataset.name} has no labels to compare with: take data with classes"
            )
        if not has_split(dataset, "test"):
            raise InputError(f"encoding: {dataset.name} has no test split: leave encoding out")
        game.encode(torch.zeros(2, dataset.channels, dataset.resolution, dataset.resolution))

    def measure(
        self, game: LatentGame, dataset: ImageDataset, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """Return both accuracies."""
        splits = (encode_split(game, dataset, split) for split in ("train", "test"))
        return accuracies(*(part for pair in splits for part in pair))

    def stamp(self) -> Stamp:
        """Return the splits."""
        return {"encoding_splits": "train test"}
