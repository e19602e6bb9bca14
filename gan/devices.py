"""The devices of a machine; its GPUs are counted without an import of PyTorch."""

import ctypes
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from gan.errors import InputError

if TYPE_CHECKING:
    import torch

_NVML = "libnvidia-ml.so.1"  # NVIDIA's management library, part of the driver
_AMD = Path("/dev/kfd")  # AMD's compute driver


def _count() -> int:
    """Return how many GPUs the machine has, whether visible to this process or not."""
    try:
        library = ctypes.CDLL(_NVML)
    except OSError:
        return _count_by_torch() if _AMD.exists() else 0
    count = ctypes.c_uint()
    if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return 0
    return count.value


def _count_by_torch() -> int:
    """Return how many GPUs PyTorch can use."""
    import torch

    return torch.cuda.device_count()


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process may use, those of CUDA_VISIBLE_DEVICES.

    As in CUDA, names after an unknown one do not count, and a name given twice makes all invalid.
    """
    count = _count()
    given = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count))))
    names: list[str] = []
    for name in (part.strip() for part in given.split(",") if count):
        if not name.startswith(("GPU-", "MIG-")) and not (name.isdigit() and int(name) < count):
            break
        names.append(name)
    return names if len(set(names)) == len(names) else []


def hardware(device: "torch.device") -> str:
    """Return the name of a device."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


def find_device(name: str | None) -> "torch.device":
    """Return the device of a name; by default a GPU if there is one.

    Raises:
        InputError: if there is no such device.
    """
    import torch

    chosen = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=chosen).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={chosen}: {str(error).splitlines()[0]}") from error
