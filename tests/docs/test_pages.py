"""Links, code and commands of the README and of the pages of `docs/`."""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.types import IntervalSweep

from gan.commands.main import COMMANDS, TRAIN, Command
from gan.settings import resolvers, schema
from gan.settings.commandline import CommandLine
from gan.settings.unused import refuse_unused
from gan.settings.validation import validate
from gan.sweeps import tpe
from tests.configs import ROOT, thinned
from tests.docs.blocks import PAGES, blocks, commands, write_files

GUIDES = [page for page in PAGES if page.stem.startswith("own_")]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SECTION = re.compile(r"^#+ (.+)$", re.MULTILINE)
_GENERATED = ("models/", "api/")


def names(page: Path) -> str:
    return str(page.relative_to(ROOT))


def typed() -> list[tuple[Path, list[str]]]:
    return [(page, given) for page in PAGES for given in commands(page)]


TYPED = typed()
TRAINED = [(p, g[1:]) for p, g in TYPED if g[:1] == [TRAIN] and not {"--help"} & set(g)]


@cache
def anchors(page: Path) -> set[str]:
    """Return the names of a page's sections, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _SECTION.findall(text))
    return {title.strip().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in _LINK.findall(text):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link) or path.startswith(_GENERATED):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_pages_have_commands_of_every_kind() -> None:
    assert {given[0] for _, given in TYPED} >= set(COMMANDS)
    assert len(TRAINED) > 50


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_commands_are_understood(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolvers.register()
    schema.register()
    write_files(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, *given in commands(page):
        if {"--help", "--version"} & {name, *given}:
            continue
        if name == TRAIN:
            CommandLine(given)
        else:
            replace(Command.load(name), function=lambda options: None).run(given)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Enter an empty folder, from which packages are imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]


def jobs(line: CommandLine) -> Iterator[list[str]]:
    """Yield the overrides of the first and the last job of a command line, of a run twice."""
    for position in (0, -1):
        given = []
        for override in line.parsed:
            sweeps = override.is_sweep_override()
            value = override.value()
            values: list[Any]
            if isinstance(value, IntervalSweep):
                values = [value.start, value.end]
            else:
                values = list(override.sweep_string_iterator()) if sweeps else []
            key = override.get_key_element()
            given.append(f"{key}={values[position]}" if values else str(override.input_line))
        yield given


@pytest.mark.parametrize(("page", "given"), thinned(TRAINED, 12))
def test_training_composes(page: Path, given: list[str], package: Path) -> None:
    resolvers.register()
    schema.register()
    tpe.register()
    write_files(page, package)
    line = CommandLine(given)
    if line.value("resume") not in (None, "auto"):
        return  # composed of what the run stores
    for overrides in jobs(line):
        config = line.compose([*overrides, "run_dir=run"])
        if config.data.get("num_classes", 0) is None:
            config.data.num_classes = 2  # a run reads it from the data
        validate(config)
        refuse_unused(config, CommandLine(overrides).parsed)


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_python_compiles(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, names(page), "exec")


@pytest.mark.parametrize("page", GUIDES, ids=names)
def test_code_of_the_guides_runs(page: Path, package: Path) -> None:
    write_files(page, package)
    found = [block for block in blocks(page) if block.language == "python"]
    assert found
    for block in found:
        exec(compile(block.text, names(page), "exec"), {"__name__": "example"})
