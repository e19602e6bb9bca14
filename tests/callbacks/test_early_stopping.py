import logging
from pathlib import Path

import pytest
import torch

from gan.algorithms.gan import GAN
from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.early_stopping import EarlyStopping
from gan.callbacks.evaluation import MetricsCallback
from gan.errors import InputError
from gan.runs import training
from tests.callbacks.stage import game, metrics, place, run


def stopping(
    patience: int | None, scores: MetricsCallback
) -> list[MetricsCallback | EarlyStopping]:
    stop = EarlyStopping(patience)
    stop.watch(scores)
    return [scores, stop]


def steps_done(patience: int | None, *scores: float, minimize: bool = True, every: int = 1) -> int:
    players = game()
    length = len(scores) * every
    run(players, length, *stopping(patience, metrics(*scores, minimize=minimize, every=every)))
    return players.clock.step


@pytest.mark.parametrize(
    ("patience", "scores", "minimize", "expected"),
    [
        (2, (5, 4, 6, 7, 1, 1), True, 4),
        (2, (5, 4, 6, 3, 7, 8), True, 6),  # the last step ends the run by itself
        (1, (5, 5, 1), True, 2),  # an equal value is no improvement
        (3, (5, 4, 6, 7, 3, 9, 9), True, 7),
        (1, (1, 2, 3, 2, 9), False, 4),
        (None, (1, 2, 3, 4), True, 4),
    ],
)
def test_steps_until_the_stop(
    patience: int | None, scores: tuple[float, ...], minimize: bool, expected: int
) -> None:
    assert steps_done(patience, *scores, minimize=minimize) == expected


def test_patience_counts_evaluations() -> None:
    assert steps_done(1, 5, 6, 7, every=3) == 6


def test_the_end_of_a_run_is_no_early_stop() -> None:
    callbacks = stopping(2, metrics(1, 2, 3))
    run(game(), 3, *callbacks)
    assert callbacks[1].state_dict() == {"reason": None}


def test_the_last_checkpoint_is_written_and_says_why(tmp_path: Path) -> None:
    callbacks = stopping(2, metrics(9, 2.5, 3, 4, 5))
    run(game(), 5, *callbacks, Checkpoints(str(tmp_path), every=3))
    content = torch.load(tmp_path / "last.ckpt")
    reason = "script/score has not improved in 2 evaluations since step 2, where it was 2.5"
    assert content["clock"]["step"] == 4
    assert content["callbacks"]["EarlyStopping"] == {"reason": reason}
    assert torch.load(tmp_path / "best.ckpt")["clock"]["step"] == 2
    assert training._stopped(content)  # resume=auto goes on from the one before
    assert not training._stopped(torch.load(tmp_path / "previous.ckpt"))


def weights(players: GAN) -> torch.Tensor:
    return torch.cat([p.flatten() for p in players.parameters()])


def test_a_resumed_run_stops_where_one_that_was_not_interrupted_does(tmp_path: Path) -> None:
    scores, kept = (9, 2, 3, 4, 5, 6), Checkpoints(str(tmp_path), every=1)
    whole, resumed = game(), game()
    run(whole, 6, *stopping(3, metrics(*scores)), kept)
    rest = stopping(3, metrics(*scores[4:]))
    run(resumed, 6, *rest, resume=tmp_path / "previous.ckpt")  # of step 4
    assert whole.clock.step == resumed.clock.step == 5
    assert torch.equal(weights(whole), weights(resumed))


def test_a_stopped_run_goes_on_with_more_patience_alone(tmp_path: Path) -> None:
    kept = Checkpoints(str(tmp_path), every=1)
    run(game(), 6, *stopping(1, metrics(1, 2)), kept)
    last = tmp_path / "last.ckpt"
    with pytest.raises(InputError, match=r"larger stop\.patience than 1"):
        run(game(), 6, *stopping(1, metrics(3, 4, 5, 6)), resume=last)
    players = game()
    run(players, 6, *stopping(3, metrics(3, 4, 5, 6)), resume=last)
    assert players.clock.step == 4


def test_patience_that_never_acts_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        steps_done(3, 1, 2, 3)
        assert (
            "stop.patience=3 stops nothing: the run has 3 evaluations before its end" in caplog.text
        )
        caplog.clear()
        steps_done(2, 3, 2, 1)
        assert "stop.patience" not in caplog.text


def test_what_cannot_stop_is_refused() -> None:
    with pytest.raises(InputError, match=r"stop\.patience=0"):
        EarlyStopping(0)
    with pytest.raises(InputError, match="nothing is monitored"):
        EarlyStopping(1).watch(None)
    with pytest.raises(InputError, match=r"evaluation\.every=0"):
        EarlyStopping(1).watch(metrics(every=0))
    EarlyStopping().watch(None)


def test_what_is_monitored_must_rank() -> None:
    scores = metrics()
    scores.evaluation.monitor = "script/other"
    with pytest.raises(InputError, match="nothing is monitored"):
        EarlyStopping(1).watch(scores)


def test_too_short_a_run_is_told_by_its_evaluations(caplog: pytest.LogCaptureFixture) -> None:
    for length, lines in ((5, 1), (6, 0)):
        caplog.clear()
        stop = EarlyStopping(2)
        stop.watch(metrics(every=2))
        stop.on_train_start(place(num_training_batches=length), game())
        assert len(caplog.messages) == lines


def test_nothing_stops_what_is_not_watched() -> None:
    players, stop = game(), EarlyStopping(1)
    run(players, 2, metrics(1.0, 2.0), stop)
    assert (players.clock.step, stop.reason) == (2, None)


def test_a_run_that_is_to_stop_is_not_kept_going() -> None:
    """Another callback may have stopped it; a step without an evaluation decides nothing."""
    players, scores = game(), metrics()
    stop = EarlyStopping(1)
    stop.watch(scores)
    scores.history = [{"step": 0, "script/score": 1.0}, {"step": 1, "script/score": 0.5}]
    players.clock.tick(8)
    trainer = place(should_stop=True)
    stop.after_step(trainer, players, last=False)
    assert trainer.should_stop
    scores.history = [{"step": 0, "script/score": 1.0}, {"step": 1, "script/score": 2.0}]
    for step, last, stopped in ((2, False, False), (1, True, False), (1, False, True)):
        trainer, players.clock.step = place(), step
        stop.after_step(trainer, players, last)
        assert trainer.should_stop == stopped
