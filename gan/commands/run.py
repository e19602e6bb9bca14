"""Run folders: what a run left behind and how to take it up again."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from gan.algorithms.latent import LatentGame
from gan.commands import resolvers
from gan.errors import InputError


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint, on the CPU, its checksums verified.

    Raises:
        InputError: if it is not whole.
    """
    try:
        with ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise BadZipFile
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        content["clock"]["step"]
    except Exception as error:  # a broken file fails in any way
        raise InputError(
            f"{path} is not a whole checkpoint: copy it anew, or start another run"
        ) from error
    return content


class Run:
    """A run folder.

    Args:
        path: the folder.

    Raises:
        InputError: if there is no run at ``path``.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not (self.path / ".hydra" / "config.yaml").is_file():
            raise InputError(f"{path} is no run folder: it has no .hydra/config.yaml")

    @property
    def config(self) -> DictConfig:
        """Return the config that the run was made with."""
        resolvers.register()
        config = OmegaConf.load(self.path / ".hydra" / "config.yaml")
        assert isinstance(config, DictConfig)
        return config

    @property
    def overrides(self) -> list[str]:
        """Return the command line that the run was made with."""
        return [str(o) for o in OmegaConf.load(self.path / ".hydra" / "overrides.yaml")]

    def checkpoint(self, *names: str) -> Path:
        """Return the first checkpoint of ``names`` that exists.

        Raises:
            InputError: if none does.
        """
        folder = self.path / "checkpoints"
        for name in names:
            if (folder / f"{name}.ckpt").is_file():
                return folder / f"{name}.ckpt"
        wanted = " or ".join(f"{name}.ckpt" for name in names)
        found = ", ".join(sorted(path.name for path in folder.glob("*.ckpt")))
        raise InputError(f"{folder} has no {wanted}: it holds {found or 'no checkpoint yet'}")

    def read(self, *names: str) -> dict[str, Any]:
        """Return the content of :meth:`checkpoint`, on the CPU.

        Raises:
            InputError: if it cannot be read.
        """
        return _read(self.checkpoint(*names))

    def latest(self) -> list[tuple[Path, dict[str, Any]]]:
        """Return the whole ones of the last checkpoint and the one before, with their content.

        Says so where the last is damaged.

        Raises:
            InputError: if neither is whole.
        """
        folder = self.checkpoint("last", "previous").parent
        paths = [folder / f"{name}.ckpt" for name in ("last", "previous")]
        found, damaged = [], []
        for path in paths:
            if path.is_file():
                try:
                    found.append((path, _read(path)))
                except InputError as error:
                    damaged.append(error)
        if not found:
            raise damaged[0]
        for fault in damaged:
            print(f"{fault}; going on from {found[0][0]}")
        return found

    def game(self, *names: str) -> LatentGame:
        """Return the game with the weights of :meth:`checkpoint`, in evaluation mode."""
        game = instantiate(self.config.model, _convert_="all")
        assert isinstance(game, LatentGame)
        content = self.read(*names)
        game.load_state_dict(content["state_dict"])
        game.on_load_checkpoint(content)
        return game.eval().requires_grad_(False)


def load(run: str | Path, checkpoint: str | None = None) -> LatentGame:
    """Return the trained game of a run folder; see :func:`gan.load`."""
    return Run(run).game(*([checkpoint] if checkpoint else ["best", "last"]))
