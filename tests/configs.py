"""Where the config lies and what it offers."""

from pathlib import Path

ROOT = Path(__file__).parent.parent


def options(group: str) -> list[str]:
    """Return the options of a config group."""
    return sorted(p.stem for p in (ROOT / "conf" / group).glob("[!_]*.yaml"))
