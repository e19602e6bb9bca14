"""How well a categorical code, learned without labels, matches the classes of the data."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from gan.algorithms.infogan import InfoGAN
from gan.algorithms.latent import LatentGame
from gan.errors import InputError
from gan.metrics.backbone import Backbone
from gan.metrics.probe import Probe
from gan.metrics.source import RealSource

BATCH = 100


def assignment_accuracy(codes: Tensor, labels: Tensor, count: int) -> float:
    """Return the share of agreement under the best one-to-one assignment of codes to classes.

    Args:
        codes: (N,) in 0..count-1.
        labels: (N,) likewise.
        count: of codes, and of classes.
    """
    table = torch.bincount(codes * count + labels, minlength=count**2).view(count, count)
    rows, columns = linear_sum_assignment(table.numpy(), maximize=True)
    return float(table[rows, columns].sum()) / len(codes)


class CodeAccuracy(Probe):
    """Accuracy of InfoGAN's Q as a classifier of real test images, key "code_accuracy".

    Each category of the first code with as many as the data has classes is given the class that
    makes the whole agree best, each class once (Chen et al., 2016, section 7.2, who report 95 % on
    MNIST).
    """

    name = "codes"

    def check(self, game: LatentGame, source: RealSource) -> None:
        """Refuses models without codes, and codes that do not count the classes.

        Raises:
            InputError: so it is.
        """
        super().check(game, source)
        if not isinstance(game, InfoGAN):
            raise InputError("codes: the model has no codes: train with model=infogan")
        if source.num_classes < 2 or source.num_classes not in game.prior.categories:
            raise InputError(
                f"codes: {source.name} has {source.num_classes} classes and the codes have "
                f"{list(game.prior.categories)} categories: set prior.categories="
                f"[{source.num_classes}] on labelled data"
            )

    def measure(
        self, game: LatentGame, source: RealSource, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """The accuracy on the test split."""
        assert isinstance(game, InfoGAN)
        which = game.prior.categories.index(source.num_classes)
        codes, labels = [], []
        with torch.no_grad():
            for images, classes in source.reals("test", BATCH):
                assert classes is not None
                logits, _ = game.posterior(game.discriminator.features(images.to(game.device)))
                codes.append(logits[which].argmax(1).cpu())
                labels.append(classes.cpu())
        accuracy = assignment_accuracy(torch.cat(codes), torch.cat(labels), source.num_classes)
        return {"code_accuracy": accuracy}

    def stamp(self) -> dict[str, str | int | float]:
        """The images that are read."""
        return {"codes_split": "test"}
