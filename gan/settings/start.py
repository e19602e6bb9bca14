"""The beginning of a run, by which its folder is named."""

import os
import secrets
import time
from functools import cache

from torch.distributed import TCPStore  # type: ignore[attr-defined]


@cache
def beginning() -> tuple[float, str]:
    """Return when the run began, in seconds since 1970, and four hex digits that set it apart.

    Processes that ``torchrun`` has started side by side agree on it through the store by which
    they will meet; those that Lightning starts are told the folder.
    """
    mine = f"{time.time()} {secrets.token_hex(2)}"
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
        attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
        mine = store.compare_set(f"ganymede/beginning/{attempt}", "", mine).decode()
    seconds, token = mine.split()
    return float(seconds), token


def began(pattern: str) -> str:
    """Return the beginning of the run in local time, as ``strftime`` writes it."""
    return time.strftime(pattern, time.localtime(beginning()[0]))
