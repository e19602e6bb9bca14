"""The agreement of the categorical codes of InfoGAN with the classes of the data."""

from collections.abc import Sequence

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from gan.algorithms.infogan import InfoGAN
from gan.algorithms.latent import LatentGame
from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset
from gan.errors import InputError
from gan.metrics.base import Stamp
from gan.metrics.model_metric import ModelMetric

BATCH = 100  # images


def assignment_accuracy(codes: Tensor, labels: Tensor, count: int) -> float:
    """Return the accuracy of the best one-to-one assignment of codes to classes, in [0, 1].

    Args:
        codes: (N,) in 0..count-1.
        labels: (N,) in 0..count-1.
        count: number of codes, and of classes.
    """
    table = torch.bincount(codes * count + labels, minlength=count**2).view(count, count)
    rows, columns = linear_sum_assignment(table.numpy(), maximize=True)
    return float(table[rows, columns].sum()) / len(codes)


def _agreement(pairs: Sequence[tuple[Tensor, Tensor]], count: int) -> float:
    """Return `assignment_accuracy` of batches of codes and labels."""
    codes, labels = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    return assignment_accuracy(codes, labels, count)


class CodeAccuracy(ModelMetric):
    """Agreement of a code of InfoGAN with the classes, for a code of as many categories as classes.

    Key "code_accuracy" is the accuracy of Q as a classifier of real test images, under the best
    one-to-one assignment of categories to classes (Chen et al., 2016, section 7.2, who report 95 %
    on MNIST). Key "code_consistency", for a backbone that predicts the labels of the data, is the
    same accuracy of the predicted classes of generated images as their codes.

    Args:
        count: number of generated images.

    Raises:
        InputError: no images.
    """

    name = "codes"

    def __init__(self, count: int = 2000) -> None:
        if count < 1:
            raise InputError(f"codes.count={count}: give a number from 1")
        self.count = count

    def check(self, game: LatentGame, dataset: ImageDataset) -> None:
        """Refuse a model without a code of as many categories as classes.

        Raises:
            InputError: with the reason.
        """
        super().check(game, dataset)
        if not isinstance(game, InfoGAN):
            raise InputError("codes: the model has no codes: train with model=infogan")
        if dataset.num_classes < 2 or dataset.num_classes not in game.prior.categories:
            raise InputError(
                f"codes: {dataset.name} has {dataset.num_classes} classes and the codes have "
                f"{list(game.prior.categories)} categories: set prior.categories="
                f"[{dataset.num_classes}] on labelled data"
            )

    def measure(
        self, game: LatentGame, dataset: ImageDataset, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """Return the accuracy and, for a backbone that predicts the labels, the consistency."""
        assert isinstance(game, InfoGAN)
        classes, which = dataset.num_classes, game.prior.categories.index(dataset.num_classes)
        pairs = [self._infer_codes(game, which, *batch) for batch in dataset.reals("test", BATCH)]
        values = {"code_accuracy": _agreement(pairs, classes)}
        if backbone.predicts_labels:
            pairs = [self._classify(game, which, backbone, seed, k) for k in self._batches()]
            values["code_consistency"] = _agreement(pairs, classes)
        return values

    @torch.no_grad()
    def _infer_codes(
        self, game: InfoGAN, which: int, images: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the codes that Q infers from real images, and the labels of these."""
        assert labels is not None
        logits, _ = game.posterior(game.discriminator.features(images.to(game.device)))
        return logits[which].argmax(1).cpu(), labels.cpu()

    def _batches(self) -> list[range]:
        """Return the indices of the generated images, in batches."""
        starts = range(0, self.count, BATCH)
        return [range(start, min(start + BATCH, self.count)) for start in starts]

    def _classify(
        self, game: InfoGAN, which: int, backbone: Backbone, seed: int, indices: range
    ) -> tuple[Tensor, Tensor]:
        """Return the codes of generated images, and the classes that the backbone predicts."""
        z = game.prior.sample_each(seed, indices)
        _, codes, _ = game.prior.split(z)
        logits = backbone(game.decode(z).to(game.device)).logits
        return codes[which].argmax(1), logits.argmax(1).cpu()

    def stamp(self) -> Stamp:
        """Return the split of real images and the number of generated ones."""
        return {"codes_split": "test", "codes_count": self.count}
