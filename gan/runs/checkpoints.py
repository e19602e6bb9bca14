"""Checkpoints of a run folder, and the games that they restore."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins import TorchCheckpointIO
from typing_extensions import TypeVar

from gan import archives
from gan.algorithms.checkpoint import check_game, check_training, current_version
from gan.algorithms.class_names import ClassNames
from gan.algorithms.latent import LatentGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.clock import ClockState
from gan.errors import InputError
from gan.runs import weights
from gan.runs.classes import FILE, read_class_names
from gan.runs.folder import Export, Run, names_of, open_run
from gan.runs.uses import describe
from gan.settings.trust import build
from gan.structure import Settings, StructureError, check

_PARTS = {"clock", "loops", "optimizer_states", "random", "state_dict"}  # of a checkpoint
Content = dict[str, Any]
Game = TypeVar("Game", bound=TwoPlayerGame[Any], default=Any)


class DamagedError(InputError):
    """A checkpoint is not as it was written."""


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn the error about an entry of a checkpoint into one line for the user."""
    try:
        yield
    except StructureError as error:
        raise InputError(
            f"{path}: {error}: copy the run folder anew, or leave its settings as they were"
        ) from error


def _reason(error: Exception) -> str:
    """Return the first words of an error."""
    if isinstance(error, UnpicklingError):
        return "it holds objects that could run code, or is damaged"
    return textwrap.shorten(str(error), 100, placeholder=" ...") or type(error).__name__


def read(path: Path) -> Content:
    """Return the content of a checkpoint, on the CPU, its checksums verified.

    Code that a pickle may hold is not run.

    Raises:
        DamagedError: if it is not whole.
        InputError: if it is no checkpoint of this project.
    """
    try:
        content = archives.read(path)
    except Exception as error:  # a broken file fails in any way
        raise DamagedError(
            f"{path} is not a whole checkpoint ({_reason(error)}): copy it again, or start another "
            "run"
        ) from error
    if not isinstance(content, dict) or not content.keys() >= _PARTS:
        raise InputError(f"{path} is a checkpoint of another program: name a run of this one")
    with _named(path):
        check(content["state_dict"], dict[str, Any], "state_dict")
        check(content["clock"], ClockState, "clock")
        check(content.get("identity"), Settings(), "identity")
    return current_version(content)


def latest(run: Run) -> list[tuple[Path, Content]]:
    """Return the last checkpoint and the one before, if they are whole, with their content.

    A damaged one is reported on the standard output.

    Raises:
        InputError: if neither is whole, or one holds what no run writes.
    """
    folder = run.checkpoint("last", "previous").parent
    whole, damaged = [], []
    for path in (folder / f"{name}.ckpt" for name in ("last", "previous")):
        if path.exists():
            try:
                whole.append((path, read(path)))
            except DamagedError as error:
                damaged.append(error)
    if not whole:
        raise damaged[0]
    for reason in damaged:
        print(f"{reason}; going on from {whole[0][0]}")
    return whole


class _LoadedCheckpoint(TorchCheckpointIO):
    """Gives Lightning a checkpoint that was read and checked before, once.

    Args:
        content: of the checkpoint.
    """

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._content = content

    def load_checkpoint(self, *args: Any, **options: Any) -> Content:
        """Return the content, whatever the path, and release its memory here."""
        content, self._content = self._content, {}
        return content


def check_weights(path: Path, content: Content, game: TwoPlayerGame[Any]) -> None:
    """Refuse a checkpoint whose weights are not those of a game.

    Raises:
        InputError: with the first entry that differs.
    """
    with _named(path):
        check_game(content, game)


def set_checkpoint(
    trainer: pl.Trainer, path: Path, content: Content, game: TwoPlayerGame[Any]
) -> None:
    """Let a trainer load the content of a checkpoint.

    Raises:
        InputError: if it holds what such a trainer does not write.
    """
    with _named(path):
        check_training(content, game, trainer)
    trainer.strategy.checkpoint_io = _LoadedCheckpoint(content)


def load_game(run: Run, *names: str, kind: type[Game] | None = None) -> Game:
    """Return the game of a run with the weights of a checkpoint, in evaluation mode.

    Args:
        run: the run.
        names: of checkpoints; the first that exists is taken.
        kind: of game that is needed; ``None`` takes any.

    Raises:
        InputError: if the game is of another kind, config and checkpoint do not fit together, or
            there is no checkpoint.
    """
    game, path = build(run.config.model, run.allow_targets), run.checkpoint(*names)
    if kind is not None and not isinstance(game, kind):
        raise InputError(f"run={run.path}: {describe(game)}")
    if isinstance(run, Export):
        weights.restore(game, path, run.description)
    else:
        restore(game, path)
    if isinstance(game, LatentGame):
        game.class_names = _class_names(run, game)
    ready: Game = game.eval().requires_grad_(False)
    return ready


def restore(game: Game, path: Path) -> Game:
    """Return a game with the weights of a checkpoint, in evaluation mode.

    Raises:
        InputError: if they do not fit together.
    """
    content = read(path)
    check_weights(path, content, game)
    try:
        game.load_state_dict(content["state_dict"])
        game.on_load_checkpoint(content)
    except (RuntimeError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} cannot be restored ({_reason(error)}): copy the run folder anew"
        ) from error
    return game.eval().requires_grad_(False)


def _class_names(run: Run, game: LatentGame) -> ClassNames:
    """Return the names of the classes that a game knows, where the run folder has them.

    Raises:
        InputError: if it has those of other classes.
    """
    names = read_class_names(run.path)
    classes = game.generator.num_classes or game.num_classified
    if names and classes and len(names) != classes:
        raise InputError(
            f"{run.path / FILE}: it names {len(names)} classes and the model has {classes}: copy "
            "the run folder anew, or move the file away"
        )
    return ClassNames(names if classes else ())


def load(
    run: str | Path,
    checkpoint: str | None = None,
    allow_targets: Sequence[str] = (),
    kind: type[Game] | None = None,
) -> Game:
    """Return the trained game of a run folder; see :func:`gan.load`."""
    return load_game(open_run(run, allow_targets), *names_of(checkpoint), kind=kind)
