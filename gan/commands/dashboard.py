"""A view of the runs of a W&B project."""

import glob
import os
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from gan.errors import InputError, extra
from gan.files import write_text
from gan.runs.results import Results

_ELSEWHERE = ("offline", "disabled", "dryrun")  # modes in which nothing is sent
_USUAL = ["domain/fid", "inception/fid"]


@dataclass
class DashboardOptions:
    """Settings of ``ganymede dashboard``.

    Attributes:
        project: of W&B, by its name alone.
        entity: user or team that owns it; by default that of the login.
        name: of the view.
        runs: pattern of run folders, such as ``'runs/*/*'``, whose metrics get a chart each; by
            default FID has one.
        out: JSON file of the definition of the view.
    """

    project: str = MISSING
    entity: str | None = None
    name: str = "Ganymede"
    runs: str | None = None
    out: str = "dashboard.json"


def _metrics(pattern: str | None) -> tuple[list[str], bool]:
    """Return the metrics that rank runs, a monitored one first, and whether its highest is best.

    Raises:
        InputError: if no run of the pattern has results.
    """
    if pattern is None:
        return _USUAL, False
    read = (Results.read(Path(name)) for name in sorted(glob.glob(pattern)))
    found = [results for results in read if results is not None and results.protocols]
    if not found:
        raise InputError(
            f"runs={pattern}: no results.json with metrics there: name run folders, such as "
            "runs='runs/*/*', or leave it out"
        )
    first = next((r for r in found if r.monitor in r.protocols), found[0])
    every = sorted({key for results in found for key in results.protocols})
    every.sort(key=lambda name: name != first.monitor)
    return every, first.higher_is_better


def _check(options: DashboardOptions) -> None:
    """Refuse a project with its owner in its name, and a file of another kind.

    Raises:
        InputError: with what is wrong.
    """
    if set(options.project) & set("/\\#?%:"):  # which W&B does not take
        raise InputError(f"project={options.project}: give the name of a project, and entity=...")
    if Path(options.out).suffix != ".json":
        raise InputError(f"out={options.out}: give a name that ends in .json")


def dashboard(options: DashboardOptions) -> None:
    """Write a view of a W&B project for its runs, and publish it if there is a login."""
    _check(options)
    metrics, higher_is_better = _metrics(options.runs)
    try:
        from gan.loggers import login, workspace
    except ImportError as error:
        raise InputError(f"dashboard: {error}: {extra('dashboard')}") from error
    names = (options.project, options.entity or "", options.name)
    view = workspace.view(*names, metrics, higher_is_better)
    out = Path(options.out)
    write_text(out, workspace.definition(view) + "\n")
    print(f"written: {out}, the definition of the view '{options.name}'")
    if os.environ.get("WANDB_MODE") in _ELSEWHERE or not login.has_key():
        print("not published, as there is no login: run `wandb login`, then this command again")
        return
    view.entity = options.entity or workspace.default_entity()
    print(f"published: {workspace.save(view)}")
