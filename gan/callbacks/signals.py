"""What a run does when it is asked to stop."""

import signal
import threading
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from gan import processes
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.callbacks.checkpoints import Checkpoints
from gan.errors import REQUEUE


class Signals(Callback):
    """Hear the signals that ask a run to stop, and stop at the end of the step.

    SIGTERM and SIGUSR1, by which schedulers announce preemption: :class:`Departure` writes a
    checkpoint and exits. SIGINT (Ctrl-C): the run ends as a finished one does, with a checkpoint, a
    last picture and the table, but without another evaluation; a second one ends it at once.

    Comes first among the callbacks, so that the others know that this step is the last.

    Attributes:
        preempted: the process must make room.
    """

    def __init__(self) -> None:
        self.preempted = False
        self._asked: int | None = None
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen, where Python allows it: in the main thread."""
        if trainer.received_sigterm:  # while data and metrics were prepared
            raise SystemExit(REQUEUE)
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            self._before[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Remember the signal; the next of its kind does what it always did."""
        self._asked = number
        signal.signal(number, self._before[number])

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Decide, where any of the processes was asked to stop."""
        asked = self._asked is not None, self._asked == signal.SIGINT
        signalled, interrupted = self._agreed(trainer, asked)
        self.preempted = signalled and not interrupted
        trainer.should_stop |= interrupted

    def _agreed(self, trainer: pl.Trainer, here: tuple[bool, bool]) -> tuple[bool, bool]:
        """Return what is so on any process."""
        if trainer.world_size == 1:
            return here
        there = torch.tensor(here, dtype=torch.float32, device=trainer.strategy.root_device)
        processes.average([there])
        signalled, interrupted = there.tolist()
        return signalled > 0, interrupted > 0

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen no more."""
        self._restore()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Listen no more."""
        self._restore()

    def _restore(self) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


class Departure(StepCallback):
    """Leave a preempted process with status 75, the step logged and ``last.ckpt`` written.

    Comes last among the callbacks.

    Args:
        signals: that say so.
    """

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Leave where it is asked for; a finished run ends by itself."""
        if last or not self.signals.preempted:
            return
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Checkpoints):
                callback.write_last(trainer)
        if trainer.is_global_zero:
            print(
                f"stopped by a signal after step {game.clock.step}: the same command with "
                "resume=auto goes on"
            )
        raise SystemExit(REQUEUE)
