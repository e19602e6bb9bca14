"""The site as it is built, with the notebook on the digits."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs import api_pages, gallery_rows, model_pages, sources
from gan.settings.commandline import CommandLine
from gan.settings.groups import options
from gan.settings.validation import validate
from tests.configs import ROOT, thinned

GALLERY = """# Gallery

## mnist

| model | samples | fid | is | coverage | minutes | size | images | seeds | command |
|---|---|---|---|---|---|---|---|---|---|
| `dcgan` | ![10 samples](strips/a.png) | 5.1 ± 0.2 | 8 | 0.7 | 2.5 | 12 | 6,400 | 0 | `dcgan ...` |
| unseen reals | | 0.03 | 9 | 0.9 | | | | | |

## svhn

| model | samples | fid | is | coverage | minutes | size | images | seeds | command |
|---|---|---|---|---|---|---|---|---|---|
| `mlp` | ![0](strips/b.png)<br>![1](strips/c.png) | 9 | 3 | | 1.0 | 34 | 128 | 0 | `mlp ...` |
"""


def test_rows_of_a_gallery(tmp_path: Path) -> None:
    assert gallery_rows.read(tmp_path) == []
    (tmp_path / "README.md").write_text(GALLERY)
    first, second = gallery_rows.read(tmp_path)
    assert (first.model, first.data, second.model, second.data) == ("dcgan", "mnist", "mlp", "svhn")
    assert first.cells["fid"] == "5.1 ± 0.2"
    assert second.cells["coverage"] == ""
    assert first.strips == [tmp_path / "strips" / "a.png"]
    *_, row = gallery_rows.table([second]).splitlines()
    strips = "![mlp on svhn](strips/b.png)<br>![mlp on svhn](strips/c.png)"
    assert row.startswith(f"| svhn | {strips} | 9 |  | 1.0 | 128 |")


@pytest.mark.parametrize("model", thinned(options("model"), 10))
def test_commands_of_the_models_compose(model: str) -> None:
    line = CommandLine(model_pages.command(model).split()[2:])
    validate(line.compose([*line.arguments, "run_dir=run"]))


def test_formulas_are_escaped_outside_of_code() -> None:
    lines = ["|G(x) - y| in `a|b` and numbers (*shape, B), *each* step"]
    sources.escape_formulas(None, "", "", None, None, lines)
    assert lines == [r"\|G(x) - y\| in `a|b` and numbers (\*shape, B), *each* step"]


def test_every_module_is_in_the_api() -> None:
    named = {name for package in api_pages.packages() for name in api_pages.modules(package)}
    paths = [*ROOT.glob("gan/**/[!_]*.py"), *ROOT.glob("datamodules/**/[!_]*.py")]
    assert named == {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}


@pytest.mark.slow
def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html"]
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "trees"), str(ROOT / "docs"), str(tmp_path / "html")],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for model in options("model"):
        assert (tmp_path / "html" / "models" / f"{model}.html").exists()
    assert "[64, 1, 16, 16]" in _text(tmp_path / "html" / "notebook.html")


def _text(page: Path) -> str:
    """Return the text of a page without its tags."""
    return re.sub(r"<[^>]+>", "", page.read_text())
