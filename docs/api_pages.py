"""The pages of the API: a page a package, with the docstrings of all its modules."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def packages() -> list[str]:
    """Return the packages with code, in the order of their names."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = settings["tool"]["setuptools"]["packages"]
    return [name for name in sorted(named) if not name.startswith("gan.conf")]


def modules(package: str) -> list[str]:
    """Return the modules of a package."""
    paths = sorted((ROOT / package.replace(".", "/")).glob("[!_]*.py"))
    return [f"{package}.{path.stem}" for path in paths]


def _page(package: str) -> Iterator[str]:
    """Yield the paragraphs of a page in reStructuredText."""
    yield f"{package}\n{'=' * len(package)}"
    yield f".. automodule:: {package}"
    for module in modules(package):
        yield f"{module}\n{'-' * len(module)}"
        yield f".. automodule:: {module}"


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the content of each page."""
    names = packages()
    listed = "\n".join(f"   {name}" for name in names)
    yield (
        "index",
        "API\n===\n\nFrom Python, :func:`gan.load` is all that most uses need.\n\n"
        f".. toctree::\n   :maxdepth: 1\n\n{listed}\n",
    )
    for name in names:
        yield name, "\n\n".join(_page(name)) + "\n"
