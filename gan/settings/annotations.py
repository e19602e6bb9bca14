"""Types of settings, read from the annotations of source files."""

import ast
from collections.abc import Callable, Iterator

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

_SCALARS: dict[str, Type] = {
    "bool": Truth(),
    "int": WholeNumber(),
    "float": Number(),
    "str": Text(),
    "None": Null(),
}
_LISTS = ("list", "tuple", "List", "Tuple", "Sequence", "Iterable")
_MAPPINGS = ("dict", "Dict", "Mapping")
IsClass = Callable[[ast.expr], bool]


def type_of(annotation: ast.expr | None, is_own_class: IsClass) -> Type:
    """Return the values that an annotation admits; tensors do not count, as settings have none.

    Args:
        annotation: a syntax tree, or ``None`` for a parameter without one.
        is_own_class: whether a name means a class of this project, whose objects a config
            describes by nodes.
    """
    if annotation is None:
        return ANYTHING
    members: list[Type] = []
    for part in _alternatives(annotation):
        if _last_word(part) != "Tensor":
            members.append(_member(part, is_own_class))
    if ANYTHING in members or not members:
        return ANYTHING
    unique = tuple(dict.fromkeys(members))
    return unique[0] if len(unique) == 1 else AnyOf(unique)


def _last_word(node: ast.expr) -> str:
    """Return the name that an expression ends with, such as ``Tensor`` of ``torch.Tensor``."""
    return ast.unparse(node).rpartition(".")[2]


def _member(node: ast.expr, is_own_class: IsClass) -> Type:
    """Return the type of an annotation that is no union."""
    if isinstance(node, ast.Subscript):
        return _generic(_last_word(node.value), node.slice, is_own_class)
    scalar = _SCALARS.get(ast.unparse(node))
    if scalar is not None:
        return scalar
    return Object() if isinstance(node, ast.Name) and is_own_class(node) else ANYTHING


def _generic(name: str, inner: ast.expr, is_own_class: IsClass) -> Type:
    """Return the type of ``name[inner]``."""
    items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name == "Literal":
        constants = [item.value for item in items if isinstance(item, ast.Constant)]
        return Choice(tuple(constants)) if len(constants) == len(items) else ANYTHING
    if name in _MAPPINGS and len(items) == 2:
        return MappingOf(type_of(items[1], is_own_class))
    if name not in _LISTS:
        return ANYTHING
    types = {type_of(item, is_own_class) for item in items if not _is_ellipsis(item)}
    types = {Float() if kind == Number() else kind for kind in types}
    fixed = name in ("tuple", "Tuple") and not any(map(_is_ellipsis, items))
    return ListOf(types.pop() if len(types) == 1 else ANYTHING, len(items) if fixed else None)


def _is_ellipsis(node: ast.expr) -> bool:
    """Return whether an expression is ``...``."""
    return isinstance(node, ast.Constant) and node.value is ...


def _alternatives(annotation: ast.expr) -> Iterator[ast.expr]:
    """Yield the members of a union, or the annotation itself."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        yield from _alternatives(ast.parse(annotation.value, mode="eval").body)
    elif isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        yield from _alternatives(annotation.left)
        yield from _alternatives(annotation.right)
    elif isinstance(annotation, ast.Subscript) and _last_word(annotation.value) == "Optional":
        yield from _alternatives(annotation.slice)
        yield ast.Constant(None)
    elif isinstance(annotation, ast.Subscript) and _last_word(annotation.value) == "Union":
        inner = annotation.slice
        for member in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
            yield from _alternatives(member)
    else:
        yield annotation
