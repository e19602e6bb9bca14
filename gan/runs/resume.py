"""Resuming a run: from its stored settings and what is given now, if it stays the same run."""

import re
import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from gan.errors import InputError
from gan.runs.data import check_settings
from gan.runs.folder import Run
from gan.settings import stored
from gan.settings.commandline import CommandLine
from gan.settings.groups import options
from gan.settings.migration import migrate_settings
from gan.settings.overrides import CACHES, key_of, typed
from gan.settings.schema import NESTED

# What a run may change when it is resumed: its length, where it runs, what it reports.
_FREE = {
    *("steps", "resume", "name", "run_dir", "cache_dir", "accelerator", "trainer", "logger"),
    *("callbacks", "backbone", "metrics", "evaluation", "schedule", "allow_targets", "doctor"),
    "stop",
}
_FREE_DATA = {"steps", "root", "verify", "workers", "memory_limit", "cache", "changed"}
# Nodes of the model that repeat a node of the top level.
_REPEATED = {
    *("prior", "averaging", "optimizer", "schedule", "clip_norm", "n_critic", "accumulate"),
    *("nan_to_num", "seed", "loss", "regularizers", "augment"),
}
_UNREPORTED = ("resume", "run_dir", "cache_dir", "allow_targets")
_WHOLE = ("model", "experiment", "sweep")  # groups that set other nodes as well
_SHOWN = 3
_MOST_SHOWN = 80  # characters of a value
_RESTRETCH = "schedule.restretch"
_INTERVAL = re.compile(r"\$\{interval:")  # follows the length of the run without being asked
AUTO = "auto"  # resume if there is something to resume, start if there is not


def has_checkpoint(folder: Path) -> bool:
    """Return whether a run folder has a checkpoint to resume from."""
    return any((folder / "checkpoints" / f"{name}.ckpt").exists() for name in ("last", "previous"))


def _content(config: DictConfig) -> dict[str, Any]:
    """Return settings as plain values."""
    return {str(k): v for k, v in dict(OmegaConf.to_container(config, resolve=True)).items()}  # type: ignore[arg-type]


def identity(config: DictConfig) -> dict[str, Any]:
    """Return what makes a run the run it is, as plain values for a checkpoint."""
    content = _content(config)
    own = {str(k): v for k, v in content.items() if k not in _FREE}
    own["data"] = _fixed(own["data"])
    own["model"] = {k: v for k, v in own["model"].items() if k not in _REPEATED}
    return own


def _fixed(data: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a data set, and of those within it, that a resumed run keeps."""
    kept = {key: value for key, value in data.items() if key not in _FREE_DATA}
    return {key: _fixed(kept[key]) if f"data.{key}" in NESTED else kept[key] for key in kept}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with its dotted path; an empty node has none."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _shown(values: dict[str, Any], key: str) -> str:
    """Return a value as a message shows it."""
    return textwrap.shorten(str(values.get(key, "nothing")), _MOST_SHOWN, placeholder="...")


def differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    """Return what differs between plain settings, a phrase each, by dotted path."""
    before, now = dict(_leaves(old)), dict(_leaves(new))
    return {
        key: f"{key}={_shown(now, key)} instead of {_shown(before, key)}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    }


def refuse_changes(
    run: str, old: dict[str, Any] | None, new: dict[str, Any], allowed: Collection[str] = ()
) -> None:
    """Refuse to resume a run as another.

    Args:
        run: its folder.
        old: identity that was stored, or ``None`` if none was.
        new: identity that is asked for.
        allowed: dotted paths that may differ.

    Raises:
        InputError: with what differs.
    """
    found = {} if old is None else differences(migrate_settings(old), new)
    phrases = [phrase for path, phrase in found.items() if path not in allowed]
    if phrases:
        more = f" and {len(phrases) - _SHOWN} more" if len(phrases) > _SHOWN else ""
        raise InputError(
            f"resume: {run} was another run: {'; '.join(phrases[:_SHOWN])}{more}; leave its "
            "settings as they were, or start a new run"
        )


@dataclass(frozen=True)
class Resumption:
    """A run that is to be resumed.

    Attributes:
        config: its settings, with what is given now.
        changes: what differs from its stored settings, a phrase each.
        expressions: behind values that depend on the length of the run, by dotted path.
        stretched: dotted paths of schedules and intervals that follow the new length.
    """

    config: DictConfig
    changes: list[str] = field(default_factory=list)
    expressions: dict[str, str] = field(default_factory=dict)
    stretched: frozenset[str] = frozenset()


def resume(run: Run, line: CommandLine) -> Resumption:
    """Return a run with its stored settings and what is given now.

    Nothing is composed again but the groups that are given.

    Raises:
        InputError: if something is given that would make it another run, or is no setting.
    """
    config, expressions = run.settings()
    old, before = _content(config), identity(config)
    known = set(run.overrides)  # in the stored settings already, but for the caches of this user
    last = {key_of(o): o for o in line.parsed}.values()  # of a key that is given twice
    given = [o for o in last if o.input_line not in known or o.key_or_group in CACHES]
    kept = _apply(config, given, line)
    expressions = _not_given(expressions, given) | stored.resolve(config)
    make_root_absolute(config)
    check_settings(config)
    refuse_changes(str(run.path), before, identity(config))
    all_follow = bool(line.value(_RESTRETCH))
    stretched = frozenset(p for p, e in expressions.items() if all_follow or _INTERVAL.match(e))
    for path in stretched:
        OmegaConf.update(config, path, expressions[path])
    stored.resolve(config)
    changes = [*_changes(old, config, expressions, stretched), *kept]
    return Resumption(config, changes, expressions, stretched)


def _not_given(expressions: dict[str, str], given: Sequence[Override]) -> dict[str, str]:
    """Return the expressions of settings that are not among those that are given now."""
    keys = {override.key_or_group for override in given}
    keys |= {"evaluation"} if "backbone" in keys else set()
    return {
        path: expression
        for path, expression in expressions.items()
        if not any(f"{path}.".startswith(f"{key}.") for key in keys)
    }


def _changes(
    old: dict[str, Any],
    config: DictConfig,
    expressions: dict[str, str],
    stretched: Collection[str],
) -> list[str]:
    """Return what differs from the stored settings of a run, a phrase each.

    A setting that refers to another, as ``data.steps`` to ``steps``, is not named beside it.
    """
    new = _content(config)
    found = differences(old, new)
    named = [k for k in found if k.split(".")[0] not in _UNREPORTED and not _refers(config, k)]
    changes = [found[key] for key in named]
    if expressions.keys() - stretched and old["steps"] != new["steps"]:
        changes.append(
            f"schedules keep the length of {old['steps']} steps: {_RESTRETCH}=true stretches them"
        )
    return changes


def _refers(config: DictConfig, path: str) -> bool:
    """Return whether a setting, or a node that it is in, refers to another setting."""
    raw: Any = OmegaConf.to_container(config, resolve=False)
    for key in path.split("."):
        if not isinstance(raw, dict) or key not in raw:
            return False
        raw = raw[key]
        if isinstance(raw, str) and raw.startswith("${"):
            return True
    return False


def _apply(config: DictConfig, given: Sequence[Override], line: CommandLine) -> list[str]:
    """Put overrides into the settings of a run; return what stays beside them, a phrase each."""
    groups = [o for o in given if options(o.key_or_group) and not o.is_delete()]
    for override in groups:
        if override.key_or_group in _WHOLE or override.package:
            raise InputError(
                f"resume: {typed(override)} would make it another run: leave it out, or start "
                "a new run"
            )
    kept: list[str] = []
    if groups:
        composed = line.compose([str(o.input_line) for o in groups])
        line.drop_unchosen(composed)
        for override in groups:
            _take_group(config, composed, override.key_or_group)
        if "backbone" in {o.key_or_group for o in groups}:
            kept = _kept_metrics(config, composed)
    for override in given:
        if override not in groups:
            _apply_value(config, override)
    return kept


def _kept_metrics(config: DictConfig, composed: DictConfig) -> list[str]:
    """Return that a run keeps its metrics with a backbone that comes with others, if it does."""
    names, own = (list(map(str, settings.metrics)) for settings in (config, composed))
    if set(names) == set(own):
        return []
    return [f"metrics stay [{','.join(names)}]: metrics=[{','.join(own)}] are the backbone's own"]


def _take_group(config: DictConfig, composed: DictConfig, group: str) -> None:
    """Replace the node of a group, and what it brings for the evaluation."""
    for key in (group, "evaluation") if group == "backbone" else (group,):
        node = composed._get_node(key)
        assert isinstance(node, DictConfig)
        config[key] = OmegaConf.create(OmegaConf.to_container(node, resolve=False))


def _apply_value(config: DictConfig, override: Override) -> None:
    """Set or remove one value."""
    key = override.key_or_group
    if key.split(".")[0] == "hydra" or key in ("resume", _RESTRETCH):
        return
    if not override.is_delete():
        OmegaConf.update(config, key, override.value())
        return
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    if not isinstance(node, DictConfig) or name not in node:
        raise InputError(f"{override.input_line}: the run has no {key}: leave it out")
    del node[name]


def make_root_absolute(config: DictConfig) -> None:
    """Make the folders of data and ``init`` absolute, so that any working directory finds them."""
    if config.init is not None:
        config.init = str(Path(config.init).expanduser().absolute())
    for path in ("data", *NESTED):
        node = OmegaConf.select(config, path)
        root = node.get("root") if isinstance(node, DictConfig) else None
        if isinstance(root, str) and not OmegaConf.is_interpolation(node, "root"):
            node.root = str(Path(root).expanduser().absolute())
