"""Signals that stop a run."""

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
    """Receive the signals that stop a run, at the end of the step.

    SIGTERM and SIGUSR1, by which schedulers announce preemption: :class:`Preemption` writes a
    checkpoint and exits. SIGINT (Ctrl-C): the run ends like a finished one, with a checkpoint, a
    last picture and the table, but without another evaluation; a second SIGINT ends it at once.

    Acts first among the callbacks, so that the others know that this step is the last.

    Attributes:
        preempted: the run is preempted.
    """

    def __init__(self) -> None:
        self.preempted = False
        self._received: int | None = None
        self._handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Install the handlers, where Python allows it: in the main thread."""
        if trainer.received_sigterm:  # while data and metrics were prepared
            print("stopped by SIGTERM before the first step: there is no checkpoint", flush=True)
            raise SystemExit(REQUEUE)
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            self._handlers[number] = signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        """Store a signal, and restore the handler for the next one of its kind."""
        self._received = number
        signal.signal(number, self._handlers[number])

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Stop if any process of the run has received a signal."""
        received = self._received is not None, self._received == signal.SIGINT
        signalled, interrupted = self._any_process(trainer, received)
        self.preempted = signalled and not interrupted
        trainer.should_stop |= interrupted

    def _any_process(self, trainer: pl.Trainer, here: tuple[bool, bool]) -> tuple[bool, bool]:
        """Return which of two conditions hold on any process."""
        if trainer.world_size == 1:
            return here
        share = torch.tensor(here, dtype=torch.float32, device=trainer.strategy.root_device)
        processes.average([share])
        signalled, interrupted = share.tolist()
        return signalled > 0, interrupted > 0

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore the handlers."""
        self._restore()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Restore the handlers."""
        self._restore()

    def _restore(self) -> None:
        """Restore the handlers from before."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}


class Preemption(StepCallback):
    """Exit from a preempted run with status 75, after the step is logged and ``last.ckpt`` written.

    Acts last among the callbacks.

    Args:
        signals: of the run.
    """

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Exit if the run is preempted; a finished run ends by itself."""
        if last or not self.signals.preempted:
            return
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Checkpoints):
                callback.write_last(trainer)
        if trainer.is_global_zero:
            print(
                f"stopped by a signal after step {game.clock.step}: "
                f"resume={trainer.default_root_dir} continues the run"
            )
        raise SystemExit(REQUEUE)
