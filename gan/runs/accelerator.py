"""The trainer of a run: its devices, processes and precision."""

import os
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger

from gan.algorithms.strategy import PlayerwiseDDP
from gan.devices import lacks_bfloat16
from gan.errors import InputError
from gan.settings.trust import build
from gan.settings.validation import several_processes
from gan.tasks import Task, current_task

# Flags of Lightning's trainer for one pass over a stream of steps, of which the project has its own
# logs, checkpoints and measurements.
_FIXED: dict[str, Any] = {
    "max_epochs": 1,
    "log_every_n_steps": 1,
    "limit_val_batches": 0,
    "num_sanity_val_steps": 0,
    "use_distributed_sampler": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
_FIRST_PORT, _PORTS = 15000, 15000  # below those that systems give to outgoing connections


class SrunEnvironment(LightningEnvironment):
    """Processes that ``srun`` starts, one a device or one a machine.

    The process of a machine starts those of its further devices. Lightning's own environment for
    SLURM knows one task a device only, and queues jobs again by itself.

    Args:
        task: that this process belongs to.
    """

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    @property
    def creates_processes_externally(self) -> bool:
        """Return whether the process of each device is started from outside."""
        return self.task.per_node > 1 or super().creates_processes_externally

    @property
    def main_address(self) -> str:
        """Return the name of the first machine."""
        nodes = os.environ["SLURM_STEP_NODELIST"]
        return os.environ.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(nodes)

    @property
    def main_port(self) -> int:
        """Return a port that the tasks of this step agree on, and those of another do not use."""
        step = int(os.environ["SLURM_JOB_ID"]) + int(os.environ["SLURM_STEP_ID"])
        return int(os.environ.get("MASTER_PORT") or _FIRST_PORT + step % _PORTS)

    def local_rank(self) -> int:
        """Return the number of the process on its machine."""
        return self.task.local if self.task.per_node > 1 else super().local_rank()

    def node_rank(self) -> int:
        """Return the number of the machine."""
        return self.task.node


def make_trainer(config: DictConfig, callbacks: list[Callback], table: Logger) -> pl.Trainer:
    """Return a trainer for one pass over a stream of ``steps`` steps.

    Args:
        config: settings of the run.
        callbacks: in the order in which they act.
        table: logger of the run.

    Raises:
        InputError: on settings that this machine, or Lightning, refuses.
    """
    allowed = list(config.allow_targets)
    node, flags = build(config.accelerator, allowed), build(config.trainer, allowed)
    _check_gpu(node)
    _check_precision(node)
    _check_nodes(node)
    with _refusals():
        trainer = pl.Trainer(
            **{key: node[key] for key in ("accelerator", "devices", "strategy", "precision")},
            **{"num_nodes": node.get("num_nodes", 1), "plugins": _plugins(), **flags},
            **_FIXED,
            callbacks=callbacks,
            logger=[table],
            default_root_dir=config.run_dir,
        )
    _check_processes(trainer)
    return trainer


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what Lightning says of settings that it refuses into one line."""
    try:
        yield
    except (MisconfigurationException, ValueError, TypeError, AttributeError) as error:
        reason = textwrap.shorten(str(error), 180, placeholder=" ...")
        raise InputError(f"accelerator and trainer: Lightning refuses them: {reason}") from error


def _plugins() -> list[Any]:
    """Return how the processes of this run find each other where Lightning is not to choose.

    In a job of SLURM without tasks beside this one, a run starts its own processes, as elsewhere.
    """
    if "SLURM_JOB_ID" not in os.environ or TorchElasticEnvironment.detect():
        return []
    task = current_task()
    return [LightningEnvironment() if task is None else SrunEnvironment(task)]


def _check_gpu(node: dict[str, Any]) -> None:
    """Refuse a GPU where there is none."""
    if node["accelerator"] == "gpu" and not torch.cuda.is_available():
        raise InputError("accelerator: no GPU was found here: choose accelerator=cpu or auto")


def _check_nodes(node: dict[str, Any]) -> None:
    """Refuse several machines whose processes nothing has started, and tasks on other machines."""
    nodes, task = node.get("num_nodes", 1), current_task()
    if nodes < 1:
        raise InputError(f"accelerator.num_nodes={nodes}: give a number from 1")
    if task is not None and nodes != task.nodes:
        raise InputError(
            f"accelerator.num_nodes={nodes}: srun has started tasks on {task.nodes}: give "
            f"accelerator.num_nodes={task.nodes}"
        )
    if nodes > 1 and task is None and "WORLD_SIZE" not in os.environ:
        raise InputError(
            f"accelerator.num_nodes={nodes}: start train.py on each machine with torchrun "
            f"--nnodes {nodes} or srun --nodes {nodes}, so that the machines know each other"
        )


def _check_processes(trainer: pl.Trainer) -> None:
    """Refuse processes whose gradients nothing averages, and tasks without a device."""
    if trainer.world_size > 1 and not isinstance(trainer.strategy, PlayerwiseDDP):
        raise InputError(several_processes(trainer.world_size))
    task = current_task()
    if task is not None and task.per_node not in (1, trainer.num_devices):
        raise InputError(
            f"accelerator.devices={trainer.num_devices}: srun has started {task.per_node} tasks on "
            "each machine: start one, or as many as there are devices"
        )


def _check_precision(node: dict[str, Any]) -> None:
    """Refuse bfloat16 on a CPU that has no instructions for it."""
    found = node["accelerator"] == "auto" and not torch.cuda.is_available()
    on_cpu = found or node["accelerator"] == "cpu"
    if on_cpu and str(node["precision"]).startswith("bf16") and lacks_bfloat16():
        raise InputError(
            f"accelerator.precision={node['precision']}: this CPU has no instructions for "
            "bfloat16, and training would take about 16 times as long: choose accelerator=cpu"
        )
