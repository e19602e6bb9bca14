"""Ganymede: GAN experiments with Lightning and Hydra."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gan.runs.checkpoints import Game

__all__ = ["__version__", "load"]
__version__ = "0.2.0"


def load(
    run: str | Path,
    checkpoint: str | None = None,
    allow_targets: Sequence[str] = (),
    kind: "type[Game] | None" = None,
) -> "Game":
    """Return the trained game of a run folder, ready to sample, or to translate and restore.

    ``gan.load("runs/...").sample(64, seed=0)`` gives images (64, C, H, W) in [-1, 1]. A game on
    images turns such images into others: ``.translate(images, "ba")``, ``.restore(images)``.

    Args:
        run: the run folder.
        checkpoint: "best" or "last"; by default the best if there is one, else the last.
        allow_targets: packages of your own whose classes the config may name; a stranger's run
            can execute nothing but this project's code without them.
        kind: class of the game that is needed, for type checkers; ``None`` takes any.

    Raises:
        InputError: if there is no run, no whole checkpoint in it, its config names other code, or
            its game is of another kind.
    """
    from gan.runs.checkpoints import load as load_run

    return load_run(run, checkpoint, allow_targets, kind)
