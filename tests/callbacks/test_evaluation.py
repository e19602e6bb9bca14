from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.callbacks.stage import Scripted, digits, game, metrics, run, shares


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
