"""Two data sets without pairs."""

from collections.abc import Mapping
from typing import Any, ClassVar

from datamodules.base import ImageDataModule
from datamodules.errors import DataError
from datamodules.pairs import TwoDomains


class Unpaired(TwoDomains):
    """Two data sets, each in an order of its own.

    Both are brought to one resolution and one number of channels.

    Args:
        a: the data set of domain A, the sources.
        b: that of domain B.
        root: folder or zip file of the data sets that are not chosen by name.
        facts: see :class:`~datamodules.pairs.TwoDomains`.

    Raises:
        DataError: if the sets do not go together, or `root` is of neither.
    """

    name = "unpaired"
    sequences: ClassVar[Mapping[str, int]] = {"a": 0, "b": 1}

    def __init__(
        self, *, a: ImageDataModule, b: ImageDataModule, root: str | None = None, **facts: Any
    ) -> None:
        super().__init__(root=root, **facts)
        self.join(a, b)
        if root is not None and self.root not in (a.root, b.root):
            raise DataError(
                f"data.root={root}: both domains are data sets by name: give data.a.root or "
                "data.b.root"
            )

    @property
    def paired(self) -> bool:
        """Return false."""
        return False

    def setup(self, stage: str | None = None) -> None:
        """Read the training images of both domains.

        Raises:
            DataError: if both are the same.
        """
        super().setup(stage)
        if len({domain.identity() for domain in self.domains.values()}) == 1:
            raise DataError(
                "data.a and data.b have the same images, which leaves nothing to translate: choose "
                "two data sets"
            )
