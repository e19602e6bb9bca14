"""Checkpoints of a run folder, and the games that they restore."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch

from gan.algorithms.latent import LatentGame
from gan.algorithms.two_player import rename_entries
from gan.errors import InputError
from gan.runs.folder import Run, names_of
from gan.settings.trust import build

_PARTS = {"clock", "loops", "optimizer_states", "random", "state_dict"}  # of a checkpoint


def read(path: Path) -> dict[str, Any]:
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
    rename_entries(content["state_dict"])
    return content


def latest(run: Run) -> list[tuple[Path, dict[str, Any]]]:
    """Return the last checkpoint and the one before, if they are whole, with their content.

    A damaged one is reported on the standard output.

    Raises:
        InputError: if neither is whole.
    """
    folder = run.checkpoint("last", "previous").parent
    whole, damaged = [], []
    for path in (folder / f"{name}.ckpt" for name in ("last", "previous")):
        if path.is_file():
            try:
                whole.append((path, read(path)))
            except InputError as error:
                damaged.append(error)
    if not whole:
        raise damaged[0]
    for reason in damaged:
        print(f"{reason}; going on from {whole[0][0]}")
    return whole


def load_game(run: Run, *names: str) -> LatentGame:
    """Return the game of a run with the weights of a checkpoint, in evaluation mode.

    Args:
        run: the run.
        names: of checkpoints; the first that exists is taken.

    Raises:
        InputError: if config and checkpoint do not fit together, or there is no checkpoint.
    """
    game, path = build(run.config.model, run.allow_targets), run.checkpoint(*names)
    if not isinstance(game, LatentGame):
        raise InputError(f"{run.path}: its model is no game that can be sampled from")
    content = read(path)
    try:
        game.load_state_dict(content["state_dict"])
        game.on_load_checkpoint(content)
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is not of the networks that {run.path} describes: copy the folder anew"
        ) from error
    return game.eval().requires_grad_(False)


def load(
    run: str | Path, checkpoint: str | None = None, allow_targets: Sequence[str] = ()
) -> LatentGame:
    """Return the trained game of a run folder; see :func:`gan.load`."""
    return load_game(Run(run, allow_targets), *names_of(checkpoint))
