"""Run folders and exports: their settings, and where their weights are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import DictConfig

from gan import records
from gan.errors import InputError
from gan.files import refuse_special_files
from gan.settings import stored
from gan.settings.cache import cache_folder
from gan.settings.errors import reading_settings
from gan.settings.trust import build
from gan.settings.validation import validate
from gan.structure import Count

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

    Attributes:
        file: of the settings, in the folder.
    """

    file: ClassVar[Path] = Path(".hydra", "config.yaml")

    def __init__(self, path: str | Path, allow_targets: Sequence[str] = ()) -> None:
        self.path, self.allow_targets = Path(path), allow_targets
        if not (self.path / self.file).is_file():
            raise InputError(f"{path} is no run folder: it has no {self.file}{self._instead()}")
        refuse_special_files(self.path)

    def _instead(self) -> str:
        """Return what the folder is instead, where that is known."""
        exported = (self.path / Export.file).is_file()
        return "; it is an export, which holds no state of training" if exported else ""

    def _stored(self) -> tuple[DictConfig, dict[str, str]]:
        """Return the settings as stored, and the expressions, not checked."""
        return stored.load(self.path, str(cache_folder()))

    def settings(self) -> tuple[DictConfig, dict[str, str]]:
        """Return the settings of the run, and the expressions behind its computed values.

        Raises:
            InputError: if they cannot be read, are wrong, or would write outside of the folder.
        """
        config, expressions = self._stored()
        config.allow_targets = list(self.allow_targets)
        try:
            with reading_settings():
                validate(config)
        except InputError as error:
            raise InputError(f"{self.path / self.file}: {error}") from error
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

    def existing(self, names: Sequence[str]) -> list[str]:
        """Return those of some checkpoints that exist."""
        return [n for n in names if (self.path / "checkpoints" / f"{n}.ckpt").is_file()]


@dataclass
class Description:
    """The content of ``config.json``, what an export says about itself.

    Attributes:
        ganymede: version that wrote it.
        checkpoint: from which the weights are: "best", "last", or "imported".
        step: number of generator updates of the weights.
        images: real images that the discriminator had seen.
        networks: whose weights are there, by their names in the game.
        settings: of the run, without what is about training and its machine.
    """

    ganymede: str
    checkpoint: str
    step: Count
    images: Count
    networks: list[str]
    settings: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write ``config.json`` to a folder."""
        records.write(folder / Export.file, asdict(self))


class Export(Run):
    """A folder with the weights that answer after training: ``config.json``, ``model.safetensors``.

    Commands and :func:`gan.load` take it in the place of a run folder.

    Args:
        path: the folder.
        allow_targets: packages whose classes its config may name besides this project's.

    Raises:
        InputError: if it is none, or a link in it leads out of it.
    """

    file = Path("config.json")
    weights: ClassVar[str] = "model.safetensors"

    @property
    def description(self) -> Description:
        """Return what it says about itself.

        Raises:
            InputError: if the file holds something else.
        """
        path = self.path / self.file
        content: Mapping[str, Any] = records.read(path, Description, "description of an export")
        return Description(**content)

    def _stored(self) -> tuple[DictConfig, dict[str, str]]:
        """Return the settings as stored, and no expressions, not checked."""
        path, cache = self.path / self.file, str(cache_folder())
        return stored.revive(path, self.path, self.description.settings, cache), {}

    def checkpoint(self, *names: str) -> Path:
        """Return the file of the weights.

        Raises:
            InputError: if there is none, or another checkpoint is asked for.
        """
        path, held = self.path / self.weights, self.description.checkpoint
        if held not in names and names != (*names_of(None),):
            raise InputError(
                f"checkpoint={names[0]}: {self.path} is an export of the weights '{held}': leave "
                "checkpoint out"
            )
        if not path.is_file():
            raise InputError(f"{self.path} has no {self.weights}: copy the export again")
        return path

    def existing(self, names: Sequence[str]) -> list[str]:
        """Return the name of its weights, whatever is asked for."""
        return [self.description.checkpoint]


def open_run(path: str | Path, allow_targets: Sequence[str] = ()) -> Run:
    """Return the run or the export in a folder.

    Args:
        path: the folder.
        allow_targets: packages whose classes its config may name besides this project's.

    Raises:
        InputError: if there is neither, or a link in it leads out of it.
    """
    place = Path(path)
    exported = (place / Export.file).is_file() and not (place / Run.file).is_file()
    return (Export if exported else Run)(path, allow_targets)


def names_of(checkpoint: str | None) -> list[str]:
    """Return the names to look for: the given checkpoint, by default the best and then the last."""
    return [checkpoint] if checkpoint else ["best", "last"]


def check_run(run: str, checkpoint: str | None = None, allow_targets: Sequence[str] = ()) -> None:
    """Refuse a folder that is no run, has wrong settings, or no such checkpoint.

    Raises:
        InputError: with what is wrong or missing.
    """
    folder = open_run(run, allow_targets)
    folder.checkpoint(*names_of(checkpoint))
    folder.settings()
