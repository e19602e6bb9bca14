"""Store golden values: ``python -m tests.golden.write [NAME ...]``.

NAME is a case such as model/dcgan, or a group such as model; all cases by default. What differs
from the stored values is printed.
"""

import json
import sys

from tests.golden import cases, values


def chosen(given: list[str]) -> list[str]:
    """Return the cases of names and groups."""
    known = cases.names()
    for name in given:
        if not any(name in (case, case.partition("/")[0]) for case in known):
            sys.exit(f"{name} is no case: give one such as {known[0]}, or a group")
    return [c for c in known if not given or c in given or c.partition("/")[0] in given]


def write(name: str) -> str:
    """Store the values of a case and return what changed."""
    old, new = values.stored(name), values.compute(name)
    file = values.path(name)
    changes = ["new"] if old is None else values.differences(name, old, new) or ["unchanged"]
    if changes != ["unchanged"]:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(new, indent=1) + "\n")
    return "\n  ".join([f"{name}:", *changes])


def main(given: list[str]) -> None:
    """Store the values of cases, and delete files of cases that are no more."""
    for name in chosen(given):
        print(write(name), flush=True)
    known = {values.path(name) for name in cases.names()}
    for file in set(values.FOLDER.glob("*/*.json")) - known:
        print(f"{file.parent.name}/{file.stem}: deleted")
        file.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
