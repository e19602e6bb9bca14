"""The groups of ``conf/`` and their options."""

import re
from pathlib import Path

from omegaconf import OmegaConf

_PACKAGE = Path(__file__).parents[1]
_TITLE = re.compile(r".*?(?<!et al)[.:](?= |$)(?![^(]*\))")  # up to a stop outside brackets


def _conf() -> Path:
    """Return the folder of the config files: inside an installed package, else beside it."""
    inside = _PACKAGE / "conf"
    return inside if inside.is_dir() else _PACKAGE.parent / "conf"


CONF = _conf()


def options(group: str) -> list[str]:
    """Return the options of a group by name."""
    return sorted(path.stem for path in (CONF / group).glob("[!_]*.yaml"))


def description(group: str, option: str) -> str:
    """Return the comment at the head of an option's file as one line, without Hydra's own."""
    words = []
    for line in (CONF / group / f"{option}.yaml").read_text().splitlines():
        if not line.startswith("#"):
            break
        text = line.removeprefix("#").strip()
        if not text.startswith("@"):
            words.append(text)
    return " ".join(words)


def title(group: str, option: str) -> str:
    """Return the start of an option's description: its name and paper."""
    text = description(group, option)
    start = _TITLE.match(text)
    return start[0].rstrip(".:") if start else text


def defaults() -> dict[str, str]:
    """Return the groups of a training run with the options chosen by default."""
    chosen = {}
    for entry in OmegaConf.load(CONF / "train.yaml").defaults:
        items = [] if isinstance(entry, str) else entry.items()
        for group, option in items:
            if not group.startswith("override "):
                chosen[str(group)] = re.sub(r"[' ]", "", str(option)).replace("None", "null")
    return chosen
