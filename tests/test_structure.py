import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, NotRequired, TypedDict, Union

import pytest

from gan.structure import Count, Finite, Range, Settings, StructureError, check


class State(StrEnum):
    ON = "on"


class Clock(TypedDict):
    step: Count


class Loose(TypedDict):
    step: int
    note: NotRequired[str]


@dataclass
class Record:
    name: str
    values: dict[str, float]
    state: State = State.ON
    tags: list[str] = field(default_factory=list)


Rate = Annotated[float, Range(0, 1)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, int),
        (3, float),
        (math.nan, float),
        (True, bool),
        (None, str | None),
        ("x", str | None),
        ([1, "x"], list[int | str]),
        ({"a": [1.5]}, dict[str, list[float]]),
        ({"step": 0}, Clock),
        ({"name": "n", "values": {}}, Record),
        ({"name": "n", "values": {"a": 1}, "state": "on", "tags": ["t"]}, Record),
        (0.5, Rate),
        ([1, (2, "x")], [1, (2, str)]),
        ({"a": {"b": 3}}, {"a": {"b": Count}}),
        ({"a": [1, None, {"b": "x"}]}, Settings()),
        (object(), Any),
        ([object()], list[Any]),
        (0, Rate),
        (1, Rate),
        (2**53, Count),
        (2**53, float),
        (-(2**53), float),
        ({"step": 1}, Loose),
        ({"step": 1, "note": "n"}, Loose),
        ("x", Union[int, str]),  # noqa: UP007
        ([3], list),
        ({"a": (1, [2.5])}, Settings()),
    ],
)
def test_what_fits(value: Any, expected: Any) -> None:
    check(value, expected, "it")


@pytest.mark.parametrize(
    ("value", "expected", "message"),
    [
        (True, int, "it is True, not of type int"),
        (1, bool, "it is 1, not of type bool"),
        (2.0, int, "it is 2.0, not of type int"),
        (10**400, float, "it is 1000"),
        (math.nan, Finite, "it is nan, not a number from"),
        (math.inf, Finite, "it is inf, not a number from"),
        (-1, Count, "it is -1, not a number from 0"),
        (2**60, Count, "not a number from 0"),
        (3, str | None, "it is 3, not of type NoneType"),
        ("abc", list[str], "it is 'abc', not a list"),
        ([1, "x"], list[int], "it[1] is 'x', not of type int"),
        ({"a": {"b": "x"}}, dict[str, dict[str, float]], "it['a']['b'] is 'x'"),
        ({3: 1.0}, dict[str, float], "a key of it is 3"),
        ({}, Clock, "it has no step"),
        ({"step": 1, "x" * 99: 2}, Clock, "it has 'xxx"),
        ({"name": "n"}, Record, "it has no values"),
        ({"name": "n", "values": {}, "state": "off"}, Record, "it.state is 'off'"),
        ({"step": 1, "note": 3}, Loose, "it.note is 3, not of type str"),
        ({"note": "n"}, Loose, "it has no step"),
        (-0.5, Rate, "it is -0.5, not a number from 0 to 1"),
        (2**53 + 1, float, "it is 9007199254740993, not of type float"),
        ([1, 2], dict[str, int], "it is a list, not a dict"),
        (3, {"a": 1}, "it is 3, not a dictionary"),
        ([1, 2], [1], "it is a list, not a list of 1"),
        ([1, (2, 3)], [1, (2, "x")], "it[1][1] is 3 instead of 'x'"),
        (1.0, 1, "it is 1.0 instead of 1"),
        (2, 1, "it is 2 instead of 1"),
        ({3: {1}}, Settings(), "it holds a set"),
        ({(1, b"x"): 2}, Settings(), "it holds a bytes"),
        (3, list, "it is 3, not of type list"),
        (1.5, Rate, "it is 1.5, not a number from 0 to 1"),
        ([1], [1, 2], "it is a list, not a list of 2"),
        ((1,), [1], "it is a tuple, not a list of 1"),
        ({"a": {"b": True}}, {"a": {"b": 1}}, "it.a.b is True instead of 1"),
        ({"a": {1}}, Settings(), "it holds a set"),
        ([], Settings(), "it is a list, not a dictionary"),
    ],
)
def test_what_differs_is_named(value: Any, expected: Any, message: str) -> None:
    with pytest.raises(StructureError) as caught:
        check(value, expected, "it")
    assert str(caught.value).startswith(message) or message in str(caught.value)
    assert len(str(caught.value)) < 120
