"""Protocols in words."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from gan.settings.sampling import sampling_changes


def describe(entries: Mapping[str, Any]) -> str:
    """Return the protocol that a stamp states in one line."""
    stamp = defaultdict(lambda: "unknown", entries)
    return (
        f"{stamp['backbone']} {str(stamp['weights_hash'])[:8]}, {stamp['num_fakes']} "
        f"fakes against {stamp['real_count']} of {stamp['real_data']}/{stamp['real_split']} "
        f"({str(stamp['real_fingerprint'])[:8]}), {stamp['weights']} weights"
        f"{sampling_changes(stamp)}"
    )
