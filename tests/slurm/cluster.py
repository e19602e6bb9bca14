"""A SLURM of one node that lives in a folder."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
_CONF = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=bf_interval=1,sched_interval=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Return why there can be no cluster here, if there cannot."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} not found: apt-get install slurm-wlm munge"
    return None if os.getuid() == 0 else "slurmd needs root"


def _ports(count: int) -> list[int]:
    """Return free ports."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    found = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return found


class Cluster:
    """The cluster, seen by its commands.

    Args:
        folder: of its configuration, state and logs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self.environment = {**os.environ, "SLURM_CONF": str(self.conf)}

    def ask(self, *command: str) -> str:
        """Return what a command prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def start(self) -> None:
        """Start the daemons and wait for the node."""
        host = socket.gethostname().partition(".")[0]
        controller, node = _ports(2)
        text = _CONF.format(host=host, folder=self.folder, controller=controller, node=node)
        self.conf.write_text(text)
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        files = {"key-file": key.name, "socket": "munge.socket", "pid-file": "munged.pid"}
        files |= {"log-file": "munged.log", "seed-file": "munged.seed"}
        self.ask("munged", "--force", *(f"--{k}={self.folder / v}" for k, v in files.items()))
        self.ask("slurmctld", "-f", str(self.conf))
        self.ask("slurmd", "-f", str(self.conf))
        deadline = time.monotonic() + 60
        while self.ask("sinfo", "-h", "-o", "%t") != "idle":
            assert time.monotonic() < deadline, self.ask("sinfo")
            time.sleep(0.5)

    def stop(self) -> None:
        """End what runs, and the daemons."""
        with suppress(AssertionError):
            self.ask("scancel", "--full", "-u", "root")
            time.sleep(2)
        for name in ("slurmd", "slurmctld", "munged"):
            path = self.folder / f"{name}.pid"
            if path.exists():
                with suppress(ProcessLookupError):
                    os.kill(int(path.read_text()), signal.SIGTERM)
        time.sleep(2)  # the last of their files


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Give a cluster that runs."""
    made = Cluster(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
