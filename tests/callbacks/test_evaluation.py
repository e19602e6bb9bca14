from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from torch import Tensor, nn

from gan.callbacks.evaluation import _log
from gan.metrics.measurement import Measurement
from tests.algorithms.translating import cycle
from tests.callbacks.stage import Scripted, digits, game, metrics, place, run, shares


@pytest.mark.parametrize(
    ("every", "expected"), [(2, [2, 4, 5]), (1, [1, 2, 3, 4, 5]), (5, [5]), (0, [5])]
)
def test_evaluation_every_kth_and_the_last_step(every: int, expected: list[int]) -> None:
    callback = metrics(*range(5), every=every)
    notebook = run(game(), 5, callback)
    assert notebook.steps == expected
    assert [record["step"] for record in callback.history] == expected
    assert [record["images"] for record in callback.history] == [8 * step for step in expected]


def test_a_record_holds_the_last_and_the_best() -> None:
    callback = metrics(5.0, 2.0, 3.0)
    notebook = run(game(), 3, callback)
    assert [record["script/score"] for _, record in notebook.records] == [5.0, 2.0, 3.0]
    assert [record["best/script/score"] for _, record in notebook.records] == [5.0, 2.0, 2.0]
    assert callback.last["step"] == 3
    assert callback.best["step"] == 2
    assert metrics().last == metrics().best == {}


def test_the_largest_is_best_where_more_is_better() -> None:
    callback = metrics(1.0, 9.0, 3.0, minimize=False)
    notebook = run(game(), 3, callback)
    assert callback.best["step"] == 2
    assert notebook.records[-1][1]["best/script/score"] == 9.0


def test_exactly_num_fakes_images_are_yielded() -> None:
    callback = metrics(1.0)
    run(game(), 1, callback)
    assert isinstance(callback.evaluation, Scripted)
    assert [len(images) for images in callback.evaluation.seen[0]] == [10, 10, 5]


def test_the_generator_is_given_the_labels_that_are_told() -> None:
    players, told = game(num_classes=10), list[Tensor]()
    players.averaged.register_forward_hook(lambda _, inputs, __: told.append(inputs[1]))
    where: Any = SimpleNamespace(global_rank=0, world_size=1, datamodule=digits(1))
    labels = [y for _, y in metrics()._fakes(where, players)]
    assert [len(y) for y in told] == [10, 10, 5]
    assert [y.tolist() for y in labels if y is not None] == [y.tolist() for y in told]
    assert len(torch.unique(torch.cat(told))) > 5


def test_the_fakes_of_two_processes_are_those_of_one() -> None:
    players = game(num_classes=10)
    (a, b, c) = shares(metrics(), players, 0, 1)
    (first,) = shares(metrics(), players, 0, 2)
    (second, third) = shares(metrics(), players, 1, 2)
    assert torch.equal(first, a)
    assert torch.equal(second, b)
    assert torch.equal(third, c)
    assert len(torch.unique(torch.cat([a, b, c]).flatten(1), dim=0)) == 25


def test_every_process_gets_some_fakes() -> None:
    callback, players = metrics(), game()
    callback.evaluation.num_fakes = 5
    parts = [torch.cat([*shares(callback, players, rank, 4)]) for rank in range(4)]
    assert all(len(part) > 0 for part in parts)
    whole = torch.cat([*shares(callback, players, 0, 1)])
    both = (torch.cat(parts).flatten(1), whole.flatten(1))
    assert len(torch.unique(torch.cat(both).mul(1e4).round(), dim=0)) == len(both[0]) == 5


def test_evaluation_does_not_change_training() -> None:
    plain = game()
    run(plain, 3)
    watched = game()
    run(watched, 3, metrics(1.0, 2.0, 3.0))
    for a, b in zip(plain.parameters(), watched.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_protocol_names_the_weights_and_the_seed() -> None:
    callback = metrics(1.0)
    run(game(seed=5), 1, callback)
    assert callback.stamp == {"weights": "averaged", "sample_seed": 5}


@pytest.mark.parametrize(("classes", "labelled"), [(None, False), (0, False), (10, True)])
def test_what_is_prepared(classes: int | None, labelled: bool) -> None:
    callback, data = metrics(), digits(1)
    evaluation, players = MagicMock(), game(num_classes=classes or 0, seed=4)
    without: Any = nn.Identity()
    if classes is None:
        players.generator = without
    callback.evaluation = evaluation
    trainer = place(datamodule=data)
    callback.setup(trainer, players, "fit")
    evaluation.check_model.assert_called_once_with(players, data)
    evaluation.prepare.assert_called_once_with(data, torch.device("cpu"), labelled)
    assert callback.seed == 4
    callback.setup(trainer, cycle(), "fit")
    evaluation.check_model.assert_called_once()  # of games with latents alone
    assert evaluation.prepare.call_count == 2


def test_an_evaluation_with_what_the_loggers_are_told() -> None:
    """A logger that knows of protocols and measurements, one that does not, and the classes."""
    knowing, plain = MagicMock(), MagicMock(spec=["log_metrics"])
    callback, players, data = metrics(2.0), game(seed=4), digits(1)
    players.clock.tick(8)
    score: Any = callback.evaluation.metrics["score"]
    score.per_class = ("part",)
    callback.evaluation.measure_model = MagicMock(return_value={"own": 3.0})  # type: ignore[method-assign]
    callback._evaluate(place(datamodule=data, loggers=[plain, knowing]), players)
    (measured,) = knowing.log_measurement.call_args.args
    values = {"script/score": 2.0, "own": 3.0}
    best = {"script/score": 2.0}
    assert measured == Measurement(1, 8, values, best, 1, callback.per_class, data.class_names)
    assert len(data.class_names) == 10
    assert callback.history == [{"step": 1, "images": 8, **values}]
    knowing.log_protocol.assert_called_once_with(callback.stamp, 1)
    knowing.log_metrics.assert_not_called()
    row = {"step": 1, "images": 8, **values, "best/script/score": 2.0}
    plain.log_metrics.assert_called_once_with(row, step=1)
    callback.evaluation.measure_model.assert_called_once_with(players, 4)


def test_without_a_monitored_value_there_is_no_best_step() -> None:
    knowing, callback, players = MagicMock(), metrics(2.0), game()
    callback.evaluation.monitor = "script/none"
    callback.evaluation.measure = lambda *_: {"script/score": 2.0}  # type: ignore[method-assign]
    callback._evaluate(place(datamodule=SimpleNamespace(), loggers=[knowing]), players)
    (measured,) = knowing.log_measurement.call_args.args
    assert (measured.best_step, measured.class_names) == (None, ())
    assert (callback.best, callback.stale, callback.higher_is_better) == ({}, 0, False)


def test_records_from_before_a_run_was_resumed_may_lack_values() -> None:
    for minimize, best, stale in ((True, 2, 2), (False, 3, 1)):
        callback = metrics(minimize=minimize)
        values = (None, 3.0, 4.0, 3.5, None)
        callback.history = [
            {"step": k} if value is None else {"step": k, "script/score": value}
            for k, value in enumerate(values, start=1)
        ]
        assert callback.best["step"] == best
        assert callback.stale == stale
        assert callback.higher_is_better != minimize
        assert callback._records() == {"script/score": 3.0 if minimize else 4.0}
        assert callback.values("score") == [3.0, 4.0, 3.5]
        assert callback.last == {"step": 5}


@pytest.mark.parametrize(("rank", "start"), [(0, 0), (1, 10), (2, 20)])
def test_metrics_are_told_the_number_of_the_first_image(rank: int, start: int) -> None:
    callback = metrics()
    callback.evaluation.num_fakes, callback.evaluation._batch_size = 30, 5
    callback.evaluation.measure = MagicMock(return_value={})  # type: ignore[method-assign]
    trainer = place(global_rank=rank, world_size=3, datamodule=digits(1))
    assert callback._measure(trainer, game()) == {}
    assert callback.evaluation.measure.call_args.args[1] == start
    assert callback._batches(trainer, callback.evaluation) == (range(2 * rank, 2 * rank + 2), 5)


def test_fakes_of_an_unconditional_game_have_no_labels() -> None:
    trainer = place(datamodule=digits(1))
    assert [y for _, y in metrics()._fakes(trainer, game())] == [None] * 3


def test_a_logger_of_plain_numbers_has_the_best_besides() -> None:
    logger = MagicMock(spec=["log_metrics"])
    _log(logger, Measurement(3, 24, {"fid": 2.0, "recall/1": 0.5}, {"fid": 1.0}))
    row = {"step": 3, "images": 24, "fid": 2.0, "recall/1": 0.5, "best/fid": 1.0}
    logger.log_metrics.assert_called_once_with(row, step=3)
