"""The GPUs of a machine, handed out to the jobs that run on it."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gan.errors import InputError
from gan.runs.lock import Lock


def place() -> Path:
    """Return the folder of the locks: one for this user on this machine, or for a SLURM job."""
    job = os.environ.get("SLURM_JOB_ID", "")
    return Path(tempfile.gettempdir()) / f"ganymede-{os.getuid()}" / f"gpus{job and '-'}{job}"


@dataclass
class Lease:
    """What a job was given.

    Attributes:
        devices: names of its GPUs.
        descriptors: of the locks, for the job's process to hold them too.
    """

    devices: list[str] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Return what tells a process to use these GPUs and no other."""
        return {"CUDA_VISIBLE_DEVICES": ",".join(self.devices)} if self.devices else {}


class Pool:
    """GPUs that many processes share, each for itself.

    One process at a time collects what it asked for, so that two that want several never hold what
    the other waits for, and one that wants many is not passed over for ever.

    Args:
        devices: their names.
        folder: of the locks.
        pause: what a waiting process does between two tries; it may raise to give up.
    """

    def __init__(self, devices: Sequence[str], folder: Path, pause: Callable[[], None]) -> None:
        self.devices, self.folder, self.pause = list(devices), folder, pause

    @contextmanager
    def lease(self, count: int) -> Iterator[Lease]:
        """Give ``count`` GPUs, once they are free.

        Raises:
            InputError: if there are not as many.
        """
        if count > len(self.devices):
            raise InputError(
                f"accelerator.devices={count}: {len(self.devices)} GPUs are here: ask for fewer"
            )
        if not count:
            yield Lease()
            return
        with ExitStack() as held:
            with Lock(self.folder / "turn.lock", self.pause):
                lease = self._collect(count, held)
            yield lease

    def _collect(self, count: int, held: ExitStack) -> Lease:
        """Take free GPUs until there are enough."""
        lease = Lease()
        while len(lease.devices) < count:
            for device in self.devices:
                lock = Lock(self.folder / f"{device}.lock", self.pause)
                wanted = len(lease.devices) < count and device not in lease.devices
                if wanted and lock.attempt():
                    held.callback(lock.close)
                    lease.devices.append(device)
                    lease.descriptors.append(lock.descriptor)
                else:
                    lock.close()
            if len(lease.devices) < count:
                self.pause()
        return lease
