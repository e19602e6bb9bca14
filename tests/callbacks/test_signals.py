"""What a signal does to a run, at the end of the step in which it comes."""

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.signals import Preemption, Signals
from gan.errors import REQUEUE
from tests.callbacks.stage import game, run

PREEMPTING = [signal.SIGTERM, signal.SIGUSR1]
STOPPING = [*PREEMPTING, signal.SIGINT]


class Sending(Callback):
    """Sends a signal to this process in one step."""

    def __init__(self, number: signal.Signals, step: int) -> None:
        self.number, self.step = number, step

    def on_train_batch_start(self, trainer: Any, game: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx + 1 == self.step:
            signal.raise_signal(self.number)


def stopped(folder: Path, number: signal.Signals, step: int, steps: int = 4) -> int:
    """Return the exit status of a run that gets a signal, which leaves the handlers as they were.

    Nothing but the signal lets it write a checkpoint before its last step.
    """
    signals, handlers = Signals(), [signal.getsignal(n) for n in STOPPING]
    last = [Checkpoints(str(folder), every=100), Preemption(signals)]
    status = 0
    try:
        run(game(), steps, signals, Sending(number, step), *last)
    except SystemExit as end:
        status = int(end.code or 0)
    assert [signal.getsignal(n) for n in STOPPING] == handlers
    return status


@pytest.mark.parametrize("number", STOPPING)
def test_the_run_ends_after_the_step_with_a_checkpoint(
    tmp_path: Path, number: signal.Signals
) -> None:
    status = REQUEUE if number in PREEMPTING else 0
    assert stopped(tmp_path, number, step=2) == status
    assert torch.load(tmp_path / "last.ckpt")["clock"]["step"] == 2


@pytest.mark.parametrize("number", STOPPING)
def test_a_run_that_is_finished_is_not_queued_again(tmp_path: Path, number: signal.Signals) -> None:
    assert stopped(tmp_path, number, step=4) == 0
    assert torch.load(tmp_path / "last.ckpt")["clock"]["step"] == 4


@pytest.mark.parametrize("number", STOPPING)
def test_the_second_signal_goes_to_the_handler_from_before(number: signal.Signals) -> None:
    def end(*_: Any) -> None:
        raise InterruptedError

    before = signal.signal(number, end)
    try:
        with pytest.raises(InterruptedError):
            run(game(), 4, Signals(), Sending(number, 2), Sending(number, 2))
    finally:
        signal.signal(number, before)
