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
_USUAL = {"domain/fid": False, "inception/fid": False}


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


def _metrics(pattern: str | None) -> dict[str, bool]:
    """Return the metrics that rank the runs, the monitored first, and whether higher is better.

    Raises:
        InputError: if no run of the pattern has results.
    """
    if pattern is None:
        return _USUAL
    read = (Results.read(Path(name)) for name in sorted(glob.glob(pattern)))
    found = [results for results in read if results is not None and results.protocols]
    if not found:
        raise InputError(
            f"runs={pattern}: no results.json with metrics there: name run folders, such as "
            "runs='runs/*/*', or leave it out"
        )
    monitored = {r.monitor: r.higher_is_better for r in found if r.monitor in r.protocols}
    every = sorted({key for results in found for key in results.protocols})
    first = {str(key): higher for key, higher in monitored.items()}
    return first | {key: False for key in every if key not in first}


def _check(options: DashboardOptions) -> None:
    """Refuse names that W&B does not know, and a file in a folder that is not there.

    Raises:
        InputError: with what is wrong.
    """
    if not options.project.strip() or set(options.project) & set("/\\#?%:"):
        raise InputError(f"project={options.project}: give the name of a project, and entity=...")
    if not options.name.strip():
        raise InputError("name is empty: give a name of the view, or leave it out")
    if Path(options.out).suffix != ".json":
        raise InputError(f"out={options.out}: give a name that ends in .json")


def dashboard(options: DashboardOptions) -> None:
    """Write a view of a W&B project for its runs, and publish it if there is a login."""
    _check(options)
    metrics = _metrics(options.runs)
    try:
        from gan.loggers import login, workspace
    except ImportError as error:
        raise InputError(f"dashboard: {error}: {extra('dashboard')}") from error
    charts = [workspace.Chart(key, higher) for key, higher in metrics.items()]
    view = workspace.view(options.project, options.entity or "", options.name, charts)
    out = Path(options.out)
    write_text(out, workspace.definition(view) + "\n")
    print(f"written: {out}, the definition of the view '{options.name}'")
    if os.environ.get("WANDB_MODE") in _ELSEWHERE or not login.has_key():
        print("not published, as there is no login: run `wandb login`, then this command again")
        return
    view.entity = options.entity or workspace.default_entity()
    print(f"published: {workspace.save(view)}")
