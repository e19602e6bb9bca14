"""The tasks that SLURM's ``srun`` starts for a run, on one machine or several."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """One of several processes that ``srun`` has started side by side.

    Attributes:
        number: of the task, from 0, over all machines.
        local: number of the task on its machine, from 0.
        node: number of its machine, from 0.
        count: tasks on all machines.
        nodes: machines.
    """

    number: int
    local: int
    node: int
    count: int
    nodes: int

    @property
    def per_node(self) -> int:
        """Return how many tasks each machine has."""
        return self.count // self.nodes


def current_task() -> Task | None:
    """Return the task that this process belongs to.

    ``None`` if ``srun`` did not start it, or started no other beside it, or if ``torchrun`` has
    started it, whose processes find each other without SLURM.
    """
    count = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
    if count == 1 or "TORCHELASTIC_RUN_ID" in os.environ:
        return None
    names = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")
    number, local, node = (int(os.environ[name]) for name in names)
    return Task(number, local, node, count, int(os.environ["SLURM_STEP_NUM_NODES"]))
