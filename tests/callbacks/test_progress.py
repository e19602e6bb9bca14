import logging
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from tqdm import tqdm

from gan import progress
from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.progress import Progress
from gan.callbacks.telemetry import Telemetry
from tests.callbacks.stage import game, metrics, place, run

Screen = pytest.CaptureFixture[str]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the standard error be a terminal."""
    monkeypatch.setattr(progress, "on_terminal", lambda: True)


@pytest.mark.usefixtures("terminal")
def test_the_bar_counts_all_steps_and_shows_the_metric(capsys: Screen) -> None:
    run(game(), 3, Telemetry(every=1), metrics(1.25, 3.5, 2.75), Progress(interval=0))
    shown = capsys.readouterr().err
    assert "0/3" in shown
    last = shown.split("\r")[-1]
    assert "3/3" in last
    assert "script/score=2.75" in last
    assert "img/s=" in last
    assert "loss" not in last


@pytest.mark.usefixtures("terminal")
def test_the_bar_goes_on_where_a_resumed_run_stands(capsys: Screen, tmp_path: Path) -> None:
    run(game(), 2, Checkpoints(str(tmp_path)))
    capsys.readouterr()
    run(game(), 5, Progress(interval=0), resume=tmp_path / "last.ckpt")
    shown = capsys.readouterr().err
    assert "2/5" in shown.split("\r")[1]
    assert "5/5" in shown.split("\r")[-1]


@pytest.mark.usefixtures("terminal")
def test_the_bar_is_closed_when_training_fails() -> None:
    shown = Progress()
    with pytest.raises(RuntimeError, match="script"):
        run(game(), 3, metrics(1.0), shown)
    assert isinstance(shown.bar, tqdm)
    assert shown.bar.disable  # as tqdm marks a closed bar


def test_lines_of_a_pipe_hold_rate_losses_and_metric(capsys: Screen) -> None:
    telemetry, players = Telemetry(every=1), game()
    run(players, 3, telemetry, metrics(1.25, 3.5, 2.75), Progress(lines=0))
    shown = capsys.readouterr().err
    assert "\r" not in shown
    *lines, end = [line for line in shown.splitlines() if line.startswith("training: ")]
    assert [line.split(",")[0] for line in lines] == [
        f"training: step {step} of 3 ({share}%)" for step, share in ((1, 33), (2, 67), (3, 100))
    ]
    loss = telemetry.readings["generator/adversarial"]
    assert f", loss G {loss:.3g}, loss D " in end
    assert ", script/score 2.75, took " in end
    assert f", img/s {telemetry.rate:.0f}, " in end


def test_a_log_has_one_line_at_the_end_of_a_short_run(capsys: Screen) -> None:
    run(game(), 3, Telemetry(every=1), Progress())
    assert capsys.readouterr().err.count("training: ") == 1


def test_a_failure_before_the_bar_is_no_second_failure() -> None:
    Progress().on_exception(None, None, ValueError())  # type: ignore[arg-type]


def test_how_the_bar_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = MagicMock(spec=tqdm)
    opened = MagicMock(return_value=bar)
    monkeypatch.setattr(progress, "bar", opened)
    players, shown = game(), Progress(interval=0.25, lines=7.0)
    telemetry, scores = Telemetry(), metrics()
    telemetry.rate, telemetry.readings = 12.34, {"generator/a": 1.0}
    players.clock.step = 3
    for _ in range(2):
        shown.on_train_batch_start(place(num_training_batches=9), players, None, 0)
    opened.assert_called_once_with("training", 9, initial=3, refresh=0.25, interval=7.0, leave=True)
    for due in (False, True):
        players.log_due = due
        shown.after_step(place(telemetry, scores), players, last=False)
    bar.set_postfix.assert_called_once_with({"img/s": "12"}, refresh=False)
    assert bar.update.call_count == 2
    scores.history = [{"step": 1, "script/score": 1.234}]
    assert shown._figures(place(telemetry, scores)) == {"img/s": "12", "script/score": "1.23"}
    shown.on_train_end(place(), players)
    bar.close.assert_called_once_with()


def test_losses_are_sums_of_their_terms() -> None:
    shown, telemetry = Progress(), Telemetry()
    shown.bar = MagicMock(spec=progress.Lines)
    telemetry.readings = {"generator/a": 1.0, "generator/b": 2.5, "discriminator/a": -0.1234}
    telemetry.readings |= {"logits/real": 9.0}
    figures = {"img/s": "0", "loss G": "3.5", "loss D": "-0.123"}
    assert shown._figures(place(telemetry)) == figures


@pytest.mark.usefixtures("terminal")
def test_the_log_stands_above_the_bar_while_it_is_open() -> None:
    own = logging.StreamHandler()
    root = logging.getLogger()
    root.addHandler(own)
    try:
        shown, players = Progress(), game()
        shown.on_train_batch_start(place(), players, None, 0)
        assert own not in root.handlers
        shown.on_train_end(place(), players)
        assert own in root.handlers
        assert isinstance(shown.bar, tqdm)
        assert shown.bar.disable
    finally:
        root.removeHandler(own)
