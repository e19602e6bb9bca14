"""Run folders: their settings and where their checkpoints are."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, ListConfig, OmegaConf

from gan.errors import InputError
from gan.settings import resolvers
from gan.settings.migration import migrate_config, migrate_overrides


def _settings(path: Path) -> DictConfig | ListConfig:
    """Return the content of a file that Hydra left in a run folder.

    Raises:
        InputError: if it is no such file.
    """
    try:
        return OmegaConf.load(path)
    except Exception as error:  # a broken file fails in any way
        raise InputError(
            f"{path} holds no settings of a run: copy it anew, or start another run"
        ) from error


class Run:
    """A run folder.

    Args:
        path: the folder.
        allow_targets: packages whose classes its config may name besides this project's.

    Raises:
        InputError: if there is no run at ``path``.
    """

    def __init__(self, path: str | Path, allow_targets: Sequence[str] = ()) -> None:
        self.path, self.allow_targets = Path(path), allow_targets
        if not (self.path / ".hydra" / "config.yaml").is_file():
            raise InputError(f"{path} is no run folder: it has no .hydra/config.yaml")

    @property
    def config(self) -> DictConfig:
        """Return the config that the run was made with, under the names of today.

        Raises:
            InputError: if it is none.
        """
        resolvers.register()
        path = self.path / ".hydra" / "config.yaml"
        config = _settings(path)
        if not isinstance(config, DictConfig) or not config.keys() >= {"model", "data", "metrics"}:
            raise InputError(f"{path} is no config of a run: name the folder of one")
        return migrate_config(config)

    @property
    def overrides(self) -> list[str]:
        """Return the command line that the run was made with, under the names of today."""
        stored = _settings(self.path / ".hydra" / "overrides.yaml")
        return migrate_overrides(str(override) for override in stored)

    def checkpoint(self, *names: str) -> Path:
        """Return the first checkpoint of ``names`` that exists.

        Raises:
            InputError: if none does.
        """
        folder = self.path / "checkpoints"
        for name in names:
            if (folder / f"{name}.ckpt").is_file():
                return folder / f"{name}.ckpt"
        wanted = " or ".join(f"{name}.ckpt" for name in names)
        found = ", ".join(sorted(path.name for path in folder.glob("*.ckpt")))
        raise InputError(f"{folder} has no {wanted}: it holds {found or 'no checkpoint yet'}")


def names_of(checkpoint: str | None) -> list[str]:
    """Return the names to look for: the given checkpoint, by default the best and then the last."""
    return [checkpoint] if checkpoint else ["best", "last"]


def check_run(run: str, checkpoint: str | None = None) -> None:
    """Refuse a folder that is no run, or has no such checkpoint.

    Raises:
        InputError: with what is missing.
    """
    Run(run).checkpoint(*names_of(checkpoint))
