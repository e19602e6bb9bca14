"""The start of a run, which names its folder."""

import os
import secrets
import time
from functools import cache

from gan.errors import InputError
from gan.tasks import current_task


@cache
def run_start() -> tuple[float, str]:
    """Return the start of the run in seconds since 1970, and four random hex digits.

    Processes that ``torchrun`` starts side by side agree on both through its store. Processes that
    Lightning starts are given the folder.

    Raises:
        InputError: in one of several tasks of ``srun``, which have nothing to agree by.
    """
    if current_task() is not None:
        raise InputError("srun has started several tasks: give them one folder, hydra.run.dir=DIR")
    value = f"{time.time()} {secrets.token_hex(2)}"
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        value = _agreed(value)
    seconds, token = value.split()
    return float(seconds), token


def _agreed(value: str) -> str:
    """Return the value of the first process that asks, in all processes of ``torchrun``."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
    agreed: bytes = store.compare_set(f"ganymede/start/{attempt}", "", value)
    return agreed.decode()


def start_time(pattern: str) -> str:
    """Return the start of the run in local time, formatted by ``strftime``."""
    return time.strftime(pattern, time.localtime(run_start()[0]))
