import time
from types import SimpleNamespace
from typing import Any

import pytest

from gan.callbacks.base import StepCallback
from gan.callbacks.stopwatch import Stopwatch
from tests.callbacks.stage import Scripted, game, metrics, run

NOTHING: Any = SimpleNamespace()


def test_measuring_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 10.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    measuring = metrics()
    measuring.seconds = 5.0  # of the preparation
    stopwatch = Stopwatch(measuring)
    assert stopwatch.seconds == 0
    stopwatch.on_train_batch_start(NOTHING, NOTHING, NOTHING, 0)
    now, measuring.seconds = 17.0, 8.0
    assert stopwatch.seconds == 4.0
    stopwatch.on_train_end(NOTHING, NOTHING)
    now, measuring.seconds = 40.0, 9.0
    assert stopwatch.seconds == 4.0


def test_the_metrics_tell_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds

    class Slow(Scripted):
        def prepare(self, *_: object) -> None:
            wait(100)

        def measure(self, *given: Any) -> dict[str, float]:
            wait(10)
            return super().measure(*given)

        def baseline(self) -> None:
            wait(1)

    class Training(StepCallback):
        def after_step(self, *_: object) -> None:
            wait(1000)

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    measuring = metrics(1.0, 2.0)
    measuring.evaluation = Slow(1.0, 2.0)
    stopwatch = Stopwatch(measuring)
    run(game(), 2, stopwatch, Training(), measuring)
    assert (stopwatch.seconds, measuring.seconds) == (2000, 120)
    assert measuring.baseline == {}
    assert (stopwatch.seconds, measuring.seconds) == (2000, 121)
