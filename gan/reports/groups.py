"""Runs that differ in their seed alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gan.reports.summary import RunSummary

SEED = "seed"
_WATCHING = ("callbacks.", "doctor", "trainer.", "evaluation.", "metrics", "backbone", "hydra")


@dataclass(eq=False)
class Group:
    """Runs that differ in their seed alone.

    Attributes:
        runs: ordered by seed.
        label: the settings that tell it from the other groups.
    """

    runs: list[RunSummary]
    label: str = ""

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings of the runs but the seed."""
        return {key: value for key, value in self.runs[0].settings.items() if key != SEED}

    @cached_property
    def overrides(self) -> dict[str, str]:
        """Return the settings of the command line that describe the model and its training."""
        pairs = (override.lstrip("+").partition("=") for override in self.runs[0].overrides)
        return {k: v for k, _, v in pairs if k != SEED and not k.startswith(_WATCHING)}

    @property
    def counted(self) -> list[RunSummary]:
        """Return the runs that means are taken over: the finished ones, if there are any."""
        return [run for run in self.runs if run.finished] or self.runs


def group_by_settings(runs: Sequence[RunSummary]) -> list[Group]:
    """Return groups of runs whose stored settings differ in the seed alone, with their labels.

    Runs without stored settings are grouped by their command line, and are alone without one.
    """
    found: dict[object, list[RunSummary]] = {}
    for run in runs:
        # A resumed run stores its settings in another order.
        pairs = sorted(pair for pair in run.settings.items() if _is_identity(pair[0]))
        typed = [line for line in run.overrides if not line.startswith(f"{SEED}=")]
        found.setdefault(tuple(pairs or typed) or run.folder, []).append(run)
    groups = [
        Group(sorted(members, key=lambda run: (len(run.seed), run.seed)))
        for members in found.values()
    ]
    _name(groups)
    return groups


def _is_identity(key: str) -> bool:
    """Return whether a setting tells models or trainings apart."""
    return key != SEED and not key.startswith(_WATCHING)


def _name(groups: list[Group]) -> None:
    """Give the groups their labels: what their command lines alone say, or else their folders."""
    keys = dict.fromkeys(key for group in groups for key in group.overrides)
    varying = [key for key in keys if len({group.overrides.get(key) for group in groups}) > 1]
    for group in groups:
        shown = (f"{key}={group.overrides[key]}" for key in varying if key in group.overrides)
        group.label = " ".join(shown)
    labels = [group.label for group in groups]
    for group, label in zip(groups, labels, strict=True):
        if not label or labels.count(label) > 1:
            group.label = f"{label} {group.runs[0].folder.name}".strip()
