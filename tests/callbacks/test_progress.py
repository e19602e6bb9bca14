from pathlib import Path

import pytest

from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.progress import Progress
from gan.callbacks.telemetry import Telemetry
from tests.callbacks.stage import game, metrics, run

Screen = pytest.CaptureFixture[str]


def test_the_bar_counts_all_steps_and_shows_the_metric(capsys: Screen) -> None:
    run(game(), 3, Telemetry(every=1), metrics(1.25, 3.5, 2.75), Progress(interval=0))
    shown = capsys.readouterr().err
    assert "0/3" in shown
    last = shown.split("\r")[-1]
    assert "3/3" in last
    assert "script/score=2.75" in last
    assert "img/s=" in last


def test_the_bar_goes_on_where_a_resumed_run_stands(capsys: Screen, tmp_path: Path) -> None:
    run(game(), 2, Checkpoints(str(tmp_path)))
    capsys.readouterr()
    run(game(), 5, Progress(interval=0), resume=tmp_path / "last.ckpt")
    shown = capsys.readouterr().err
    assert "2/5" in shown.split("\r")[1]
    assert "5/5" in shown.split("\r")[-1]


def test_the_bar_is_closed_when_training_fails() -> None:
    progress = Progress()
    with pytest.raises(RuntimeError, match="script"):
        run(game(), 3, metrics(1.0), progress)
    assert progress.bar.disable  # as tqdm marks a closed bar


def test_a_failure_before_the_bar_is_no_second_failure() -> None:
    Progress().on_exception(None, None, ValueError())  # type: ignore[arg-type]
