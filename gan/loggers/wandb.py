"""Logging to Weights & Biases."""

import inspect
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import wandb
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from gan.clock import Clock
from gan.errors import InputError
from gan.files import read_text, replacement, write_text
from gan.loggers.login import offline
from gan.metrics.evaluation import protocol
from gan.metrics.measurement import Measurement
from gan.settings.description import Description
from gan.settings.groups import CONF
from gan.settings.names import nearest

_PROJECT = "ganymede"
_OWN = {"dir", "config", "settings", "reinit", "anonymous", "resume"}  # set here, or by the run
_TAKEN = {"offline", *inspect.signature(wandb.init).parameters} - _OWN
# What `python -m gan sample` needs of a run folder.
_MODEL = (".hydra/*.yaml", "classes.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt")
_SOURCE = Path(__file__).parents[2]  # the checkout, or the folder of installed packages
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of files in the archive, which then depends on them alone


class WeightsAndBiases(WandbLogger):
    """A W&B logger whose charts have the images seen as their axis; offline without an API key.

    Name, group and tags come from the choices of the run, unless they are given here or by
    ``WANDB_NAME``, ``WANDB_RUN_GROUP`` and ``WANDB_TAGS``. A run that is resumed in its folder
    continues the same W&B run, whose id is in ``wandb/run_id`` there. Offline, nothing is sent;
    reports of errors in wandb itself are sent only with ``WANDB_ERROR_REPORTING=true``.

    Args:
        save_dir: the run folder; offline files are in its ``wandb/``.
        name: of the run; by default model, data, and the settings that were typed.
        project: of W&B; by default ``WANDB_PROJECT``, or "ganymede".
        tags: of the run, beside its choices.
        artifacts: log the checkpoints at the end, as an artifact that holds a run folder.
        code: log an archive of the source files and configs of this project as an artifact.
        init_timeout: seconds to wait for the server before the run logs offline.
        settings: further arguments of ``wandb.init``.

    Raises:
        InputError: if ``wandb.init`` has no such argument, or the API key is malformed.
    """

    def __init__(
        self,
        save_dir: str,
        name: str | None = None,
        project: str | None = None,
        tags: list[str] | None = None,
        artifacts: bool = False,
        code: bool = True,
        init_timeout: float = 20.0,
        **settings: Any,
    ) -> None:
        _check(settings)
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        settings["settings"] = wandb.Settings(init_timeout=init_timeout, silent=True)
        settings["reinit"] = "finish_previous"
        project = project or os.environ.get("WANDB_PROJECT") or _PROJECT
        given = [*os.environ.get("WANDB_TAGS", "").split(","), *(tags or [])]
        settings["tags"] = [tag.strip() for tag in given if tag.strip()]
        if settings.pop("offline", False):
            settings["mode"] = "offline"
        super().__init__(name=name, save_dir=save_dir, project=project, **settings)
        del self._wandb_init["anonymous"]
        self._folder, self._artifacts, self._code, self._last = Path(save_dir), artifacts, code, 0
        self._id_file = self._folder / "wandb" / "run_id"
        if self._id_file.exists():
            self._wandb_init |= {"id": read_text(self._id_file).strip(), "resume": "allow"}
        if self._wandb_init.get("mode") is None and offline():
            self._wandb_init["mode"] = "offline"

    @rank_zero_only
    def describe(self, description: Description) -> None:
        """Set name, group and tags that were not given; call it before anything is logged."""
        init, given = self._wandb_init, os.environ
        named = init["name"] or given.get("WANDB_NAME")
        init["name"] = named or description.name or self._folder.name
        init["group"] = init.get("group") or given.get("WANDB_RUN_GROUP") or description.group
        init["job_type"] = init.get("job_type") or given.get("WANDB_JOB_TYPE") or "train"
        init["tags"] = [*dict.fromkeys([*init["tags"], *description.tags])]

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """Return the W&B run, offline if the server does not answer."""
        if self._experiment is None:
            self._experiment = self._start()
            write_text(self._id_file, self._experiment.id)
            for axis in ("step", "images"):
                self._experiment.define_metric(axis, hidden=True)
            self._experiment.define_metric("*", step_metric="images")
            if self._code:
                self._log_code()
        return self._experiment

    def _start(self) -> Any:
        """Start a W&B run."""
        try:
            return wandb.init(**self._wandb_init)
        except wandb.errors.CommError as error:
            reason = " ".join(str(error).split())
            print(f"wandb: {reason}; logging offline, `wandb sync` sends it later")
            wandb.teardown()  # its process holds the id of a resumed run
            return wandb.init(**{**self._wandb_init, "mode": "offline"})

    def _log_code(self) -> None:
        """Log an archive of the source files; equal ones are stored once by W&B."""
        path = self._folder / "wandb" / "code.zip"
        _archive_code(path)
        artifact = wandb.Artifact("ganymede-code", type="code")
        artifact.add_file(str(path), name="code.zip")
        self.experiment.log_artifact(artifact)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Log settings; what the agent of a W&B sweep chose is there already and stays."""
        run, given = self.experiment, vars(params) if isinstance(params, Namespace) else params
        chosen = set(run.config.keys()) if run.sweep_id else set()
        super().log_hyperparams({k: v for k, v in given.items() if k not in chosen})

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log with the step of the run; W&B counts its own steps besides."""
        self._last = step or self._last
        self.experiment.log({**metrics, "step": step})

    @rank_zero_only
    def log_measurement(self, measurement: Measurement) -> None:
        """Log an evaluation: numbers, a table of the classes, and in the summary the best."""
        row: dict[str, Any] = {"images": measurement.images, **measurement.overall}
        if measurement.classes:
            row["classes"] = _class_table(measurement)
        self.log_metrics(row, measurement.step)
        best: dict[str, float] = {f"best/{key}": value for key, value in measurement.best.items()}
        if measurement.best_step is not None:
            best["best/step"] = measurement.best_step
        self.experiment.summary.update(best)

    @rank_zero_only
    def log_protocol(self, stamp: Mapping[str, Any], step: int) -> None:
        """Write the protocol of the metrics to the config, by which W&B groups and filters."""
        config = {"protocol": protocol(stamp), "protocol_stamp": dict(stamp)}
        self.experiment.config.update(config, allow_val_change=True)

    @rank_zero_only
    def log_picture(self, key: str, picture: Tensor, clock: Clock, caption: str) -> None:
        """Log a picture (3, H, W) of uint8."""
        text = f"step {clock.step:,}, {clock.images:,} images seen, {caption}"
        image = wandb.Image(picture.permute(1, 2, 0).numpy(), caption=text)
        self.experiment.log({key: image, "step": clock.step, "images": clock.images})

    @rank_zero_only
    def log_alert(self, title: str, text: str) -> None:
        """Send an alert, which W&B forwards by mail or chat according to its settings."""
        self.experiment.alert(title=title, text=text, level="WARN")

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the W&B run, so that the next run in this process is a new one."""
        if self._experiment is None:
            return
        if self._artifacts:
            self._log_checkpoints()
        self._experiment.finish(exit_code=0 if status == "success" else 1)
        self._experiment = None

    def _log_checkpoints(self) -> None:
        """Log what ``python -m gan sample`` needs of the run folder."""
        files = [path for pattern in _MODEL for path in sorted(self._folder.glob(pattern))]
        if not any(path.suffix == ".ckpt" for path in files):
            print(
                "wandb: there is no checkpoint to log as an artifact: callbacks=[checkpoints,...]"
            )
            return
        artifact = wandb.Artifact(f"model-{self.experiment.id}", type="model")
        for path in files:
            artifact.add_file(str(path), name=path.relative_to(self._folder).as_posix())
        self.experiment.log_artifact(artifact, aliases=["latest", f"step-{self._last}"])


def _check(settings: Mapping[str, Any]) -> None:
    """Refuse what is no argument of ``wandb.init``, or is set by the run."""
    for key in settings.keys() - _TAKEN:
        hint = "artifacts=true logs checkpoints" if key == "log_model" else nearest(key, _TAKEN)
        raise InputError(f"logger.wandb.{key}: no such setting; {hint}")


def _archive_code(path: Path) -> None:
    """Write the source files and configs of this project as a zip file."""
    sources = (_SOURCE / package for package in ("gan", "datamodules"))
    files = {*CONF.glob("**/*.yaml"), *(f for source in sources for f in source.glob("**/*.py"))}
    with replacement(path) as part, ZipFile(part, "w", ZIP_DEFLATED) as archive:
        for file in sorted(files):
            name = ZipInfo(file.relative_to(_SOURCE).as_posix(), _EPOCH)
            archive.writestr(name, file.read_bytes(), ZIP_DEFLATED)


def _class_table(measurement: Measurement) -> wandb.Table:
    """Return the values of each class as a table, one row a class."""
    rows = measurement.classes
    names = [*dict.fromkeys(name for row in rows.values() for name in row)]
    cells: Iterator[list[Any]] = (
        [label, measurement.class_name(label), *map(row.get, names)] for label, row in rows.items()
    )
    return wandb.Table(columns=["class", "name", *names], data=[*cells])
