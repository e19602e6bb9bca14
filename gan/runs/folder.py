"""Run folders: what a run left behind and how to take it up again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf

from gan.algorithms.latent import LatentGame
from gan.errors import InputError
from gan.settings import resolvers
from gan.settings.trust import build

_PARTS = {"clock", "loops", "optimizer_states", "random", "state_dict"}  # of a checkpoint


def _settings(path: Path) -> DictConfig | ListConfig:
    """Return the content of a file that Hydra left in a run folder.

    Raises:
        InputError: if it is no such file.
    """
    try:
        return OmegaConf.load(path)
    except Exception as error:  # a broken file fails in any way
        raise InputError(
            f"{path} holds no settings of a run: copy it anew, or start another run"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint, on the CPU, its checksums verified.

    Code that a pickle may hold is not run.

    Raises:
        InputError: if it is not whole, or not this project's.
    """
    try:
        with ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise BadZipFile
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        foreign = not content.keys() >= _PARTS
    except Exception as error:  # a broken file fails in any way
        raise InputError(
            f"{path} is not a whole checkpoint: copy it anew, or start another run"
        ) from error
    if foreign:
        raise InputError(f"{path} is a checkpoint of another program: name a run of this one")
    return content


class Run:
    """A run folder.

    Args:
        path: the folder.
        allow_targets: packages whose classes its config may name besides this project's.

    Raises:
        InputError: if there is no run at ``path``.
    """

    def __init__(self, path: str | Path, allow_targets: Sequence[str] = ()) -> None:
        self.path, self.allow_targets = Path(path), allow_targets
        if not (self.path / ".hydra" / "config.yaml").is_file():
            raise InputError(f"{path} is no run folder: it has no .hydra/config.yaml")

    @property
    def config(self) -> DictConfig:
        """Return the config that the run was made with.

        Raises:
            InputError: if it is none.
        """
        resolvers.register()
        path = self.path / ".hydra" / "config.yaml"
        config = _settings(path)
        if not isinstance(config, DictConfig) or not config.keys() >= {"model", "data", "metrics"}:
            raise InputError(f"{path} is no config of a run: name the folder of one")
        return config

    @property
    def overrides(self) -> list[str]:
        """Return the command line that the run was made with."""
        return [str(o) for o in _settings(self.path / ".hydra" / "overrides.yaml")]

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
        """Return the game with the weights of :meth:`checkpoint`, in evaluation mode.

        Raises:
            InputError: if config and checkpoint do not make one.
        """
        game, content = build(self.config.model, self.allow_targets), self.read(*names)
        path = self.checkpoint(*names)
        if not isinstance(game, LatentGame):
            raise InputError(f"{self.path}: its model is no game that can be sampled from")
        try:
            game.load_state_dict(content["state_dict"])
            game.on_load_checkpoint(content)
        except (RuntimeError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path} is not of the networks that {self.path} describes: copy the folder anew"
            ) from error
        return game.eval().requires_grad_(False)


def load(
    run: str | Path, checkpoint: str | None = None, allow_targets: Sequence[str] = ()
) -> LatentGame:
    """Return the trained game of a run folder; see :func:`gan.load`."""
    return Run(run, allow_targets).game(*([checkpoint] if checkpoint else ["best", "last"]))
