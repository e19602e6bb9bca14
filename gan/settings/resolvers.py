"""Resolvers that the config files use."""

import hashlib
import math
import os
import re

from hydra.types import RunMode
from omegaconf import OmegaConf

from gan.devices import visible_gpus
from gan.settings.start import run_start, start_time

_LONGEST = 180  # characters of a folder's name before its hash


def job_folder(overrides: str) -> str:
    """Return the name of a job's folder, such as ``loss-hinge+seed-0``, from its overrides alone.

    It consists of letters, digits and ``_.+-``, which need no quotes in a shell or in Hydra's
    grammar. A hash is added where other characters were replaced or the name was cut.

    Args:
        overrides: the overrides of the job, separated by ``&``.
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


def of_a_run(value: str, mode: RunMode) -> str | None:
    """Return ``value``, or ``None`` in a sweep and in all but the first process of a run."""
    return None if mode == RunMode.MULTIRUN or os.environ.get("RANK", "0") != "0" else value


def register() -> None:
    """Register the resolvers with OmegaConf.

    ``${began:%H-%M-%S}`` (the start of the run), ``${unique:}`` (four random hex digits),
    ``${product:a,b,...}``, ``${quotient:a,b}``, ``${job_folder:OVERRIDES}``, ``${workers:}`` and
    ``${of_a_run:X,${hydra.mode}}`` (X, or null in a sweep).
    """
    OmegaConf.register_new_resolver("began", start_time, replace=True)
    OmegaConf.register_new_resolver("unique", lambda: run_start()[1], replace=True)
    OmegaConf.register_new_resolver("product", lambda *xs: math.prod(xs), replace=True)
    OmegaConf.register_new_resolver("quotient", lambda a, b: a / b, replace=True)
    OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)
    OmegaConf.register_new_resolver("workers", workers, replace=True)
    OmegaConf.register_new_resolver("of_a_run", of_a_run, replace=True)


register()  # for workers of a launcher, which only unpickle the task
