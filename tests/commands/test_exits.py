import os
import signal

import pytest

from gan.commands.exits import exit_on_preemption, report_errors
from gan.errors import DIVERGED, INTERRUPTED, REFUSED, REQUEUE, DivergedError, InputError


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_before_training(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as end, exit_on_preemption():
        os.kill(os.getpid(), number)
    assert end.value.code == REQUEUE
    assert signal.getsignal(number) is before


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
