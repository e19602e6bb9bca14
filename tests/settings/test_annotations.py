"""Types of settings by their annotations."""

import ast

import pytest

from gan.settings.annotations import type_of
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

WHOLE_OR_NULL = AnyOf((WholeNumber(), Null()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bool", Truth()),
        ("int", WholeNumber()),
        ("float", Number()),
        ("str", Text()),
        ("None", Null()),
        ("'int'", WholeNumber()),
        ("Unknown", ANYTHING),
        ("Own", Object()),
        ("package.Own", ANYTHING),
        ("int | None", WHOLE_OR_NULL),
        ("'int | None'", WHOLE_OR_NULL),
        ("Optional[int]", WHOLE_OR_NULL),
        ("typing.Optional[int]", WHOLE_OR_NULL),
        ("Union[int, None]", WHOLE_OR_NULL),
        ("Union[int]", WholeNumber()),
        ("int | Union[str, float]", AnyOf((WholeNumber(), Text(), Number()))),
        ("int | int", WholeNumber()),
        ("int | Tensor", WholeNumber()),
        ("float | torch.Tensor | None", AnyOf((Number(), Null()))),
        ("Tensor", ANYTHING),
        ("int | Unknown", ANYTHING),
        ("Own | None", AnyOf((Object(), Null()))),
        ("Literal['a', 3]", Choice(("a", 3))),
        ("Literal['a']", Choice(("a",))),
        ("Literal['a', B]", ANYTHING),
        ("list[int]", ListOf(WholeNumber())),
        ("typing.List[int]", ListOf(WholeNumber())),
        ("Sequence[Own]", ListOf(Object())),
        ("Iterable[str]", ListOf(Text())),
        ("tuple[int, ...]", ListOf(WholeNumber())),
        ("Tuple[int, ...]", ListOf(WholeNumber())),
        ("tuple[int, int]", ListOf(WholeNumber(), 2)),
        ("Tuple[float]", ListOf(Float(), 1)),
        ("tuple[int, str]", ListOf(ANYTHING, 2)),
        ("dict[str, float]", MappingOf(Number())),
        ("typing.Mapping[str, int | None]", MappingOf(WHOLE_OR_NULL)),
        ("Dict[str, list[Own]]", MappingOf(ListOf(Object()))),
        ("dict[str]", ANYTHING),
        ("set[int]", ANYTHING),
        ("Callable[[int], int]", ANYTHING),
    ],
)
def test_an_annotation_admits(text: str, expected: Type) -> None:
    def is_own(node: ast.expr) -> bool:
        return ast.unparse(node).endswith("Own")

    assert type_of(ast.parse(text, mode="eval").body, is_own) == expected


def test_without_an_annotation_there_is_any_value() -> None:
    assert type_of(None, lambda node: True) == ANYTHING
