import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.configs import ROOT

NOUNS = ["batch", "clock", "devices", "latents", "optimizers", "progress", "schedules"]
RANKS = {
    **dict.fromkeys(["deferral", "durations", "errors", "structure", "tables", "tasks"], 0),
    **dict.fromkeys(["files", "processes"], 1),
    **dict.fromkeys(["archives", "records", *NOUNS], 2),
    **dict.fromkeys(["averaging", "backbones", "layers", "settings"], 3),
    **dict.fromkeys(["augment", "likelihoods", "losses", "regularizers"], 4),
    "conditioning": 5,
    "networks": 6,
    "algorithms": 7,
    "metrics": 8,
    **dict.fromkeys(["pictures", "plots"], 9),
    **dict.fromkeys(["callbacks", "loggers"], 10),
    "runs": 11,
    **dict.fromkeys(["demo", "exports", "sweeps"], 12),
    **dict.fromkeys(["imports", "reports"], 13),
    "commands": 14,
    "__main__": 15,
    "__init__": 15,
}
ALLOWED = {
    "pytorch_lightning": {"algorithms", "callbacks", "loggers", "runs", "commands"},
    "hydra": {"settings", "runs", "sweeps", "commands"},
    "omegaconf": {"settings", "runs", "sweeps", "demo", "commands"},
    "wandb": {"loggers"},
    "wandb_workspaces": {"loggers"},
    "gradio": {"commands", "demo"},
    "matplotlib": {"plots"},
}
DATA = sorted(ROOT.glob("datamodules/**/*.py"))
SOURCES = sorted([*ROOT.glob("gan/**/*.py"), *DATA, ROOT / "train.py"])
ids = [str(path.relative_to(ROOT)) for path in SOURCES]


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def part(path: Path) -> str:
    """Return the folder below ``gan``, or the single-noun file."""
    name = path.relative_to(ROOT / "gan").parts[0]
    return name.removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=ids)
def test_functions_are_short(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 30, node.name


@pytest.mark.parametrize("path", [p for p in SOURCES if p.is_relative_to(ROOT / "gan")], ids=str)
def test_imports_run_one_way(path: Path) -> None:
    here = part(path)
    for name in imports(path):
        top, *rest = name.split(".")
        assert top != "datamodules"
        assert here in ALLOWED.get(top, {here}), f"{here} imports {name}"
        if top == "gan" and rest and here != "__init__":
            assert rest[0] == here or RANKS[rest[0]] < RANKS[here], f"{here} imports {name}"


@pytest.mark.parametrize("path", DATA, ids=lambda p: str(p.relative_to(ROOT)))
def test_data_know_nothing_of_gans(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & {
        "gan",
        "hydra",
        "omegaconf",
        "wandb",
    }


def test_packages_hand_on_nothing() -> None:
    for path in [*ROOT.glob("gan/*/__init__.py"), *ROOT.glob("datamodules/**/__init__.py")]:
        assert not path.read_text().strip(), path


def test_no_drawers_for_odds_and_ends() -> None:
    names = {part for path in SOURCES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert not names & {"utils", "helpers", "common", "misc"}
