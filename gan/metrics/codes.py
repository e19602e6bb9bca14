"""How well a categorical code, learned without labels, matches the classes of the data."""

from collections.abc import Sequence

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from gan.algorithms.infogan import InfoGAN
from gan.algorithms.latent import LatentGame
from gan.backbones.base import Backbone
from gan.backbones.source import RealSource
from gan.errors import InputError
from gan.metrics.probe import Probe

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


def _agreement(pairs: Sequence[tuple[Tensor, Tensor]], count: int) -> float:
    """:func:`assignment_accuracy` of batches of codes and labels."""
    codes, labels = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    return assignment_accuracy(codes, labels, count)


class CodeAccuracy(Probe):
    """How well InfoGAN's first code of as many categories as the data has classes matches them.

    Key "code_accuracy" is the accuracy of Q as a classifier of real test images, each category
    being given the class that makes the whole agree best, each class once (Chen et al., 2016,
    section 7.2, who report 95 % on MNIST). Key "code_consistency" is the same agreement between the
    codes that images are generated from and the classes that a backbone of the data's own labels
    sees in them.

    Args:
        count: images to be generated.
    """

    name = "codes"

    def __init__(self, count: int = 2000) -> None:
        if count < 1:
            raise InputError(f"codes.count={count}: give a number from 1")
        self.count = count

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
        """The accuracy on the test split and, with such a backbone, the consistency."""
        assert isinstance(game, InfoGAN)
        classes, which = source.num_classes, game.prior.categories.index(source.num_classes)
        pairs = [self._read(game, which, *batch) for batch in source.reals("test", BATCH)]
        measured = {"code_accuracy": _agreement(pairs, classes)}
        if backbone.knows_labels:
            seen = [self._seen(game, which, backbone, seed, k) for k in self._batches()]
            consistency = _agreement(seen, classes)
            measured["code_consistency"] = consistency
        return measured

    @torch.no_grad()
    def _read(
        self, game: InfoGAN, which: int, images: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The codes that Q reads off real images, and their labels."""
        assert labels is not None
        logits, _ = game.posterior(game.discriminator.features(images.to(game.device)))
        return logits[which].argmax(1).cpu(), labels.cpu()

    def _batches(self) -> list[range]:
        """The images to be generated, some at once."""
        starts = range(0, self.count, BATCH)
        return [range(start, min(start + BATCH, self.count)) for start in starts]

    def _seen(
        self, game: InfoGAN, which: int, backbone: Backbone, seed: int, indices: range
    ) -> tuple[Tensor, Tensor]:
        """The codes of generated images, and the classes that a backbone sees in them."""
        z = game.prior.sample_each(seed, indices)
        _, codes, _ = game.prior.split(z)
        logits = backbone(game.decode(z).to(game.device)).logits
        return codes[which].argmax(1), logits.argmax(1).cpu()

    def stamp(self) -> dict[str, str | int | float]:
        """The images that are read and made."""
        return {"codes_split": "test", "codes_count": self.count}
