"""The space that a run needs in its folder."""

import errno
import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pytorch_lightning.callbacks import Callback

from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.evaluation import MetricsCallback
from gan.errors import InputError, causes
from gan.runs.resume import has_checkpoint

FULL = (errno.ENOSPC, errno.EDQUOT)
_MOMENTS = 2  # of each weight that an optimizer may keep: Adam's
_KEPT = 3  # the last checkpoint, the one before, and the one that is being written


def checkpoint_size(game: TwoPlayerGame) -> int:
    """Return the approximate size of a checkpoint in bytes: weights, average, optimizers."""
    trained = sum(p.numel() * p.element_size() for p in game.parameters() if p.requires_grad)
    return sum(int(t.nbytes) for t in game.state_dict().values()) + _MOMENTS * trained


def check_free_space(callbacks: Sequence[Callback], game: TwoPlayerGame, steps: int) -> None:
    """Refuse to start where the checkpoints will not fit on the disk.

    Raises:
        InputError: with the space that is needed.
    """
    monitored = any(isinstance(callback, MetricsCallback) for callback in callbacks)
    for callback in callbacks:
        if not isinstance(callback, Checkpoints):
            continue
        folder = next(p for p in (callback.folder, *callback.folder.parents) if p.is_dir())
        files = min(math.ceil(steps / callback.every), _KEPT) + monitored
        written = sum(path.stat().st_size for path in callback.folder.glob("*.ckpt"))
        free, needed = shutil.disk_usage(folder).free, files * checkpoint_size(game) - written
        if free < needed:
            raise InputError(
                f"{callback.folder}: {files} checkpoints need about {needed / 1e6:,.1f} MB and "
                f"{free / 1e6:,.1f} MB are free: make room, or choose another place by "
                "hydra.run.dir=DIR"
            )


@contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Turn the error of a disk that is full into one line, and remove unfinished files.

    Raises:
        InputError: if the disk is full.
    """
    try:
        yield
    except Exception as error:  # libraries wrap the error of a full disk in their own
        faults = [e for e in causes(error) if isinstance(e, OSError) and e.errno in FULL]
        if not faults:
            raise
        for part in folder.rglob("*.part"):
            part.unlink(missing_ok=True)
        remedy = f"go on by resume={folder}" if has_checkpoint(folder) else "start anew"
        raise InputError(
            f"{folder}: {faults[-1].strerror} while it trained: make room, then {remedy}"
        ) from error
