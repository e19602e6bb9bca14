import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from gan.callbacks.estimate import Estimate
from gan.callbacks.stopwatch import Stopwatch
from gan.networks.growing import Growing
from gan.schedules import Growth

Screen = pytest.CaptureFixture[str]
FIRST = 1000.0  # seconds of the first step


class Run:
    """A run whose steps take a given time."""

    def __init__(self, patch: pytest.MonkeyPatch, seconds: float, steps: int, start: int) -> None:
        self.now, self.seconds = 0.0, seconds
        patch.setattr(time, "perf_counter", lambda: self.now)
        self.trainer: Any = SimpleNamespace(is_global_zero=True, num_training_batches=steps)
        clock = SimpleNamespace(step=start)
        self.game: Any = SimpleNamespace(clock=clock, scheduled=[])
        self.stopwatch = Stopwatch()
        self.estimate = Estimate(self.stopwatch, "do less")

    def take(self, steps: int) -> None:
        for step in range(steps):
            self.stopwatch.on_train_batch_start(self.trainer, self.game, None, step)
            self.now += self.seconds if step else FIRST
            self.game.clock.step += 1
            last = self.game.clock.step == self.trainer.num_training_batches
            self.estimate.after_step(self.trainer, self.game, last)


@pytest.mark.parametrize(
    ("seconds", "steps", "start", "taken", "text"),
    [
        (4.0, 2_570_401, 0, 21, "about 119 days at 0.25 steps/s: do less"),
        (4.0, 2_570_401, 0, 20, None),  # 19 steps after the first
        (0.125, 1001, 0, 81, "about 2.1 minutes at 8 steps/s"),
        (0.125, 1001, 0, 80, None),  # 9.9 s
        (0.125, 1501, 500, 100, "about 2.1 minutes at 8 steps/s"),  # of what is left
        (4.0, 21, 0, 21, None),  # which is over
        (4.0, 21_601, 0, 21, "about 24 hours at 0.25 steps/s"),  # no more than a day
        (4.0, 21_602, 0, 21, "about 24 hours at 0.25 steps/s: do less"),
    ],
)
def test_the_duration_is_printed_once(
    seconds: float,
    steps: int,
    start: int,
    taken: int,
    text: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Screen,
) -> None:
    Run(monkeypatch, seconds, steps, start).take(taken)
    shown = "" if text is None else f"training takes {text}\n"
    assert capsys.readouterr() == (shown, "")


def test_growing_networks_take_longer(monkeypatch: pytest.MonkeyPatch, capsys: Screen) -> None:
    for images, word in ((0, "at least"), (10_000, "about")):
        network = Growing()
        network.start_growth(Growth(32, stable=100, fade=100))
        network.set_progress(images)
        run = Run(monkeypatch, 1.0, 1000, 0)
        run.game.scheduled.append(network)
        run.take(30)
        assert capsys.readouterr().out == f"training takes {word} 17 minutes at 1 steps/s\n"


def test_other_processes_print_nothing(monkeypatch: pytest.MonkeyPatch, capsys: Screen) -> None:
    run = Run(monkeypatch, 1.0, 1000, 0)
    run.trainer.is_global_zero = False
    run.take(30)
    assert capsys.readouterr().out == ""


def test_the_estimate_is_shown_at_once_and_never_again(
    monkeypatch: pytest.MonkeyPatch, capsys: Screen
) -> None:
    flushed: list[bool] = []
    run = Run(monkeypatch, 1.0, 1000, 0)
    run.game.scheduled.append(SimpleNamespace())  # which does not grow
    with monkeypatch.context() as patch:
        patch.setattr(sys.stdout, "flush", lambda: flushed.append(True))
        run.take(100)
    assert capsys.readouterr().out.count("training takes about") == 1
    assert flushed
