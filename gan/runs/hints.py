"""Commands to go on with after a run."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path


def _relative(path: Path) -> str:
    """Return a path as it is shorter to type: below the working directory without it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def program() -> str:
    """Return how this environment's ``ganymede`` is called from here."""
    script = Path(sys.executable).with_name("ganymede")
    if not os.access(script, os.X_OK):
        return f"{shlex.quote(_relative(Path(sys.executable)))} -m gan"
    found = shutil.which("ganymede")
    return "ganymede" if found == str(script) else shlex.quote(_relative(script))


SAMPLE = ("sample", "n=64")


def next_commands(
    run: Path,
    change: str,
    uses: Sequence[tuple[str, str]] = (SAMPLE,),
    allowed: Sequence[str] = (),
) -> list[str]:
    """Return commands that use a run, or start others.

    Args:
        run: its folder.
        change: setting with which it can be continued, such as "steps=4000".
        uses: commands on such a run, each with its settings besides the run.
        allowed: packages of classes that the run names, besides this project's.
    """
    ganymede, folder = program(), _relative(run.absolute())
    packages = shlex.quote(f"allow_targets=[{','.join(allowed)}]")
    trust = f" {packages}" if allowed else ""
    return [
        *(
            f"{ganymede} {name} {shlex.quote(f'run={folder}')} {given}{trust}"
            for name, given in uses
        ),
        f"{ganymede} train {shlex.quote(f'resume={folder}')} {change}{trust}",
        f"{ganymede} models",
        f"{ganymede} train -m model=dcgan,mlp seed=0,1",
    ]
