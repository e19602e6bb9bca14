"""What the site is made of beside its pages: generated pages, and where links lead."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docs import api_pages, gallery_rows, model_pages

# Where a gallery lies whose rows the pages of the models show.
ROOT = Path(__file__).parents[1]
GALLERY = Path(os.environ.get("GANYMEDE_GALLERY", "benchmarks/results/gallery"))
# Pages that are files beside `docs/`.
INCLUDED = {
    "measurements": "benchmarks/README.md",
    "contributing": "CONTRIBUTING.md",
    "changelog": "CHANGELOG.md",
}
# Links of those files, and links to them, within the site.
_WITHIN = {"](results/": "](../benchmarks/results/", "](../docs/": "](", "](docs/": "]("}
_WITHIN |= {f"../{path}": f"{page}.md" for page, path in INCLUDED.items()}
_CODE = re.compile(r"(`+[^`]+`+)")
_FORMULA = re.compile(r"\||(?<=[( ])\*(?=\w+[,)])")  # a norm, or unpacked names
# What annotations name and this site does not hold, and exceptions of Python.
FOREIGN = [("py:(class|obj|data)", r".*"), ("py:exc", r"(gr\.)?\w+")]


def write_pages(docs: Path) -> None:
    """Write the pages of the models and of the API where what they state has changed."""
    gallery = docs.parent / GALLERY
    code = [*docs.glob("*.py"), docs.parent / "pyproject.toml"]
    stated = [*docs.parent.glob("conf/**/*.yaml"), docs / "published.yaml", *gallery.glob("*.md")]
    if _is_older(docs / "models" / "index.md", [*code, *stated]):
        _write(docs / "models", "md", model_pages.pages(gallery))
        _copy_strips(gallery, docs / "models" / "strips")
    if _is_older(docs / "api" / "index.rst", code):
        _write(docs / "api", "rst", api_pages.pages())


def _is_older(page: Path, sources: Iterable[Path]) -> bool:
    """Return whether a page is missing, or older than one of its sources."""
    written = page.stat().st_mtime if page.exists() else 0.0
    return any(path.stat().st_mtime > written for path in sources)


def _write(folder: Path, suffix: str, pages: Iterable[tuple[str, str]]) -> None:
    """Write pages into a new folder, that of all pages last."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, text in sorted(pages, key=lambda page: page[0] == "index"):
        (folder / f"{name}.{suffix}").write_text(text)


def _copy_strips(gallery: Path, folder: Path) -> None:
    """Copy the pictures of a gallery."""
    for row in gallery_rows.read(gallery):
        folder.mkdir(exist_ok=True)
        for strip in row.strips:
            shutil.copy(strip, folder)


def point_inside(app: Any, name: str, source: list[str]) -> None:
    """Read a page that is a file beside `docs/`, and let links to such files lead to its page."""
    if name in INCLUDED:
        source[0] = (ROOT / INCLUDED[name]).read_text()
    for path, page in _WITHIN.items():
        source[0] = source[0].replace(path, page)


def escape_formulas(
    app: Any, kind: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Escape the bars and stars of formulas in a docstring, outside of code."""
    for number, line in enumerate(lines):
        parts = _CODE.split(line)
        parts[::2] = [_FORMULA.sub(r"\\\g<0>", part) for part in parts[::2]]
        lines[number] = "".join(parts)


def find_by_last_name(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Return a link to the one object of a name, where a docstring gives no module."""
    domain = env.get_domain("py")
    name = node.get("reftarget", "").rpartition(".")[2]
    found = [key for key in domain.objects if key.rpartition(".")[2] == name]
    if node.get("refdomain") != "py" or len(found) != 1:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, content)
