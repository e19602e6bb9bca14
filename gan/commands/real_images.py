"""Settings of commands that read real images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gan.errors import InputError

if TYPE_CHECKING:
    from gan.runs.folder import Run
    from gan.runs.real_images import RealImages

_SPLITS = ("train", "test", "validation")


@dataclass(frozen=True)
class ImageSource:
    """Which real images a command reads.

    Attributes:
        images: folder or zip file of pictures, or one picture.
        split: instead, a split of the run's data; "test" by default.
        indices: of images of the split; by default the first.
        n: images at most; ``None`` takes all.
        data_root: where the data of the run are now; ``None`` is where they were.

    Raises:
        InputError: if a setting is out of range, or does not go with another.
    """

    images: str | None = None
    split: str | None = None
    indices: Sequence[int] | None = None
    n: int | None = None
    data_root: str | None = None

    def __post_init__(self) -> None:
        """Check the settings."""
        given = {"split": self.split, "indices": self.indices, "data.root": self.data_root}
        for name, value in given.items():
            if self.images is not None and value is not None:
                raise InputError(f"{name}: it is of the run's data: leave {name} or images out")
        if self.images is not None and not (self.path.is_dir() or self.path.is_file()):
            raise InputError(f"images={self.images}: no such folder, zip file or picture")
        if self.split is not None and self.split not in _SPLITS:
            raise InputError(f"split={self.split}: give {', '.join(_SPLITS)}")
        if self.n is not None and self.n < 1:
            raise InputError(f"n={self.n}: give a number from 1")
        if self.indices is not None and not len(self.indices):
            raise InputError("indices=[]: give one or more")

    @property
    def path(self) -> Path:
        """Return the path of the pictures."""
        return Path(self.images or "").expanduser()

    def open(self, run: "Run") -> "RealImages":
        """Return the images, cropped and resized as for training.

        Raises:
            InputError: if there is no such split or index.
            DataError: if there are no pictures, or a file is none.
        """
        from gan.runs.real_images import images_of_files, images_of_split

        if self.images is not None:
            return images_of_files(run, self.path, self.n)
        return images_of_split(run, self.split or "test", self.indices, self.n, self.data_root)
