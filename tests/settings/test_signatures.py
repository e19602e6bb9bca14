"""What is read from source files is what an import shows."""

import inspect
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from gan.settings.signatures import Signature, UnreadableError, find, signature
from gan.settings.types import (
    ANYTHING,
    AnyOf,
    ListOf,
    Null,
    Number,
    Object,
    Truth,
    WholeNumber,
)
from gan.settings.validation import _signature_of
from tests.configs import ROOT

TARGETS = sorted(
    {
        target
        for path in ROOT.glob("conf/**/*.yaml")
        for target in re.findall(r"_target_: ([\w.]+)", path.read_text())
        if not target.startswith("hydra_plugins")
    }
    | {f"torch.optim.{name}" for name, kind in vars(torch.optim).items() if inspect.isclass(kind)}
    | {f"torch.nn.{name}" for name in ("Conv2d", "Linear", "GroupNorm", "SiLU", "Sequential")}
)


def imported(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def inspected(kind: type) -> tuple[set[str], bool]:
    """Return the parameters of a constructor, and whether it takes any other."""
    known: set[str] = set()
    constructors = [vars(k)["__init__"] for k in inspect.getmro(kind)[:-1] if "__init__" in vars(k)]
    for constructor in constructors:
        if constructor is torch.nn.Module.__init__:  # it declares **kwargs and refuses them
            return known, False
        given = list(inspect.signature(constructor).parameters.values())[1:]
        named = [p for p in given if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        known |= {parameter.name for parameter in named}
        if not any(p.kind == p.VAR_KEYWORD for p in given):
            return known, False
    return known, bool(constructors)


@pytest.mark.parametrize("target", TARGETS)
def test_source_and_import_agree(target: str) -> None:
    definition, kind = find(target), imported(target)
    assert definition.module.name.startswith(kind.__module__)
    read = signature(definition)
    assert (set(read.parameters), read.open) == inspected(kind)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a package that can be found."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "ownpackage"
    folder.mkdir()
    return folder


def test_definitions_are_followed(package: Path) -> None:
    (package / "__init__.py").write_text(
        "from .inner import Deep as Shallow\nfrom .star import *\n"
    )
    (package / "inner.py").write_text("class Deep:\n    pass\nAlias = Deep\n")
    (package / "star.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .nowhere import Hidden\n"
        "try:\n    from .nowhere import Fast as Chosen\nexcept ImportError:\n"
        "    from .inner import Deep as Chosen\nraise RuntimeError('is not run')\n"
    )
    for name in ("Shallow", "Chosen", "inner.Deep", "inner.Alias", "star.Chosen"):
        found = find(f"ownpackage.{name}")
        assert (found.module.name, found.node.name) == ("ownpackage.inner", "Deep")
    assert "ownpackage" not in sys.modules


@pytest.mark.parametrize("name", ["Missing", "nowhere.Name", "inner", "star.Hidden", "a.Loop"])
def test_what_does_not_exist(name: str, package: Path) -> None:
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("")
    (package / "star.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .inner import Hidden\n"
    )
    (package / "a.py").write_text("from .b import Loop\n")
    (package / "b.py").write_text("from .a import Loop\n")
    with pytest.raises(LookupError):
        find(f"ownpackage.{name}")


@pytest.mark.parametrize("text", ["Own = make()", "def __getattr__(name): ...", "class Own(:"])
def test_what_only_an_import_shows(text: str, package: Path) -> None:
    (package / "__init__.py").write_text(text)
    with pytest.raises(UnreadableError):
        find("ownpackage.Own")


FACTS = {
    "rate": Number(),
    "shape": ListOf(WholeNumber(), 2),
    "label": AnyOf((WholeNumber(), Null())),
}
SOURCE = """
from dataclasses import dataclass, field
from typing import Any, ClassVar, Optional, Union
from compiled_nowhere import Unknown
from torch import Tensor

class Base:
    def __init__(self, size: int, name: "str | None" = None) -> None: ...

class Left(Base):
    def __init__(self, left: float = 0.0, **rest: Any) -> None: ...

class Right(Base):
    def __init__(self, *right: int, flag: bool = False, **rest: Any) -> None: ...

class Both(Left, Right):
    pass

class Foreign(Unknown):
    def __init__(self, own: int, **rest: Any) -> None: ...

@dataclass
class Facts:
    rate: Union[float, Tensor]
    shape: tuple[int, int] = (1, 1)
    known: ClassVar[int] = 0
    hidden: int = field(init=False, default=0)

@dataclass
class More(Facts):
    label: Optional[int] = None

def function(x, size: int = 0): ...

from pathlib import Path
from gan.losses.base import AdversarialLoss
from gan.settings.trust import build
def typed(loss: AdversarialLoss, other: Unknown, path: Path, made: build): ...
"""
KINDS = {"loss": Object(), **dict.fromkeys(("other", "path", "made"), ANYTHING)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Both", Signature({"left": Number(), "flag": Truth(), "size": WholeNumber()}, False)),
        ("Foreign", Signature({"own": WholeNumber()}, True)),
        ("More", Signature(FACTS, False)),
        ("function", Signature({"x": ANYTHING, "size": WholeNumber()}, False)),
        ("typed", Signature(KINDS, False)),
    ],
)
def test_signatures(name: str, expected: Signature, package: Path) -> None:
    (package / "__init__.py").write_text(SOURCE)
    found = signature(find(f"ownpackage.{name}"))
    known = found.parameters | {"name": expected.parameters.get("name", ANYTHING)}
    assert found.open == expected.open
    assert {k: v for k, v in known.items() if k != "name"} == expected.parameters


def test_a_changed_file_is_read_anew(package: Path) -> None:
    (package / "__init__.py").write_text("")
    with pytest.raises(LookupError):
        find("ownpackage.Own")
    (package / "__init__.py").write_text("class Own: ...\n")
    assert find("ownpackage.Own").is_class


def test_what_only_an_import_shows_is_imported(package: Path) -> None:
    (package / "__init__.py").write_text(
        "class Closed:\n    def __init__(self, size, rate=0.1, *, label=None): ...\n"
        "class Open:\n    def __init__(self, **rest): ...\n"
        "class Mixed:\n    def __init__(self, size, **rest): ...\n"
        "Made = [Closed][0]\nOther = [Open][0]\nBoth = [Mixed][0]\n"
    )
    names = ("ownpackage.Made", "ownpackage.Other", "ownpackage.Both")
    made, other, both = (_signature_of("it", name, ["ownpackage"]) for name in names)
    assert made == Signature(dict.fromkeys(("size", "rate", "label"), ANYTHING), open=False)
    assert other == Signature({}, open=True)
    assert both == Signature({"size": ANYTHING}, open=True)
    sys.modules.pop("ownpackage")
