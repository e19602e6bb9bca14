"""The groups of ``conf/`` and what they offer."""

from pathlib import Path

CONF = Path(__file__).parents[2] / "conf"


def options(group: str) -> list[str]:
    """Return the options of a group by name."""
    return sorted(path.stem for path in (CONF / group).glob("[!_]*.yaml"))


def remark(group: str, option: str) -> str:
    """Return the comment at the head of an option's file as one line, without Hydra's own."""
    words = []
    for line in (CONF / group / f"{option}.yaml").read_text().splitlines():
        if not line.startswith("#"):
            break
        text = line.removeprefix("#").strip()
        if not text.startswith("@"):
            words.append(text)
    return " ".join(words)
