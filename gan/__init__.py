"""Ganymede: GAN experiments with Lightning and Hydra."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gan.algorithms.latent import LatentGame

__all__ = ["load"]


def load(run: str | Path, checkpoint: str | None = None) -> "LatentGame":
    """Return the trained model of a run folder, ready to sample.

    ``gan.load("runs/...").sample(64, seed=0)`` gives images (64, C, H, W) in [-1, 1].

    Args:
        run: the run folder.
        checkpoint: "best" or "last"; by default the best if there is one, else the last.

    Raises:
        InputError: if there is no run, or no whole checkpoint in it.
    """
    from gan.commands.run import load as load_run

    return load_run(run, checkpoint)
