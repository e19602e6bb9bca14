"""Going on with a run: where it stands, and whether it is still the same run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan.errors import InputError
from gan.settings.migration import migrate_classes

# What a run may change when it goes on: its length, where it runs, what it reports.
_FREE = {
    *("steps", "resume", "name", "run_dir", "cache_dir", "accelerator", "logger", "callbacks"),
    *("backbone", "metrics", "evaluation", "schedule", "allow_targets", "doctor"),
}
_FREE_DATA = {"steps", "root", "verify", "workers", "memory_limit"}
# Nodes of the model that repeat a node of the top level.
_REPEATED = {
    *("prior", "averaging", "optimizer", "schedule", "clip_norm", "n_critic", "accumulate"),
    *("nan_to_num", "seed", "loss", "regularizers", "augment"),
}
_SHOWN = 3
AUTO = "auto"  # go on if there is something to go on with, start if there is not


def has_checkpoint(folder: Path) -> bool:
    """Return whether a run folder has a checkpoint to go on from."""
    return any((folder / "checkpoints" / f"{name}.ckpt").is_file() for name in ("last", "previous"))


def identity(config: DictConfig) -> dict[str, Any]:
    """Return what makes a run the run it is, as plain values for a checkpoint."""
    content = OmegaConf.to_container(config, resolve=True)
    assert isinstance(content, dict)
    own = {str(k): v for k, v in content.items() if k not in _FREE}
    own["data"] = {k: v for k, v in own["data"].items() if k not in _FREE_DATA}
    own["model"] = {k: v for k, v in own["model"].items() if k not in _REPEATED}
    return own


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with its dotted path."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return what differs between two identities, a phrase each."""
    before, now = dict(_leaves(old)), dict(_leaves(new))
    return [
        f"{key}={now.get(key, 'nothing')} instead of {before.get(key, 'nothing')}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]


def refuse_changes(run: str, old: dict[str, Any] | None, new: dict[str, Any]) -> None:
    """Refuse to go on with a run as another.

    Raises:
        InputError: with what differs.
    """
    found = differences(migrate_classes(old), new) if old is not None else []
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise InputError(
            f"resume: {run} was another run: {'; '.join(found[:_SHOWN])}{more}; leave its settings "
            "as they were, or start a new run"
        )
