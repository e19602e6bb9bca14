"""Logging to Weights & Biases."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from gan.clock import Clock
from gan.errors import InputError
from gan.files import read_text, write_text
from gan.metrics.evaluation import protocol


def offline() -> bool:
    """Return whether there is neither an API key nor a mode in ``WANDB_MODE``.

    Raises:
        InputError: if the API key is malformed.
    """
    if "WANDB_MODE" in os.environ:
        return False
    try:
        return not wandb.login(prompt=False, verify=False)
    except wandb.errors.AuthenticationError as error:
        raise InputError(
            f"logger=wandb: {error}: set WANDB_API_KEY, or WANDB_MODE=offline"
        ) from error


class WeightsAndBiases(WandbLogger):
    """A W&B logger with steps and images seen as axes; offline if there is no API key.

    A run that is resumed in its folder continues the same W&B run, whose id is in ``wandb/run_id``
    there.

    Args:
        save_dir: the run folder; offline files are in its ``wandb/``.
        name: of the run; by default the name of the run folder.
        project: of W&B.
        init_timeout: seconds to wait for the server before the run logs offline.
        settings: further arguments of ``wandb.init``.
    """

    def __init__(
        self,
        save_dir: str,
        name: str | None = None,
        project: str = "ganymede",
        init_timeout: float = 20.0,
        **settings: Any,
    ) -> None:
        settings["settings"] = wandb.Settings(init_timeout=init_timeout, silent=True)
        settings["reinit"] = "finish_previous"
        name = name or Path(save_dir).name
        super().__init__(name=name, save_dir=save_dir, project=project, **settings)
        del self._wandb_init["anonymous"]
        self._id_file = Path(save_dir) / "wandb" / "run_id"
        if self._id_file.exists():
            self._wandb_init |= {"id": read_text(self._id_file).strip(), "resume": "allow"}
        if offline():
            self._wandb_init["mode"] = "offline"

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """Return the W&B run, offline if the server does not answer."""
        if self._experiment is None:
            self._experiment = self._start()
            write_text(self._id_file, self._experiment.id)
            self._experiment.define_metric("step")
            self._experiment.define_metric("images")
            self._experiment.define_metric("*", step_metric="step")
        return self._experiment

    def _start(self) -> Any:
        """Start a W&B run."""
        try:
            return wandb.init(**self._wandb_init)
        except wandb.errors.CommError as error:
            reason = " ".join(str(error).split())
            print(f"wandb: {reason}; logging offline, `wandb sync` sends it later")
            return wandb.init(**{**self._wandb_init, "mode": "offline"})

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log with the step of the run; W&B counts its own steps besides."""
        self.experiment.log({**metrics, "step": step})

    @rank_zero_only
    def log_protocol(self, stamp: Mapping[str, Any], step: int) -> None:
        """Write the protocol of the metrics to the config, by which W&B groups and filters."""
        config = {"protocol": protocol(stamp), "protocol_stamp": dict(stamp)}
        self.experiment.config.update(config, allow_val_change=True)

    @rank_zero_only
    def log_picture(self, key: str, picture: Tensor, clock: Clock) -> None:
        """Log a picture (3, H, W) of uint8."""
        image = wandb.Image(picture.permute(1, 2, 0).numpy())
        self.experiment.log({key: image, "step": clock.step, "images": clock.images})

    @rank_zero_only
    def log_alert(self, title: str, text: str) -> None:
        """Send an alert, which W&B forwards by mail or chat according to its settings."""
        self.experiment.alert(title=title, text=text, level="WARN")

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the W&B run, so that the next run in this process is a new one."""
        if self._experiment is not None:
            self._experiment.finish(exit_code=0 if status == "success" else 1)
            self._experiment = None
