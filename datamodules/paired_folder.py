"""Pairs of images of a folder or a zip file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from datamodules.errors import DataError
from datamodules.image_files import EXTENSIONS, Decoder, ImageSource, image_source
from datamodules.image_folder import ImageFolder
from datamodules.layout import Layout, LayoutReader
from datamodules.pairs import SHARED, TwoDomains

SIDES = ("A", "B")
_FOLDER = re.compile(r"(?:^|(?<=/))(train|val|test|)([AB])/")  # of the images of one side


@dataclass(frozen=True)
class HalfDecoder(Decoder):
    """Decode the left or the right half of files twice as wide as high.

    Attributes:
        side: 0 for the left half, 1 for the right one.
    """

    side: int = 0

    def read(self, name: str) -> Image.Image:
        """Return the half of the decoded image of a file, in its own size."""
        image = super().read(name)
        left = self.side * image.height
        return image.crop((left, 0, left + image.height, image.height))

    def is_square(self, width: int, height: int) -> bool:
        """Return whether a half of an image of this size is square."""
        return width == 2 * height

    @property
    def shape(self) -> str:
        """Return channels, resolution and side as text."""
        return f"{super().shape} {self.side}"


class PartialSource(ImageSource):
    """Some of the images of another source.

    Args:
        whole: the source.
        chosen: names of the images.
    """

    def __init__(self, whole: ImageSource, chosen: Iterable[str]) -> None:
        super().__init__(whole.path)
        self.whole, self.chosen = whole, list(chosen)

    def _all_files(self) -> list[str]:
        """Return the names of the images."""
        return self.chosen

    def size(self, name: str) -> int:  # noqa: D102
        return self.whole.size(name)

    def read(self, name: str) -> bytes:  # noqa: D102
        return self.whole.read(name)

    def stamp(self, name: str) -> str:  # noqa: D102
        return self.whole.stamp(name)


class Pairs:
    """The pairs of a folder or a zip file.

    Images below folders A and B, or trainA, trainB, testA and testB, are pairs if they have the
    same name, but for its extension. Elsewhere an image is a pair itself, A left and B right. The
    splits are those of A; see :class:`~datamodules.layout.LayoutReader`.

    Args:
        root: the folder or the zip file.
        validation: share of the training images that is cut off as a validation split.

    Raises:
        DataError: naming the file that is no pair, or has no partner.
    """

    def __init__(self, root: Path, validation: float) -> None:
        self.source = image_source(root)
        if not self.source.names():
            raise DataError(
                f"{root}: has no images ({' '.join(EXTENSIONS)}): set data.root to pairs of images"
            )
        self.partners = self._partners()
        files = PartialSource(self.source, self.partners or self.source.names())
        self.layout = LayoutReader(files, False, True, "A", validation).read()
        sizes = Decoder(self.source, 3, 1)
        for name in files.chosen:
            self._check_size(name, sizes)

    def _partners(self) -> dict[str, str]:
        """Return the image of B of each image of A, empty if images are pairs themselves."""
        found: dict[str, dict[str, str]] = {side: {} for side in SIDES}
        loose = []
        for name in self.source.names():
            match = _FOLDER.search(name)
            if match is None:
                loose.append(name)
                continue
            key = _FOLDER.sub(r"\1/", name, count=1).rpartition(".")[0]
            other = found[match[2]].setdefault(key, name)
            if other != name:
                raise DataError(f"{self.source.path / name}: {other} has the same name: remove one")
        if not any(found.values()):
            return {}
        if loose:
            raise DataError(f"{self.source.path / loose[0]}: is in no folder A or B: move it there")
        self._check_names(found)
        return {name: found["B"][key] for key, name in found["A"].items()}

    def _check_names(self, found: Mapping[str, Mapping[str, str]]) -> None:
        """Refuse an image without a partner."""
        for side, other in (SIDES, SIDES[::-1]):
            for key in sorted(found[side].keys() - found[other].keys()):
                raise DataError(
                    f"{self.source.path / found[side][key]}: has no partner of that name in "
                    f"{other}: add it, or remove the image"
                )

    def _check_size(self, name: str, decoder: Decoder) -> None:
        """Refuse an image that is no pair, or whose partner has other proportions."""
        where, (width, height) = self.source.path / name, decoder.size(name)
        partner = self.partners.get(name)
        if partner is None and width != 2 * height:
            raise DataError(
                f"{where}: {width}x{height} pixels: a pair is twice as wide as high, A left and B "
                "right; pairs of two files belong into folders A and B"
            )
        if partner is not None:
            other = decoder.size(partner)
            if width * other[1] != height * other[0]:
                raise DataError(
                    f"{where}: {width}x{height} pixels and {partner} {other[0]}x{other[1]}: give "
                    "both the same proportions"
                )

    def decoder(
        self, side: int, channels: int, resolution: int, crop: str, background: str
    ) -> Decoder:
        """Return the decoder of one side, 0 or 1; see :class:`Decoder`."""
        if self.partners:
            return Decoder(self.source, channels, resolution, crop, background)
        return HalfDecoder(self.source, channels, resolution, crop, background, side=side)

    def side(self, side: int) -> Layout:
        """Return the images of one side, 0 or 1, by split."""
        partners = self.partners if side else {}
        splits = self.layout.splits.items()
        names = {split: [partners.get(name, name) for name in chosen] for split, chosen in splits}
        return Layout(names, found=self.layout.found if side == 0 else ())


class Side(ImageFolder):
    """One side of pairs.

    Args:
        pairs: of both sides.
        side: 0 for A, 1 for B.
        facts: see :class:`~datamodules.image_folder.ImageFolder`.
    """

    def __init__(self, pairs: Pairs, side: int, **facts: Any) -> None:
        super().__init__(num_classes=0, **facts)
        self.pairs, self.side = pairs, side
        self.name = f"{self.root.stem}/{SIDES[side]}"

    @property
    def source(self) -> ImageSource:
        """Return the files of both sides."""
        return self.pairs.source

    @cached_property
    def layout(self) -> Layout:
        """Return the splits."""
        return self.pairs.side(self.side)

    @property
    def _decoder(self) -> Decoder:
        """Return the decoder."""
        return self.pairs.decoder(
            self.side, self.channels, self.resolution, self.crop, self.background
        )


class PairedFolder(TwoDomains):
    """Pairs of images of a folder or a zip file: side by side, or of one name in A and B.

    Image k of both domains is the same pair, and a pair is flipped as a whole. See
    :class:`Pairs`.

    Args:
        root: the folder or the zip file.
        swap: take the images of B as the sources, domain A.
        crop: how images become square: "centre", "pad" or "stretch".
        background: colour on which images with transparency are put, such as "white" or "#808080".
        facts: see :class:`~datamodules.pairs.TwoDomains`.

    Raises:
        DataError: naming the file that is no pair, or has no partner.
    """

    name = "paired"
    sequences: ClassVar[Mapping[str, int]] = {"a": 0, "b": 0}

    def __init__(
        self,
        *,
        root: str | None = None,
        swap: bool = False,
        crop: str = "centre",
        background: str = "white",
        **facts: Any,
    ) -> None:
        super().__init__(root=root, **facts)
        if root is None:
            raise DataError("data.root is not set: give a folder or a zip file with pairs")
        names = (*SHARED, "channels", "flip", "workers", "memory_limit", "cache")
        shared = {name: getattr(self, name) for name in names}
        shared |= {"root": root, "crop": crop, "background": background}
        pairs = Pairs(self.root, self.validation)
        a, b = (Side(pairs, side, **shared) for side in ((1, 0) if swap else (0, 1)))
        self.join(a, b)

    @property
    def paired(self) -> bool:
        """Return true."""
        return True
