from types import SimpleNamespace
from typing import Any

import pytest

from gan.conditioning.auxiliary import Auxiliary
from gan.errors import InputError
from gan.runs.batches import check_batches
from tests.algorithms import test_acgan, test_semi_supervised


def data(labelled: int | None = None, **domains: Any) -> Any:
    return SimpleNamespace(name="digits", labels_per_class=labelled, domains=domains)


def test_each_game_takes_its_own_kind_of_batches() -> None:
    check_batches(test_acgan.game(Auxiliary(3)), data())
    check_batches(test_semi_supervised.game(), data(labelled=10))


@pytest.mark.parametrize(
    ("players", "given", "words"),
    [
        (test_acgan.game(Auxiliary(3)), data(labelled=4), "data.labelled=4.*model=semi_superv"),
        (test_acgan.game(Auxiliary(3)), data(a=1, b=2), "leave task= out"),
        (test_semi_supervised.game(), data(), "set data.labelled=10"),
        (test_semi_supervised.game(), data(labelled=10, a=1, b=2), "leave task= out"),
    ],
)
def test_other_batches_are_refused(players: Any, given: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_batches(players, given)
