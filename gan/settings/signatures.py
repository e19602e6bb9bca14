"""Definitions and signatures of classes, read from their source files without an import.

An import of PyTorch takes more than a second; a source file is parsed in a few milliseconds.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path

from gan.settings.annotations import type_of
from gan.settings.types import Type

Node = ast.ClassDef | ast.FunctionDef
_MODULE = "torch.nn.modules.module"  # of torch.nn.Module
OWN = ("gan", "datamodules")  # packages of this project


_SIGNATURES: dict[Node, "Signature"] = {}  # by syntax tree, which changes with its file


class NoModuleError(LookupError):
    """There is no module of that name; the argument is the name."""


class UnreadableError(Exception):
    """A name cannot be followed through source files alone: only an import shows what it is."""


@dataclass(frozen=True)
class Module:
    """The source of a module.

    Attributes:
        name: dotted name.
        body: its statements.
        package: it is the ``__init__`` of a package.
    """

    name: str
    body: Sequence[ast.stmt]
    package: bool

    def absolute(self, statement: ast.ImportFrom) -> str:
        """Return the dotted name of the module that ``from ... import`` names."""
        if not statement.level:
            return statement.module or ""
        parts = self.name.split(".")
        parts = parts[: len(parts) - statement.level + self.package]
        return ".".join([*parts, *([statement.module] if statement.module else [])])


@dataclass(frozen=True)
class Definition:
    """A class or a function at the top level of a module.

    Attributes:
        module: in which it is defined, not merely imported.
        node: its syntax tree.
    """

    module: Module
    node: Node

    @property
    def is_class(self) -> bool:
        """Return whether it is a class, not a function."""
        return isinstance(self.node, ast.ClassDef)


@dataclass
class Signature:
    """What a constructor or a function takes.

    Attributes:
        parameters: names, each with the values that it takes.
        open: whether other keywords are taken as well.
    """

    parameters: dict[str, Type] = field(default_factory=dict)
    open: bool = False


def _spec(name: str) -> ModuleSpec | None:
    """Return where a module lies, without importing its parents."""
    top, *rest = name.split(".")
    try:
        spec = find_spec(top)
    except ValueError:  # a module that was not imported from a file
        return None
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    return spec


@cache
def _parsed(path: str, modified: int) -> Sequence[ast.stmt]:
    """Return the statements of a source file in the version of a time of modification."""
    return ast.parse(Path(path).read_bytes()).body


def _module(name: str) -> Module:
    """Return the source of a module.

    Raises:
        NoModuleError: if there is no such module.
        UnreadableError: if it has no source that can be parsed.
    """
    spec = _spec(name)
    if spec is None:
        raise NoModuleError(name)
    frozen = getattr(sys.modules.get(name), "__file__", None)  # parts of the standard library
    path = spec.loader.path if isinstance(spec.loader, SourceFileLoader) else str(frozen)
    if not path.endswith(".py"):
        raise UnreadableError(name)
    try:
        body = _parsed(path, Path(path).stat().st_mtime_ns)
    except (SyntaxError, ValueError, OSError) as error:
        raise UnreadableError(name) from error
    return Module(name, body, spec.submodule_search_locations is not None)


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run at import, those of branches included, the last first."""
    for statement in reversed(body):
        yield statement
        if isinstance(statement, ast.If) and ast.unparse(statement.test).endswith("TYPE_CHECKING"):
            yield from _statements(statement.orelse)
        elif isinstance(statement, ast.If | ast.Try | ast.With):
            handlers = [s for h in getattr(statement, "handlers", []) for s in h.body]
            branches = (getattr(statement, name, []) for name in ("body", "orelse", "finalbody"))
            yield from _statements([*handlers, *(s for branch in branches for s in branch)])


def find(name: str, seen: frozenset[str] = frozenset()) -> Definition:
    """Return the definition of a dotted name, wherever it was imported from.

    Args:
        name: a module and a name at its top level.
        seen: names that were followed on the way here.

    Raises:
        NoModuleError: if there is no such module, or it imports the name from one that is missing.
        LookupError: if it has no class or function of that name.
        UnreadableError: if an import alone shows what it is.
    """
    path, _, attribute = name.rpartition(".")
    if name in seen or not path:
        raise LookupError(name)
    module, unclear = _module(path), list[Exception]()
    for statement in _statements(module.body):
        try:
            found = _bound(module, statement, attribute, seen | {name})
        except (NoModuleError, UnreadableError) as error:
            unclear.append(error)
            continue
        if found is not None:
            return found
    if any(isinstance(error, UnreadableError) for error in unclear):
        raise UnreadableError(name)
    raise unclear[0] if unclear else LookupError(name)


def _bound(
    module: Module, statement: ast.stmt, name: str, seen: frozenset[str]
) -> Definition | None:
    """Return the definition that a statement binds to ``name``, or ``None`` if it binds none.

    Raises:
        UnreadableError: if it may bind something that cannot be read.
    """
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        if statement.name == "__getattr__":
            raise UnreadableError(name)
        return Definition(module, statement) if statement.name == name else None
    if isinstance(statement, ast.ImportFrom):
        return _imported(module, statement, name, seen)
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if any(isinstance(node, ast.Name) and node.id == name for node in targets):
            return _followed(module, statement.value, seen)
    return None


def _imported(
    module: Module, statement: ast.ImportFrom, name: str, seen: frozenset[str]
) -> Definition | None:
    """Return the definition that ``from ... import`` binds to ``name``, if it does.

    Raises:
        NoModuleError: if it imports the name from a module that is missing.
    """
    source = module.absolute(statement)
    for alias in statement.names:
        if alias.name != "*" and (alias.asname or alias.name) != name:
            continue
        try:
            return find(f"{source}.{name if alias.name == '*' else alias.name}", seen)
        except NoModuleError:
            if alias.name != "*":
                raise
        except LookupError:
            continue
    return None


def _followed(module: Module, value: ast.expr | None, seen: frozenset[str]) -> Definition:
    """Return the definition that a plain or dotted name means in a module.

    Raises:
        LookupError: if there is none.
        UnreadableError: if ``value`` is no name, or its definition cannot be read.
    """
    if isinstance(value, ast.Name):
        return find(f"{module.name}.{value.id}", seen)
    if isinstance(value, ast.Attribute):
        return find(f"{_module_name(module, value.value)}.{value.attr}", seen)
    raise UnreadableError(ast.dump(value) if value else module.name)


def _module_name(module: Module, value: ast.expr) -> str:
    """Return the dotted name of the module that an expression means in another.

    Raises:
        UnreadableError: if it means no module.
    """
    if isinstance(value, ast.Attribute):
        return f"{_module_name(module, value.value)}.{value.attr}"
    name = ast.unparse(value)
    for statement in _statements(module.body):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if (alias.asname or alias.name.split(".")[0]) == name:
                    return alias.name if alias.asname else name
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                if (alias.asname or alias.name) == name:
                    return f"{module.absolute(statement)}.{alias.name}"
    raise UnreadableError(name)


def _lineage(definition: Definition) -> list[Definition | None]:
    """Return a class and its bases in the order in which Python asks them (C3).

    ``None`` stands for a base that cannot be read.
    """
    assert isinstance(definition.node, ast.ClassDef)
    bases, lines = list[Definition | None](), list[list[Definition | None]]()
    for expression in definition.node.bases:
        node = expression.value if isinstance(expression, ast.Subscript) else expression
        if not (isinstance(node, ast.Name) and node.id == "object"):
            base = _base(definition.module, node)
            bases.append(base)
            lines.append([None] if base is None else _lineage(base))
    return [definition, *_merged([*lines, bases])]


def _base(module: Module, node: ast.expr) -> Definition | None:
    """Return the definition of a base class, or ``None`` if it cannot be read."""
    try:
        found = _followed(module, node, frozenset())
    except (LookupError, UnreadableError):
        return None
    return found if isinstance(found.node, ast.ClassDef) else None


def _merged(lines: list[list[Definition | None]]) -> Iterator[Definition | None]:
    """Yield the merge of linearised bases (C3)."""
    lines = [list(line) for line in lines if line]
    while lines:
        heads = (line[0] for line in lines)
        head = next((h for h in heads if not any(h in line[1:] for line in lines)), lines[0][0])
        yield head
        lines = [[kind for kind in line if kind != head] for line in lines]
        lines = [line for line in lines if line]


def signature(definition: Definition) -> Signature:
    """Return what a class or a function takes.

    The constructors of a class are followed through its bases as long as they take ``**kwargs``.
    """
    if definition.node not in _SIGNATURES:
        _SIGNATURES[definition.node] = _read_signature(definition)
    return _SIGNATURES[definition.node]


def _read_signature(definition: Definition) -> Signature:
    """Return what a class or a function takes, read from its syntax tree."""
    if isinstance(definition.node, ast.FunctionDef):
        return _signature_of(definition.module, definition.node)
    own = _constructor(definition)
    if own is not None and not own.open:
        return own
    found, known = Signature(), False
    for kind in _lineage(definition):
        constructor = Signature(open=True) if kind is None else _constructor(kind)
        if kind is not None and kind.module.name == _MODULE:
            return found  # it declares **kwargs and refuses them
        if constructor is None:
            continue
        known = True
        found.parameters = constructor.parameters | found.parameters
        if not constructor.open:
            return found
    return Signature(found.parameters, open=known)


def _constructor(definition: Definition) -> Signature | None:
    """Return what the ``__init__`` of a class itself takes, if it has one."""
    node = definition.node
    assert isinstance(node, ast.ClassDef)
    for statement in reversed(node.body):
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return _signature_of(definition.module, statement, skipped=1)
    return _fields(definition) if _is_dataclass(definition) else None


def _is_dataclass(definition: Definition) -> bool:
    """Return whether a class is decorated as a dataclass."""
    return any("dataclass" in ast.unparse(node) for node in definition.node.decorator_list)


def _signature_of(module: Module, node: ast.FunctionDef, skipped: int = 0) -> Signature:
    """Return what a function takes, without its first ``skipped`` parameters."""
    given = [*node.args.posonlyargs, *node.args.args][skipped:] + node.args.kwonlyargs
    parameters = {argument.arg: _type(module, argument.annotation) for argument in given}
    return Signature(parameters, open=node.args.kwarg is not None)


def _fields(definition: Definition) -> Signature:
    """Return what the constructor of a dataclass takes: its fields and those of its bases."""
    parameters: dict[str, Type] = {}
    lineage = [kind for kind in _lineage(definition) if kind is not None and _is_dataclass(kind)]
    for kind in reversed(lineage):
        for node in kind.node.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                hidden = node.value is not None and "init=False" in ast.unparse(node.value)
                if not hidden and "ClassVar" not in ast.unparse(node.annotation):
                    parameters[node.target.id] = _type(kind.module, node.annotation)
    return Signature(parameters)


def _type(module: Module, annotation: ast.expr | None) -> Type:
    """Return the values that an annotation in a module admits."""
    return type_of(annotation, lambda node: _is_own_class(module, node))


def _is_own_class(module: Module, node: ast.expr) -> bool:
    """Return whether a name means a class of this project in a module."""
    try:
        found = _followed(module, node, frozenset())
    except (LookupError, UnreadableError):
        return False
    return found.is_class and found.module.name.split(".")[0] in OWN
