"""Networks and objectives compute what they did when their golden values were stored."""

import pytest

from tests.configs import thinned
from tests.golden import cases, values

CASES = cases.names()
PARTS = [case for case in CASES if not case.startswith("model/")]
MODELS = [case for case in CASES if case.startswith("model/")]


@pytest.mark.parametrize("name", [*thinned(PARTS, keep=5), *MODELS])
def test_values_are_those_stored(name: str) -> None:
    stored = values.stored(name)
    remedy = f"python -m tests.golden.write {name}"
    assert stored is not None, f"no values are stored: {remedy}"
    changes = values.differences(name, stored, values.compute(name))
    assert not changes, "\n".join([f"if this is meant: {remedy}", *changes])


def test_every_file_is_of_a_case() -> None:
    assert {*values.FOLDER.glob("*/*.json")} == {values.path(name) for name in cases.names()}
