"""The devices of a machine; its GPUs are counted without an import of PyTorch."""

import ctypes
import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gan.errors import InputError

if TYPE_CHECKING:
    import torch

_NVML = "libnvidia-ml.so.1"  # NVIDIA's management library, part of the driver
_AMD = Path("/dev/kfd")  # AMD's compute driver
_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16", "svebf16"}  # flags of x86 and ARM processors
_IMAGES = 100, 1000  # of a batch of an evaluation, fewest and most
_AMPERE = 8  # compute capability of the first GPUs with bfloat16


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


def _capability(name: str) -> int:
    """Return the major compute capability of a GPU by its index or identifier, 0 if unknown."""
    library, handle = ctypes.CDLL(_NVML), ctypes.c_void_p()
    if name.isdigit():
        failed = library.nvmlDeviceGetHandleByIndex_v2(int(name), ctypes.byref(handle))
    else:
        failed = library.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle))
    major, minor = ctypes.c_int(), ctypes.c_int()
    if failed or library.nvmlDeviceGetCudaComputeCapability(
        handle, ctypes.byref(major), ctypes.byref(minor)
    ):
        return 0
    return major.value


def preferred_precision() -> str:
    """Return the precision of training on the devices of this machine.

    "bf16-mixed" if all visible GPUs compute in bfloat16, that is from compute capability 8.0 on,
    else "32-true".
    """
    gpus = visible_gpus()
    try:
        modern = bool(gpus) and all(_capability(name) >= _AMPERE for name in gpus)
    except (OSError, AttributeError):
        modern = False
    return "bf16-mixed" if modern else "32-true"


def lacks_bfloat16() -> bool:
    """Return whether the processor is known to have no instructions for bfloat16."""
    try:
        text = _CPUINFO.read_text()
    except OSError:
        return False
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", text, flags=re.MULTILINE)
    return flags is not None and not _BFLOAT16 & set(flags[1].split())


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


def images_at_once(device: "torch.device") -> int:
    """Return how many images an evaluation computes at once: 100, more on a GPU with more memory.

    A GPU takes an image for each 64 MB, from 100 to 1,000: a batch of Inception's activations is a
    small part of its memory.
    """
    import torch

    if device.type != "cuda":
        return _IMAGES[0]
    memory = torch.cuda.get_device_properties(device).total_memory
    return min(max(memory // 2**26, _IMAGES[0]), _IMAGES[1])
