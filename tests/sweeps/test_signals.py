"""Signals that a sweep receives, and the processes that it starts."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gan.sweeps.signals import FORWARDED, SignalForwarder, StopError

EACH = pytest.mark.parametrize("number", FORWARDED)


class Child:
    """A training process that is not there.

    Attributes:
        heard: signals that it was sent.
    """

    def __init__(self) -> None:
        self.heard: list[int] = []

    def send_signal(self, number: int) -> None:
        self.heard.append(number)


@pytest.fixture
def forwarder(monkeypatch: pytest.MonkeyPatch) -> SignalForwarder:
    monkeypatch.setattr(multiprocessing, "active_children", list)
    return SignalForwarder()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time, in seconds, as a list of one."""
    now = [0.5]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@EACH
def test_a_process_alone_exits(forwarder: SignalForwarder, number: int) -> None:
    with pytest.raises(SystemExit) as left:
        forwarder._handle(number, None)
    assert left.value.code == (130 if number == signal.SIGINT else 75) == forwarder.status
    assert forwarder.received == number


@EACH
def test_a_child_is_told(forwarder: SignalForwarder, number: int) -> None:
    child: Any = Child()
    forwarder._child = child
    forwarder._handle(number, None)
    assert child.heard == [signal.SIGINT if number == signal.SIGINT else signal.SIGUSR1]


def test_the_first_signal_counts(forwarder: SignalForwarder, clock: list[float]) -> None:
    child: Any = Child()
    forwarder._child = child
    for number in (signal.SIGTERM, signal.SIGINT):
        forwarder._handle(number, None)
    assert (forwarder.received, forwarder.status) == (signal.SIGTERM, 75)
    assert child.heard == [signal.SIGUSR1, signal.SIGINT]
    forwarder._child = None
    clock[0] += 5
    forwarder._handle(signal.SIGTERM, None)  # no second exit


def test_a_repeat_within_a_second_is_ignored(
    forwarder: SignalForwarder, clock: list[float]
) -> None:
    child: Any = Child()
    forwarder._child = child
    for seconds in (0.0, 0.5, 0.5, 1.5):
        clock[0] += seconds
        forwarder._handle(signal.SIGINT, None)
    assert len(child.heard) == 3  # the second is ignored


def test_a_worker_of_another_process_waits_for_it(
    forwarder: SignalForwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: "another")
    forwarder._handle(signal.SIGTERM, None)
    forwarder.exit_if_received()
    assert forwarder.received == signal.SIGTERM


def test_workers_that_have_ended_are_no_fault(
    forwarder: SignalForwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    workers = [SimpleNamespace(pid=None), SimpleNamespace(pid=7)]
    monkeypatch.setattr(multiprocessing, "active_children", lambda: workers)
    monkeypatch.setattr(os, "kill", lambda *given: told.append(given))
    forwarder._handle(signal.SIGINT, None)
    assert told == [(0, signal.SIGINT), (7, signal.SIGINT)]


def test_handlers_are_installed_once_and_restored(forwarder: SignalForwarder) -> None:
    before = [signal.getsignal(number) for number in FORWARDED]
    forwarder.install()
    kept = dict(forwarder._handlers)
    forwarder.install()
    assert forwarder._handlers == kept
    assert [kept[number] for number in FORWARDED] == before
    assert {signal.getsignal(number) for number in FORWARDED} == {forwarder._handle}
    forwarder.received, forwarder._latest = 15, {15: 1.0}
    forwarder.restore()
    assert [signal.getsignal(number) for number in FORWARDED] == before
    assert forwarder.received is None
    assert not forwarder._latest
    assert not forwarder._handlers


def test_a_thread_installs_nothing(forwarder: SignalForwarder) -> None:
    thread = threading.Thread(target=forwarder.install)
    thread.start()
    thread.join()
    assert forwarder._handlers == {}


def test_waiting_is_ended_by_a_signal(
    forwarder: SignalForwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    forwarder.wait()
    assert slept == [0.2]
    forwarder.received = signal.SIGTERM
    with pytest.raises(StopError):
        forwarder.wait()


@EACH
@pytest.mark.parametrize("listening", [True, False])
def test_who_listened_before_is_told_at_the_end(
    forwarder: SignalForwarder, number: int, listening: bool
) -> None:
    heard: list[Any] = []
    forwarder.exit_if_received()
    forwarder.received = number
    forwarder._handlers = {number: lambda *given: heard.append(given)} if listening else {}
    with pytest.raises(SystemExit) as left:
        forwarder.exit_if_received()
    assert left.value.code == (130 if number == signal.SIGINT else 75)
    assert heard == ([(number, None)] if listening and number != signal.SIGINT else [])


SCRIPT = """
import os, signal, sys
ignored = signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN
print(os.environ["A"], ignored, os.getsid(0) == os.getpid(), repr(sys.stdin.read()), flush=True)
print(os.fstat(int(sys.argv[1])).st_size, file=sys.stderr, flush=True)
if sys.argv[2] == "leave":
    if os.fork():
        os._exit(4)
    import time
    time.sleep(30)
sys.exit(0)
"""


@pytest.mark.parametrize(("act", "status"), [("end", 0), ("leave", 4)])
def test_a_process_in_a_session_of_its_own(
    forwarder: SignalForwarder, act: str, status: int, tmp_path: Path
) -> None:
    log, held = tmp_path / "log.txt", tmp_path / "held"
    log.write_text("before\n")
    held.write_text("seven!!")
    before = signal.getsignal(signal.SIGUSR2)
    with held.open() as file:
        number = file.fileno()
        command = [sys.executable, "-SE", "-c", SCRIPT, str(number), act]
        assert forwarder.run(command, {"A": "b"}, log, [number]) == status
    assert log.read_text().splitlines() == ["before", "b True True ''", "7"]
    assert signal.getsignal(signal.SIGUSR2) == before
    assert forwarder._child is None


def test_what_a_failed_process_leaves_is_killed(
    forwarder: SignalForwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[Any] = []
    waited: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda *given: killed.append(given))
    for status in (0, 1, -9, None):
        child: Any = SimpleNamespace(pid=5, poll=lambda s=status: s, wait=lambda: waited.append(1))
        forwarder._kill(child)
    assert killed == [(5, signal.SIGKILL)] * 3
    assert len(waited) == 3

    def gone(*_: int) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(os, "killpg", gone)
    forwarder._kill(child)
    assert len(waited) == 3
