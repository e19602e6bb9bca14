"""Classes that a config may name."""

import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan.errors import InputError
from gan.latents import Gaussian
from gan.losses.hinge import Hinge
from gan.settings.trust import build, check, find, load

SOURCE = """
from gan.losses.hinge import Hinge
from os import system
class Own:
    def __init__(self, size=1):
        self.size = size
def function():
    return 7
CONSTANT = 3
Made = [Own][0]
Ours = [Hinge][0]
Theirs = [system][0]
Number = [3][0]
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a package of the user's own."""
    (tmp_path / "trustedpackage").mkdir()
    (tmp_path / "trustedpackage" / "__init__.py").write_text("")
    (tmp_path / "trustedpackage" / "parts.py").write_text(SOURCE)
    (tmp_path / "trustedpackage" / "broken.py").write_text("import absentmodule\nA = [int][0]\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [*sys.modules]:
        if name.startswith("trustedpackage"):
            monkeypatch.delitem(sys.modules, name)


OWN = "trustedpackage.parts."
ALLOWED = ["trustedpackage"]
NO_CLASS = "no class of gan, datamodules, torch.nn, torch.optim: name one, or trust its package by"


@pytest.mark.parametrize(
    ("name", "allowed", "words"),
    [
        ("gan.losses.hinge.Hinge", [], None),
        ("torch.nn.Linear", [], None),
        ("torch.optim.Adam", [], None),
        (f"{OWN}Own", ALLOWED, None),
        (f"{OWN}function", ALLOWED, None),
        (f"{OWN}Hinge", ALLOWED, None),
        (f"{OWN}Made", ALLOWED, None),
        (f"{OWN}Ours", ALLOWED, None),
        (f"{OWN}Own", [], NO_CLASS),
        (f"{OWN}Theirs", ALLOWED, NO_CLASS),
        (f"{OWN}Number", ALLOWED, NO_CLASS),
        (f"{OWN}system", ALLOWED, NO_CLASS),
        ("gan.archives.read", [], NO_CLASS),  # a function
        ("gan.settings.trust.instantiate", [], NO_CLASS),  # of another package
        ("gann.losses.Hinge", [], NO_CLASS),
        ("gan", [], NO_CLASS),
        (3, [], NO_CLASS),
        (None, [], NO_CLASS),
        ("gan.losses.hinge.Hing", [], "no such class: correct the name"),
        ("gan.losses.hing.Hinge", [], "no such class: correct the name"),
        ("trustedpackage.absent.A", ALLOWED, "there is no module trustedpackage.absent on Python"),
        (f"{OWN}Absent", ALLOWED, "no such class: correct the name"),
        ("trustedpackage.broken.A", ALLOWED, "trustedpackage.broken cannot be imported: No module"),
        ("trustedpackage.parts.Own.size", ALLOWED, "there is no module trustedpackage.parts.Own"),
    ],
)
def test_a_class_may_be_named(name: Any, allowed: list[str], words: str | None) -> None:
    if words is None:
        assert callable(load("loss", name, allowed))
        return
    with pytest.raises(InputError) as caught:
        load("loss", name, allowed)
    assert str(caught.value).startswith(f"loss._target_={name}: {words}")


def test_nothing_is_imported_to_find_a_class() -> None:
    found = find("", f"{OWN}Own", ALLOWED)
    assert found is not None
    assert found.is_class
    assert find("", f"{OWN}Made", ALLOWED) is None
    assert not any(name.startswith("trustedpackage") for name in sys.modules)
    with pytest.raises(InputError, match=r"^_target_=os\.system: no class"):
        find("", "os.system")


HOSTILE = {"_target_": "os.system"}


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (HOSTILE, "_target_=os.system"),
        ({"a": {"b": HOSTILE}}, "a.b._target_=os.system"),
        ({"a": [1, {"b": HOSTILE}]}, "a.1.b._target_=os.system"),
        ({"a": [[HOSTILE]]}, "a.0.0._target_=os.system"),
        ({"a": {"b": "${c}"}}, "a.b=${c}: an interpolation within another: write it out"),
        ([{"a": "x${c}"}], "0.a=x${c}: an interpolation"),
    ],
)
def test_everything_within_settings_is_checked(content: Any, path: str) -> None:
    with pytest.raises(InputError) as caught:
        check(content)
    assert str(caught.value).startswith(path)
    check({"a": {"_target_": f"{OWN}Own"}, "b": [1, None, "$"]}, ALLOWED)


def test_objects_are_built_of_plain_values() -> None:
    node = OmegaConf.create({"_target_": f"{OWN}Own", "size": [{"_target_": f"{OWN}function"}, 3]})
    built = build(node, ALLOWED)
    assert built.size == [7, 3]
    assert type(built.size) is list
    with pytest.raises(InputError, match="no class"):
        build(node)


def test_a_node_is_named_by_its_place() -> None:
    config = OmegaConf.create({"a": {"b": {"_target_": "trustedpackage.broken.A"}}, "n": 4})
    with pytest.raises(InputError, match=r"^a\.b\._target_=trustedpackage\.broken\.A: "):
        build(config.a, ALLOWED)
    node = OmegaConf.create({"n": 4, "prior": {"_target_": "gan.latents.Gaussian", "dim": "${n}"}})
    assert isinstance(build(node.prior), Gaussian)
    assert isinstance(build(OmegaConf.create({"_target_": "gan.losses.hinge.Hinge"})), Hinge)
