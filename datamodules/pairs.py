"""Data sets whose images are in two domains."""

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from datamodules.base import ImageDataModule
from datamodules.degradations.base import Degradation
from datamodules.domain import COLOURS, Domain
from datamodules.errors import DataError
from datamodules.loader import PairLoader
from datamodules.split import Split

SHARED = ("resolution", "batch_size", "steps", "n_critic", "seed")


class TwoDomains(ImageDataModule):
    """Images of two domains, each a data set; batches of training are pairs.

    Taken as one data set, it is that of domain B. Fingerprint and identity are those of both.

    A subclass calls `join` with the data sets.

    Args:
        channels: of both domains, 1 or 3.
        num_classes: 0; the domains have the labels of their data sets.
        task: None.
        facts: see :class:`~datamodules.base.ImageDataModule`.

    Attributes:
        sequences: number of the sequence of indices of each domain.
        sets: the data sets of domains "a" and "b".
        domains: their images, brought to one number of channels.

    Raises:
        DataError: if an argument is out of range.
    """

    sequences: ClassVar[Mapping[str, int]]

    def __init__(
        self,
        *,
        channels: int,
        num_classes: int = 0,
        task: Degradation | None = None,
        **facts: Any,
    ) -> None:
        if task:
            raise DataError(
                f"task={task.name}: data={self.name} has images of two domains: leave task= out"
            )
        if num_classes:
            raise DataError(
                f"data.num_classes={num_classes}: pairs have no classes, each domain has its own: "
                "leave it out"
            )
        super().__init__(channels=channels, num_classes=0, **facts)

    def join(self, a: ImageDataModule, b: ImageDataModule) -> None:
        """Take two data sets as the domains.

        Raises:
            DataError: if they do not go together.
        """
        self.sets = {"a": a, "b": b}
        for side, data in self.sets.items():
            self._check_set(side, data)
        if self.channels not in (1, COLOURS):
            raise DataError(f"data.channels={self.channels}: give 1 (gray) or {COLOURS} (colour)")
        self._domains = {side: Domain(data, self.channels) for side, data in self.sets.items()}

    def _check_set(self, side: str, data: ImageDataModule) -> None:
        """Refuse a data set that is no domain, or has another value of what both share."""
        if data.channels not in (1, COLOURS) or data.domains:
            what = "pairs" if data.domains else "points"
            raise DataError(f"data.{side}={data.name}: it has {what}: choose images")
        for name in SHARED:
            if getattr(data, name) != getattr(self, name):
                raise DataError(
                    f"data.{side}.{name}={getattr(data, name)} but both domains have"
                    f" {name}={getattr(self, name)}: leave it out"
                )

    @property
    @abstractmethod
    def paired(self) -> bool:
        """Return whether image k of both domains shows the same."""

    @property
    def domains(self) -> Mapping[str, Domain]:
        """Return domains "a" and "b"."""
        return self._domains

    @property
    def may_download(self) -> bool:
        """Return whether missing files of the data sets are downloaded."""
        return all(data.may_download for data in self.sets.values())

    @may_download.setter
    def may_download(self, allowed: bool) -> None:
        for data in self.sets.values():
            data.may_download = allowed

    def prepare_data(self) -> None:
        """Download the training images of both domains if they are missing."""
        for data in self.sets.values():
            data.prepare_data()

    def setup(self, stage: str | None = None) -> None:
        """Read the training images of both domains."""
        for data in self.sets.values():
            data.trainer = self.trainer
            data.setup(stage or "fit")

    def load(self, split: str) -> Split:
        """Return a split of domain B."""
        return self.domains["b"].split(split)

    def split(self, split: str) -> Split:
        """Return a split of domain B; see :class:`~datamodules.base.ImageDataModule`."""
        return self.load(split)

    def placed(self, split: str) -> Split:
        """Return a split of domain B, moved to the device if it fits there."""
        return self.domains["b"].placed(split)

    def fingerprint(self, split: str) -> str:
        """Return the SHA-256, in hexadecimal, of a split of both domains."""
        return _joined(domain.fingerprint(split) for domain in self.domains.values())

    def identity(self) -> str:
        """Return a SHA-256 of the training images of both domains that moved files keep."""
        return _joined(domain.identity() for domain in self.domains.values())

    @property
    def found(self) -> tuple[str, ...]:
        """Return what was found out about each domain, a phrase each."""
        sets = self.sets.items()
        return tuple(f"{side.upper()}: {phrase}" for side, data in sets for phrase in data.found)

    @property
    def split_sizes(self) -> dict[str, int]:
        """Return nothing: each domain has its own."""
        return {}

    def train_dataloader(self) -> PairLoader:
        """Return the loader of training steps, each a list of `n_critic` pairs of batches.

        Raises:
            DataError: see :meth:`~datamodules.base.ImageDataModule.loader`.
        """
        loaders = {
            side: domain.loader(lambda: self.start_step, self.sequences[side])
            for side, domain in self.domains.items()
        }
        return PairLoader(loaders["a"], loaders["b"])


def _joined(digests: Iterator[str]) -> str:
    """Return one SHA-256 of several."""
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()
