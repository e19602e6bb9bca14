"""Resolvers that the config files use."""

import hashlib
import math
import os
import re

from hydra.types import RunMode
from omegaconf import OmegaConf

from gan.devices import visible_gpus
from gan.settings.start import began, beginning

_LONGEST = 180  # characters of a folder's name before its hash


def job_folder(overrides: str) -> str:
    """Return the name of a job's folder, such as ``loss-hinge+seed-0``, from its overrides alone.

    Letters, digits and ``_.+-`` make it safe in any shell and in Hydra's grammar; where others had
    to go, or it was cut, a hash keeps it apart from others.

    Args:
        overrides: of the job, with ``&`` between them.
    """
    parts = sorted(part.lstrip("+").replace("=", "-", 1) for part in overrides.split("&"))
    plain = "+".join(parts) or "defaults"
    name = re.sub(r"[^\w.+-]+", "-", re.sub(r"[\[\]{}'\"]", "", plain), flags=re.ASCII)
    if name == plain and len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}-{hashlib.sha256(plain.encode()).hexdigest()[:8]}"


def workers() -> int:
    """Return how many jobs a machine runs at once: one a GPU, or one a core where there is none."""
    return len(visible_gpus()) or os.cpu_count() or 1


def of_a_run(what: str, mode: RunMode) -> str | None:
    """Return ``what``, or ``None`` in a sweep, whose jobs are runs, and beside a first process."""
    return None if mode == RunMode.MULTIRUN or os.environ.get("RANK", "0") != "0" else what


def register() -> None:
    """Make the resolvers known.

    ``${began:%H-%M-%S}`` (when the run began), ``${unique:}`` (four hex digits of its own),
    ``${product:a,b,...}``, ``${quotient:a,b}``, ``${job_folder:OVERRIDES}``, ``${workers:}`` and
    ``${of_a_run:X,${hydra.mode}}`` (X, or null in a sweep, whose jobs are runs themselves).
    """
    OmegaConf.register_new_resolver("began", began, replace=True)
    OmegaConf.register_new_resolver("unique", lambda: beginning()[1], replace=True)
    OmegaConf.register_new_resolver("product", lambda *xs: math.prod(xs), replace=True)
    OmegaConf.register_new_resolver("quotient", lambda a, b: a / b, replace=True)
    OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)
    OmegaConf.register_new_resolver("workers", workers, replace=True)
    OmegaConf.register_new_resolver("of_a_run", of_a_run, replace=True)


register()  # where a launcher's worker imports this and nothing more
