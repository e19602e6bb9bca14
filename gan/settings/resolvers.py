"""Resolvers that the config files use."""

import hashlib
import math
import os
import re
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan.devices import preferred_precision, visible_gpus
from gan.errors import InputError
from gan.settings.cache import cache_folder
from gan.settings.start import run_start, start_time

COMPUTED = re.compile(r"\$\{[\w.]+:")  # a resolver, such as ${product:...}
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


def interval(steps: int, times: int, least: int) -> int:
    """Return after how many steps something is done that happens at most ``times`` in a run.

    Args:
        steps: of the run.
        times: the largest number of times.
        least: the smallest interval.
    """
    return max(least, math.ceil(steps / times))


def by_size(paper: Any, small: Any, tiny: Any, *, _root_: DictConfig) -> Any:
    """Return the value for the setting ``size``.

    Args:
        paper: value of ``size=paper``, that of the publication.
        small: value of ``size=small``.
        tiny: value of ``size=tiny``.
        _root_: the whole config.

    Raises:
        InputError: if there is no such size.
    """
    values = {"paper": paper, "small": small, "tiny": tiny}
    if _root_.size not in values:
        raise InputError(f"size={_root_.size}: give one of {', '.join(values)}")
    value = values[_root_.size]
    return OmegaConf.create(value) if isinstance(value, list) else value


def register() -> None:
    """Register the resolvers with OmegaConf.

    ``${began:%H-%M-%S}`` (the start of the run), ``${unique:}`` (four random hex digits),
    ``${product:a,b,...}``, ``${quotient:a,b}``, ``${largest:a,b,...}``,
    ``${by_size:PAPER,SMALL,TINY}``, ``${interval:steps,times,least}``,
    ``${job_folder:OVERRIDES}``, ``${workers:}``,
    ``${preferred_precision:}`` and ``${cache_folder:}``.
    """
    OmegaConf.register_new_resolver("began", start_time, replace=True)
    OmegaConf.register_new_resolver("unique", lambda: run_start()[1], replace=True)
    OmegaConf.register_new_resolver("product", lambda *xs: math.prod(xs), replace=True)
    OmegaConf.register_new_resolver("quotient", lambda a, b: a / b, replace=True)
    OmegaConf.register_new_resolver("largest", lambda *xs: max(xs), replace=True)
    OmegaConf.register_new_resolver("interval", interval, replace=True)
    OmegaConf.register_new_resolver("by_size", by_size, replace=True)
    OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)
    OmegaConf.register_new_resolver("workers", workers, replace=True)
    OmegaConf.register_new_resolver("preferred_precision", preferred_precision, replace=True)
    OmegaConf.register_new_resolver("cache_folder", lambda: str(cache_folder()), replace=True)


register()  # for workers of a launcher, which only unpickle the task
