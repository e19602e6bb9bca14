"""Job folders, as sweeps leave them behind."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gan.runs.results import Results
from gan.sweeps.job import Outcome, State


def results(folder: Path, **given: Any) -> Results:
    """Return what a run of ten steps comes to."""
    fixed: dict[str, Any] = {"run": str(folder), "name": None, "steps": 10, "images": 80}
    fixed |= {"images_per_second": 1.0, "seconds": 2.0, "seed": 0, "monitor": "domain/fid"}
    fixed |= {"final": {"domain/fid": 6.0}, "best": {"step": 5, "domain/fid": 5.0}}
    fixed |= {"baseline": {}, "protocols": {"domain/fid": "aaaa"}, "stamp": {}, "versions": {}}
    return Results(**{**fixed, "commit": None, "hardware": "none", **given})


def folder(sweep: Path, *overrides: str, state: State = State.FINISHED, **given: Any) -> Path:
    """Write the folder of a job and return it."""
    path = sweep / "+".join(o.replace("=", "-") for o in overrides)
    path.mkdir(parents=True)
    reason = None if state == State.FINISHED else f"it was {state}"
    Outcome(state, reason, 0, 1.0, list(overrides)).save(path)
    if state in (State.FINISHED, State.PRUNED):
        content = asdict(results(path, **given))
        (path / "results.json").write_text(json.dumps(content))
    return path


def fid(value: float, **given: Any) -> dict[str, Any]:
    """Return what a run with this FID at its best says."""
    return {"best": {"step": 5, "domain/fid": value}, "final": {"domain/fid": math.inf}, **given}
