import dataclasses
import re
from dataclasses import dataclass, fields
from typing import Literal

import pytest
from omegaconf import MISSING

from gan import __version__
from gan.commands import help as pages
from gan.commands.keys import KEY
from gan.commands.main import COMMANDS, TRAIN, Command, dispatch
from gan.settings.knobs import dotted_knobs, knobs
from tests.configs import ROOT, options

OTHERS = [name for name in COMMANDS if name != TRAIN]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the terminal wide enough for every line."""
    monkeypatch.setenv("COLUMNS", "300")


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    dispatch([*arguments])
    screen = capsys.readouterr()
    assert screen.err == ""
    return screen.out


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_every_command_in_its_group(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = shown(capsys, *arguments)
    for name in COMMANDS:
        assert re.search(rf"^{name} +[A-Z].*\. *$", page, flags=re.MULTILINE), name
    assert "Measure and compare" in page


def test_every_module_of_a_command_is_listed() -> None:
    modules = {path.stem for path in (ROOT / "gan" / "commands").glob("*.py")}
    shared = {
        "__init__",
        "main",
        "help",
        "exits",
        "translation_assessment",
        "paths",
        "keys",
        "labels",
        "outputs",
        "assessment",
        "comparison",
        "translations",
        "confusion",
        "generated",
        "real_images",
    }
    assert {name.rstrip("_") for name in modules - shared} == set(COMMANDS)


@pytest.mark.parametrize("name", OTHERS)
def test_every_setting_has_type_default_and_meaning(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(capsys, name, "--help").splitlines()
    kind = Command.load(name).options
    assert set(pages.attributes(kind)) == {field.name for field in fields(kind)}
    for field in fields(kind):
        key = field.metadata.get(KEY, field.name)
        (row,) = (line for line in lines if line.split()[:1] == [key])
        cells = re.split(r" {2,}", row.strip())
        assert len(cells) == 4, row
        assert len(cells[3]) > 5


def test_arguments_of_what_is_chosen_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    page = shown(capsys, TRAIN, "--help")
    for name, default in (
        ("evaluation.every", "steps/20, at least"),
        ("data.root", "null"),
        ("doctor.patience", "10"),
    ):
        assert re.search(rf"^{re.escape(name)} .* {default} ", page, flags=re.MULTILINE), name
    assert "evaluation.cache " not in page
    assert all(knob.comment for knob in dotted_knobs())


def test_defaults_as_the_command_line_takes_them(capsys: pytest.CaptureFixture[str]) -> None:
    page = re.sub(r" {2,}", "  ", shown(capsys, "evaluate", "--help"))
    assert "run  str | None  null  the run folder" in page
    assert "n  int  10000  " in page
    assert "checkpoints  list[str]  [best,last]  " in page
    assert "metrics  list[str] | None  null  " in page


def test_the_settings_of_training(capsys: pytest.CaptureFixture[str]) -> None:
    page = re.sub(r" {2,}", "  ", shown(capsys, TRAIN, "--help"))
    assert "steps  int  2000  generator updates" in page
    assert "loss  non_saturating  " + ", ".join(options("loss")) in page
    assert "experiment  null  cifar10_dcgan_hinge" in page
    assert "--cfg job" in page
    assert all(knob.comment for knob in knobs())


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "--version") == f"ganymede {__version__}\n"


@dataclass
class ChosenOptions:
    """Settings of a command.

    Attributes:
        run: a folder,
            over two lines.
        kind: one of two [a].
        many: a list.
        on: a switch.
    """

    run: str = MISSING
    kind: Literal["a", "b"] = "a"
    many: list[str] = dataclasses.field(default_factory=lambda: ["x", "y"])
    on: bool = False


def test_types_and_defaults_as_they_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    def choose(options: ChosenOptions) -> None:
        """Choose [a] of two."""

    pages.show_options("choose", choose, ChosenOptions)
    lines = [re.sub(r" {2,}", "  ", line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "ganymede choose key=value ...",
        "",
        "Choose [a] of two.",
        "",
        "setting  type  default  meaning",
        "run  str  required  a folder, over two lines.",
        "kind  a | b  a  one of two [a].",
        "many  list[str]  [x,y]  a list.",
        "on  bool  false  a switch.",
    ]
