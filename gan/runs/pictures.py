"""Pictures of files, read as a run reads its data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan.settings.trust import build

_READER = "datamodules.picture_files.PictureFiles"


class Pictures(Protocol):
    """Pictures of files."""

    names: Sequence[str]
    found: Sequence[str]

    def read(self, name: str) -> Tensor:
        """Return the uint8 pixels (C, H, W) of a file."""


def find_pictures(config: DictConfig, path: Path, side: int | None, domain: str = "") -> Pictures:
    """Return the pictures of a folder or a file, in the channels of a run.

    Args:
        config: of the run.
        path: a folder, a zip file or a picture.
        side: height and width to which they are cropped and resized as images for training;
            ``None`` keeps their size.
        domain: "a" or "b", whose images of training they are like, where there are two data sets.

    Raises:
        DataError: if there are none, or a file is none.
    """
    node = {"_target_": _READER, "root": str(path), "channels": config.data.channels}
    node["resolution"] = side
    like = OmegaConf.select(config.data, domain) if domain else None
    data = config.data if like is None else like
    node |= {key: data[key] for key in ("crop", "background") if key in data}
    found: Pictures = build(OmegaConf.create(node))
    return found
