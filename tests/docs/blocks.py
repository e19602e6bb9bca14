"""The code blocks of the pages, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.configs import ROOT

_FOLDERS = ("docs", "docs/guides")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES += sorted(page for folder in _FOLDERS for page in (ROOT / folder).glob("*.md"))
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^(?:# @package _global_\n)?# ([\w/]+\.\w+)\n")  # a comment that names the file
_STARTS = ("ganymede ", "python train.py", "python -m gan ")
_LAUNCHERS = ("torchrun", "srun")


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        language: as written behind the fence, "" for none.
        text: its lines.
    """

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """Return the path that the first comment names; Hydra reads its own one before."""
        found = _FILE.match(self.text)
        return found[1] if found else None


def blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page."""
    return [Block(*found) for found in _BLOCK.findall(page.read_text())]


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of each command of this project in the blocks of a page."""
    for block in blocks(page):
        if block.language in ("", "bash", "console"):
            for line in block.text.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if line.startswith(_STARTS) or (words[:1] and words[0] in _LAUNCHERS):
                    yield _arguments(words)


def _arguments(words: list[str]) -> list[str]:
    """Return the name of the command and its settings."""
    if "train.py" in words:
        return ["train", *words[words.index("train.py") + 1 :]]
    return words[3:] if words[0] == "python" else words[1:]


def write_files(page: Path, folder: Path) -> None:
    """Write the blocks of a page that name a file, and make their folders packages."""
    for block in blocks(page):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
            if path.suffix == ".py" and path.parent != folder:
                (path.parent / "__init__.py").touch()
