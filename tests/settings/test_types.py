"""Values that each type of setting takes, and what it makes of others."""

import math
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan.settings.types import (
    ANYTHING,
    AnyOf,
    Choice,
    Float,
    ListOf,
    MappingOf,
    Null,
    Number,
    Object,
    Text,
    Truth,
    Type,
    WholeNumber,
)

NODE, LIST = OmegaConf.create({"a": 1}), OmegaConf.create([1, 2])
VALUES = {
    **{"null": None, "text": "a", "digits": "12", "true": True, "zero": 0, "whole": 3},
    **{"half": 2.5, "float": 4.0, "nan": math.nan, "inf": math.inf, "list": [1, 2], "empty": []},
    **{"words": ["a", "b"], "three": [1, 2, 3], "node": NODE, "nodes": LIST, "map": {"a": 1}},
    **{"texts": {"a": "b"}, "nothing": {}},
}
NUMBERS, WHOLE = {"zero", "whole", "half", "float"}, {"zero", "whole"}
TEXTS, PAIRS = {"text", "digits"}, {"list", "nodes"}
MAPS = {"node", "map", "texts", "nothing"}
TYPES: list[tuple[Type, set[str], str]] = [
    (ANYTHING, set(VALUES), "a value"),
    (Null(), {"null"}, "null"),
    (Text(), TEXTS, "text"),
    (Truth(), {"true"}, "true or false"),
    (Number(), NUMBERS, "a number"),
    (WholeNumber(), WHOLE, "a whole number"),
    (Choice(("a", 3, "3")), {"text", "whole"}, "one of a, 3"),
    (ListOf(WholeNumber()), {*PAIRS, "three", "empty"}, "a list, each a whole number"),
    (ListOf(WholeNumber(), 2), PAIRS, "a list of 2 items, each a whole number"),
    (ListOf(ANYTHING, 3), {"three"}, "a list of 3 items"),
    (ListOf(Text()), {"words", "empty"}, "a list, each text"),
    (MappingOf(WholeNumber()), {"node", "map", "nothing"}, "a mapping, {name: value}"),
    (Object(), MAPS, "a node with _target_"),
    (AnyOf((WholeNumber(), Null())), {*WHOLE, "null"}, "a whole number or null"),
    (AnyOf((Text(), Text())), TEXTS, "text"),
]


@pytest.mark.parametrize(("kind", "taken", "name"), TYPES, ids=lambda v: getattr(v, "name", ""))
def test_what_a_type_takes(kind: Type, taken: set[str], name: str) -> None:
    assert {key for key, value in VALUES.items() if kind.accepts(value)} == taken
    assert kind.name == name


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (Text(), 3, 3),
        (Number(), "1e-3", 1e-3),
        (Number(), "fast", "fast"),
        (Number(), 3, 3),
        (Number(), None, None),
        (WholeNumber(), "1e3", 1000),
        (WholeNumber(), 1e3, 1000),
        (WholeNumber(), 2.5, 2.5),
        (WholeNumber(), "2.5", "2.5"),
        (WholeNumber(), math.inf, math.inf),
        (WholeNumber(), "inf", "inf"),
        (WholeNumber(), "many", "many"),
        (WholeNumber(), True, True),
        (AnyOf((WholeNumber(), Number())), "2.5", 2.5),
        (AnyOf((WholeNumber(), Number())), "2e1", 20),
        (AnyOf((Null(), WholeNumber())), "many", "many"),
        (ListOf(WholeNumber()), [1e3, "2e2", 3], [1000, 200, 3]),
        (ListOf(Text()), "ab", "ab"),
        (ListOf(Float()), "12", "12"),
        (Float(), "x", "x"),
        (Float(), True, True),
    ],
)
def test_numbers_that_are_written_as_other_types(kind: Type, given: Any, expected: Any) -> None:
    found = kind.convert(given)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("given", [[0, 0.9], [0, 1], ["0", "1e-1"], [0.0, 10**300]])
def test_numbers_of_a_list_become_floats(given: list[Any]) -> None:
    for kind in (ListOf(Float(), 2), AnyOf((Null(), ListOf(Float(), 2)))):
        assert not kind.accepts(given)
        found = kind.convert(given)
        assert found == [float(item) for item in given]
        assert [type(item) for item in found] == [float, float]
        assert kind.accepts(found)


@pytest.mark.parametrize("number", [10**400, -(10**400), math.inf, math.nan, "1e400"])
def test_numbers_that_no_float_holds_are_refused(number: Any) -> None:
    assert not Number().accepts(Number().convert(number))
    assert not ListOf(Float()).accepts(ListOf(Float()).convert([number, 1]))
