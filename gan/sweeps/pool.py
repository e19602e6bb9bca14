"""Allocation of the GPUs of a machine to the jobs that run on it."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gan.errors import InputError
from gan.runs.lock import Lock


def lock_folder() -> Path:
    """Return the folder of the locks: one a user and machine, or one a SLURM job."""
    job = os.environ.get("SLURM_JOB_ID", "")
    return Path(tempfile.gettempdir()) / f"ganymede-{os.getuid()}" / f"gpus{job and '-'}{job}"


@dataclass
class Allocation:
    """The GPUs of a job.

    Attributes:
        devices: their names.
        descriptors: of their locks, for the process of the job to inherit.
    """

    devices: list[str] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables that restrict a process to these GPUs."""
        return {"CUDA_VISIBLE_DEVICES": ",".join(self.devices)} if self.devices else {}


class Pool:
    """GPUs that the processes of a machine share, each used by one job at a time.

    One process at a time collects GPUs. Two jobs that need several can therefore not block each
    other, and a job that needs many is served in its turn.

    Args:
        devices: names of the GPUs.
        folder: of the locks.
        pause: called between two attempts; it may raise an exception to stop waiting.
    """

    def __init__(self, devices: Sequence[str], folder: Path, pause: Callable[[], None]) -> None:
        self.devices, self.folder, self.pause = list(devices), folder, pause

    @contextmanager
    def allocate(self, count: int) -> Iterator[Allocation]:
        """Wait for ``count`` free GPUs and allocate them.

        Raises:
            InputError: if there are not as many.
        """
        if count > len(self.devices):
            raise InputError(
                f"accelerator.devices={count}: {len(self.devices)} GPUs are here: ask for fewer"
            )
        if not count:
            yield Allocation()
            return
        with ExitStack() as locks:
            with Lock(self.folder / "turn.lock", self.pause):
                allocation = self._collect(count, locks)
            yield allocation

    def _collect(self, count: int, locks: ExitStack) -> Allocation:
        """Lock free GPUs until there are enough."""
        allocation = Allocation()
        while len(allocation.devices) < count:
            for device in self.devices:
                lock = Lock(self.folder / f"{device}.lock", self.pause)
                missing = len(allocation.devices) < count and device not in allocation.devices
                if missing and lock.acquire():
                    locks.callback(lock.close)
                    allocation.devices.append(device)
                    allocation.descriptors.append(lock.descriptor)
                else:
                    lock.close()
            if len(allocation.devices) < count:
                self.pause()
        return allocation
