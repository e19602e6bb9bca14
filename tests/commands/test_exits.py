import os
import signal

import pytest

from gan.commands.exits import exit_on_preemption, report_errors
from gan.errors import REFUSED, REQUEUE, InputError


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
