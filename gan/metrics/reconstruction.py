"""The reconstruction of held-out images by models with an encoder."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gan.algorithms.encoding import EncodingGame
from gan.algorithms.latent import LatentGame
from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset, held_out_split
from gan.errors import InputError
from gan.metrics.base import Stamp
from gan.metrics.model_metric import ModelMetric
from gan.metrics.outputs import Outputs
from gan.metrics.paired import (
    PairMetric,
    PerceptualDistance,
    SignalNoiseRatio,
    StructuralSimilarity,
)

BATCH = 100  # images


def first_images(
    dataset: ImageDataset, count: int
) -> Iterator[tuple[range, Tensor, Tensor | None]]:
    """Yield the first ``count`` held-out images in batches, with their indices and labels."""
    start = 0
    for images, labels in dataset.reals(held_out_split(dataset), BATCH):
        images, labels = (
            images[: count - start],
            None if labels is None else labels[: count - start],
        )
        yield range(start, start + len(images)), images, labels
        start += len(images)
        if start >= count:
            return


class Reconstruction(ModelMetric):
    """How near held-out images are to the images of their latents.

    Keys "reconstruction_psnr", "reconstruction_ssim" from 11 pixels on, and
    "reconstruction_perceptual": the means of the metrics `psnr`, `ssim` and `perceptual`, which
    compare 8-bit images, 8-bit images and features.

    Args:
        count: number of held-out images, the first ones.

    Raises:
        InputError: no images.
    """

    name = "reconstruction"
    in_training = True
    ranking = ("reconstruction_psnr",)

    def __init__(self, count: int = 1000) -> None:
        if count < 1:
            raise InputError(f"reconstruction.count={count}: give a number from 1")
        self.count = count

    def check(self, game: LatentGame, dataset: ImageDataset) -> None:
        """Refuse a model without an encoder.

        Raises:
            InputError: with the reason.
        """
        super().check(game, dataset)
        if not isinstance(game, EncodingGame):
            raise InputError(
                "reconstruction: the model has no encoder: train model=vae, vaegan or bigan, or "
                "leave reconstruction out"
            )

    def measure(
        self, game: LatentGame, dataset: ImageDataset, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """Return the means over the images."""
        assert isinstance(game, EncodingGame)
        metrics = self._metrics(dataset, backbone)
        parts: dict[str, list[Tensor]] = {metric.ranking[0]: [] for metric in metrics}
        for _, images, labels in first_images(dataset, self.count):
            target = images.to(game.device)
            y = labels if game.generator.num_classes else None
            outputs = Outputs(game.reconstruct(images, y).to(game.device), target=target)
            features = backbone(outputs.images)
            for metric in metrics:
                parts[metric.ranking[0]].append(metric.values(outputs, features, backbone).cpu())
        return {
            f"reconstruction_{key}": float(torch.cat(values).double().mean())
            for key, values in parts.items()
        }

    def _metrics(self, dataset: ImageDataset, backbone: Backbone) -> list[PairMetric]:
        """Return the comparisons that these images allow."""
        every = [SignalNoiseRatio(), StructuralSimilarity(), PerceptualDistance()]
        return [m for m in every if m.incompatibility(backbone, dataset, labelled=False) is None]

    def stamp(self) -> Stamp:
        """Return the number of images."""
        return {"reconstruction_count": self.count}
