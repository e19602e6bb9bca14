"""Stamps of metrics as text."""

from collections.abc import Mapping
from typing import Any

SAMPLING = ("truncation", "standing", "psi")  # the fields of gan.algorithms.sampling.Sampling


def sampling_changes(stamp: Mapping[str, Any]) -> str:
    """Return how sampling was changed, such as ", truncation 0.7"."""
    return "".join(f", {name} {stamp[name]}" for name in SAMPLING if name in stamp)
