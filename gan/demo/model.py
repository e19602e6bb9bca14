"""The trained game that a page shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor, nn

from gan.algorithms.latent import LatentGame
from gan.backbones.pixels import to_uint8
from gan.errors import InputError
from gan.pictures import picture
from gan.runs.checkpoints import load_game
from gan.runs.folder import Run, names_of
from gan.runs.pictures import find_pictures
from gan.settings.errors import explain

_PIXELS = 4_000_000  # of an uploaded picture, at most
EACH_IN_TURN = "each class in turn"


@dataclass(frozen=True)
class Model:
    """A game of a run, in evaluation mode.

    Attributes:
        run: its folder.
        checkpoint: "best" or "last"; ``None`` is the best if there is one.
        game: on its device.
        config: of the run.
    """

    run: Run
    checkpoint: str | None
    game: Any
    config: DictConfig

    @classmethod
    def load(cls, run: Run, checkpoint: str | None, device: torch.device) -> "Model":
        """Return the game of a run folder.

        Raises:
            InputError: if it cannot be restored.
        """
        game = load_game(run, *names_of(checkpoint)).to(device)
        return cls(run, checkpoint, game, run.config)

    @property
    def title(self) -> str:
        """Return the name of the run folder."""
        return self.run.path.resolve().name

    @property
    def description(self) -> str:
        """Return game, networks, data and step in one line."""
        data = str(self.config.data.get("_target_", "")).rpartition(".")[2]
        networks = self.game.generator
        parts = networks.values() if isinstance(networks, nn.ModuleDict) else [networks]
        names = ", ".join(dict.fromkeys(type(part).__name__ for part in parts))
        file = self.run.checkpoint(*names_of(self.checkpoint)).name
        step = f"step {self.game.clock.step:,}"
        return f"{type(self.game).__name__} ({names}) on {data}, {step}, {file}"

    @property
    def draws_images(self) -> bool:
        """Return whether latents become images, and not points of the plane."""
        return isinstance(self.game, LatentGame) and self.config.data.channels != 2

    @property
    def classes(self) -> list[str]:
        """Return the names of the classes that the generator knows, in their order."""
        names = self.game.class_names
        return [names.name(k) for k in range(self.game.generator.num_classes)]

    def labels(self, name: str | None, count: int) -> Tensor | None:
        """Return labels (count,) of a class by its name, or of each class in turn.

        Returns:
            ``None`` for an unconditional generator.

        Raises:
            InputError: if there is no such class.
        """
        known = None if name in (None, EACH_IN_TURN) else [self.game.class_names.number(name)]
        labels: Tensor | None = self.game.labels_for(count, known)
        return labels

    def upload(self, path: str | None, side: int | None, domain: str = "") -> tuple[Tensor, str]:
        """Return an uploaded picture (1, C, H, W) in [-1, 1], and what was done to it, in words.

        Args:
            path: of the file; ``None`` if there is none yet.
            side: height and width to which it is cropped and resized; ``None`` keeps its size.
            domain: "a" or "b", whose images of training it is like, where there are two data sets.

        Raises:
            InputError: if there is none, it is no picture, or too large.
        """
        if path is None:
            raise InputError("Upload a picture first.")
        file = Path(path)
        try:
            found = find_pictures(self.config, file, side, domain)
            if len(found.names) != 1:
                raise InputError(f"{file.name} holds {len(found.names)} pictures: give one")
            image = found.read(found.names[0])[None] / 127.5 - 1
        except Exception as error:  # a file may be broken in any way
            line = explain(error)
            if line is None:
                raise
            raise InputError(line.replace(f"{file.parent}/", "")) from error
        if image.shape[2] * image.shape[3] > _PIXELS:
            raise InputError(
                f"{file.name} has more than {_PIXELS:,} pixels: reduce it, or use ganymede "
                "translate resize=false"
            )
        return image, "; ".join(found.found)


def as_pictures(images: Tensor) -> list[Image.Image]:
    """Return images (B, C, H, W) in [-1, 1] as pictures; gray ones stay gray."""
    pixels = to_uint8(images).permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(p.squeeze(-1) if p.shape[-1] == 1 else p) for p in pixels]


def as_grid(images: Tensor, columns: int) -> Image.Image:
    """Return images (B, C, H, W) in [-1, 1] as one picture."""
    return Image.fromarray(picture(images, columns).permute(1, 2, 0).numpy())
