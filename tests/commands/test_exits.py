import os
import runpy
import signal
import sys
import threading

import pytest

from gan.commands import exits
from gan.commands.exits import exit_on_preemption, report_errors
from gan.errors import DIVERGED, INTERRUPTED, REFUSED, REQUEUE, DivergedError, InputError


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, REQUEUE), (signal.SIGUSR1, REQUEUE), (signal.SIGINT, INTERRUPTED)],
)
def test_a_signal_before_training(
    number: signal.Signals, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as end, exit_on_preemption():
        os.kill(os.getpid(), number)
    assert end.value.code == status
    assert signal.getsignal(number) is before
    line = f"ganymede: stopped by {number.name} outside the training steps\n"
    assert capfd.readouterr().err == line
    assert exits._PREEMPTED == []


def test_signals_are_left_alone_in_another_thread() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), list[object]()

    def work() -> None:
        with exit_on_preemption():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize(
    ("argv", "variable", "debug"),
    [
        (["x"], "0", False),
        (["x", "--debug"], "0", True),
        (["x"], "1", True),
        (["x", "--debug"], "1", True),
    ],
)
def test_debugging_is_asked_for_by_flag_or_variable(
    argv: list[str], variable: str, debug: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setenv("HYDRA_FULL_ERROR", variable)
    assert runpy.run_path(str(exits.__file__))["DEBUG"] is debug


@pytest.mark.parametrize("error", [DivergedError("no\x1b"), InputError("no\x1b")])
def test_a_line_on_the_standard_error(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        report_errors(fail)
    screen = capsys.readouterr()
    assert screen.out == ""
    assert screen.err.startswith("ganymede: no")
    assert "\x1b" not in screen.err
    assert end.value.__suppress_context__


def test_a_library_that_makes_an_error_of_the_exit(capsys: pytest.CaptureFixture[str]) -> None:
    def library() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except BaseException as error:
            raise InputError("cannot be composed") from error

    with pytest.raises(SystemExit) as end, exit_on_preemption():
        report_errors(library)
    assert end.value.code == REQUEUE
    assert capsys.readouterr().err == ""


def test_without_a_signal(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise InputError("steps=0: give a number from 1")

    with pytest.raises(SystemExit) as end, exit_on_preemption():
        report_errors(refuse)
    assert end.value.code == REFUSED
    assert capsys.readouterr().err == "ganymede: steps=0: give a number from 1\n"


@pytest.mark.parametrize(
    ("error", "status"),
    [(InputError("no"), 2), (DivergedError("no"), 3), (RuntimeError("no"), None)],
)
def test_the_status_of_each_error(error: Exception, status: int | None) -> None:
    def fail() -> None:
        raise error

    with pytest.raises((SystemExit, RuntimeError)) as end:
        report_errors(fail)
    assert getattr(end.value, "code", None) == status


def test_statuses_that_schedulers_and_scripts_know() -> None:
    assert (REFUSED, DIVERGED, REQUEUE, INTERRUPTED) == (2, 3, 75, 128 + signal.SIGINT)
