"""Where the config lies and what it offers."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


def options(group: str) -> list[str]:
    """Return the options of a config group."""
    return sorted(p.stem for p in (ROOT / "conf" / group).glob("[!_]*.yaml"))


def thinned(cases: Iterable[Any], keep: int) -> list[Any]:
    """Return the cases of a test, of which all but every ``keep``-th are slow ones."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=marks)
        for number, case in enumerate(cases)
        for marks in [() if number % keep == 0 else pytest.mark.slow]
    ]
