"""Run folders: their settings and where their checkpoints are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gan.errors import InputError
from gan.files import refuse_special_files
from gan.settings import stored
from gan.settings.cache import cache_folder
from gan.settings.errors import reading_settings
from gan.settings.trust import build
from gan.settings.validation import validate

_SETTINGS = Path(".hydra", "config.yaml")
_OUTPUTS = ("checkpoints", "metrics.csv", "results.json")  # what training leaves


def holds_run(folder: Path) -> bool:
    """Return whether a run was started in a folder, with its settings or without."""
    left = [*folder.glob("checkpoints/*"), *(folder / name for name in _OUTPUTS[1:])]
    left += [path for path in folder.glob(".hydra/*") if path.name != "lock"]
    return any(path.exists() for path in left)


class Run:
    """A run folder.

    Args:
        path: the folder.
        allow_targets: packages whose classes its config may name besides this project's.

    Raises:
        InputError: if there is no run at ``path``, or a link in it leads out of it.
    """

    def __init__(self, path: str | Path, allow_targets: Sequence[str] = ()) -> None:
        self.path, self.allow_targets = Path(path), allow_targets
        if not (self.path / _SETTINGS).is_file():
            raise InputError(f"{path} is no run folder: it has no {_SETTINGS}")
        refuse_special_files(self.path)

    def settings(self) -> tuple[DictConfig, dict[str, str]]:
        """Return the settings of the run, and the expressions behind its computed values.

        Raises:
            InputError: if they cannot be read, are wrong, or would write outside of the folder.
        """
        config, expressions = stored.load(self.path, str(cache_folder()))
        config.allow_targets = list(self.allow_targets)
        try:
            with reading_settings():
                validate(config)
        except InputError as error:
            raise InputError(f"{self.path / _SETTINGS}: {error}") from error
        return config, expressions

    @property
    def config(self) -> DictConfig:
        """Return the config that the run was made with, under the names of today.

        Raises:
            InputError: if it is none.
        """
        return self.settings()[0]

    def data(self, root: str | None = None) -> Any:
        """Return the data set of the run, which is not downloaded again.

        Args:
            root: where its files are now; by default where they were.

        Raises:
            InputError: if its settings are wrong.
        """
        node = self.config.data
        if root is not None:
            node.root = str(Path(root).expanduser().absolute())
        module = build(node, self.allow_targets)
        module.may_download = False
        return module

    @property
    def overrides(self) -> list[str]:
        """Return the command line that the run was made with, under the names of today."""
        return stored.arguments(self.path)

    def checkpoint(self, *names: str) -> Path:
        """Return the first checkpoint of ``names`` that exists.

        Raises:
            InputError: if none does.
        """
        folder = self.path / "checkpoints"
        for name in names:
            if (folder / f"{name}.ckpt").exists():
                return folder / f"{name}.ckpt"
        wanted = " or ".join(f"{name}.ckpt" for name in names)
        found = ", ".join(sorted(path.name for path in folder.glob("*.ckpt")))
        raise InputError(f"{folder} has no {wanted}: it holds {found or 'no checkpoint yet'}")


def names_of(checkpoint: str | None) -> list[str]:
    """Return the names to look for: the given checkpoint, by default the best and then the last."""
    return [checkpoint] if checkpoint else ["best", "last"]


def check_run(run: str, checkpoint: str | None = None, allow_targets: Sequence[str] = ()) -> None:
    """Refuse a folder that is no run, has wrong settings, or no such checkpoint.

    Raises:
        InputError: with what is wrong or missing.
    """
    folder = Run(run, allow_targets)
    folder.checkpoint(*names_of(checkpoint))
    folder.settings()
