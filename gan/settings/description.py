"""What a run is, in the words of its command line."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan.settings import stored
from gan.settings.overrides import PATHS, key_of, parse, typed
from gan.settings.schema import MANY
from gan.settings.unused import used

Choice = str | list[str]
# What is named first in the name of a run, and the settings that do not say what is trained.
_FIRST = ("model", "data")
_ELSEWHERE = (
    *("seed", "name", "resume", "run_dir", "cache_dir", "allow_targets", "logger", "callbacks"),
    *("accelerator", "trainer", "sweep", "hydra", "doctor", "metrics", "evaluation", "backbone"),
)
_TAGGED = (
    *("model", "data", "size", "loss", "conditioning", "augment", "regularizers", "task"),
    "experiment",
)
_EMPTY = ("none", "null", "")
_LONGEST = 100  # characters of a name
_LONGEST_TAG = 64


@dataclass(frozen=True)
class Description:
    """The choices of a run, and what dashboards call it.

    Attributes:
        choices: option of each group that the run uses, a list where any number is chosen.
        given: settings that were typed and say what is trained besides model, data and seed.
        settings: all settings, plain values.
    """

    choices: Mapping[str, Choice]
    given: Sequence[str]
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, folder: Path, config: DictConfig) -> "Description":
        """Return the description of a run.

        Args:
            folder: of the run, with its stored command line.
            config: its settings, not resolved.

        Raises:
            InputError: if the stored command line cannot be read.
        """
        taken, content = used(config), dict(OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]
        chosen: dict[str, Choice] = {
            group: option
            for group, option in stored.choices(folder).items()
            if group not in config or group in taken
        }
        many = {group: [str(name) for name in config.get(group) or ()] for group in MANY}
        given = sorted(_given(stored.arguments(folder)))
        return cls({**chosen, **many}, given, {str(k): v for k, v in content.items()})

    @property
    def group(self) -> str | None:
        """Return the name that runs share which differ in their seed alone, if it is known."""
        if not all(name in self.choices for name in _FIRST):
            return None
        return _shortened(" ".join([*(str(self.choices[name]) for name in _FIRST), *self.given]))

    @property
    def name(self) -> str | None:
        """Return the name of the run: that of its group, and the seed."""
        return None if self.group is None else f"{self.group} seed={self.settings['seed']}"

    @property
    def tags(self) -> list[str]:
        """Return the options that say what is trained, each once."""
        found = {**self.choices, "size": str(self.settings.get("size", ""))}
        values = (found.get(group, "") for group in _TAGGED)
        names = [n for value in values for n in ([value] if isinstance(value, str) else value)]
        return [*dict.fromkeys(name[:_LONGEST_TAG] for name in names if name not in _EMPTY)]

    @property
    def config(self) -> dict[str, Any]:
        """Return what dashboards filter and group by.

        The short settings and the choices under the names of the command line; ``settings`` holds
        the nodes of the config, as they were built.
        """
        nodes = {k: v for k, v in self.settings.items() if isinstance(v, dict)}
        short = {k: v for k, v in self.settings.items() if k not in nodes}
        return {**short, **self.choices, "settings": nodes}


def _given(arguments: Iterable[str]) -> Iterator[str]:
    """Yield the overrides that say what is trained; of a path its last part."""
    for override in parse(arguments):
        key = key_of(override)
        if key in _FIRST or key.split(".")[0] in _ELSEWHERE or key.endswith(".cache"):
            continue
        text = typed(override).lstrip("+")
        value = text.partition("=")[2].strip("'\"")
        yield f"{key}={Path(value).name}" if key in PATHS else text


def _shortened(text: str) -> str:
    """Return a text, or its start and a hash that tells it from others with the same start."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]} {hashlib.sha256(text.encode()).hexdigest()[:8]}"
