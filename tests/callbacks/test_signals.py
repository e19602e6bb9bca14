"""What a signal does to a run, at the end of the step in which it comes."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.signals import Preemption, Signals
from gan.errors import REQUEUE
from tests.callbacks.stage import game, place, run

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


def test_a_run_that_is_preempted_before_its_first_step_is_queued_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[bool] = []
    with monkeypatch.context() as patch:
        patch.setattr(sys.stdout, "flush", lambda: flushed.append(True))
        with pytest.raises(SystemExit) as end:
            Signals().on_train_start(place(received_sigterm=True), game())
    assert end.value.code == REQUEUE
    assert flushed  # other processes may end this one
    assert capsys.readouterr().out.startswith("stopped by SIGTERM before the first step")


def test_in_another_thread_no_handler_is_installed() -> None:
    signals = Signals()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(signals.on_train_start, place(), game()).result()
    assert signals._handlers == {}
    signals.on_exception(place(), game(), ValueError())


@pytest.mark.parametrize("number", [None, *STOPPING])
@pytest.mark.parametrize("elsewhere", [(0, 0), (1, 0), (1, 1)])
def test_all_processes_act_on_the_signal_of_one(
    number: signal.Signals | None, elsewhere: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes; an interrupt on one of them ends the run on both."""

    def average(tensors: list[torch.Tensor]) -> None:
        (share,) = tensors
        assert share.dtype == torch.float32
        share.add_(torch.tensor(elsewhere)).div_(2)

    monkeypatch.setattr("gan.processes.average", average)
    signals, trainer = Signals(), place(world_size=2)
    signals._received = number
    signals.on_train_batch_end(trainer, game(), None, None, 0)
    interrupted = number == signal.SIGINT or elsewhere[1] == 1
    assert trainer.should_stop == interrupted
    assert signals.preempted == ((number is not None or elsewhere[0] == 1) and not interrupted)
    trainer = place(should_stop=True)
    signals.on_train_batch_end(trainer, game(), None, None, 0)
    assert trainer.should_stop


@pytest.mark.parametrize("first", [True, False])
def test_how_a_preempted_run_goes_on(first: bool, capsys: pytest.CaptureFixture[str]) -> None:
    signals, kept, players = Signals(), MagicMock(spec=Checkpoints), game()
    players.clock.step = 7
    trainer = place(signals, kept, is_global_zero=first)
    Preemption(signals).after_step(trainer, players, last=False)
    signals.preempted = True
    Preemption(signals).after_step(trainer, players, last=True)
    kept.write_last.assert_not_called()
    with pytest.raises(SystemExit) as end:
        Preemption(signals).after_step(trainer, players, last=False)
    assert end.value.code == REQUEUE
    kept.write_last.assert_called_once_with(trainer)
    line = "stopped by a signal after step 7: resume=runs/a continues the run\n"
    assert capsys.readouterr().out == line * first
