import ctypes
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gan import devices
from gan.errors import InputError


class Library:
    """Stands for NVML on a machine with some GPUs.

    Args:
        count: of GPUs.
        status: of the start of the library, 0 if it works.
        capabilities: major compute capability of each, 0 if it cannot be told.
    """

    def __init__(self, count: int, status: int = 0, capabilities: Sequence[int] = ()) -> None:
        self.count, self.status, self.capabilities = count, status, capabilities

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return self.status

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = self.count
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:  # noqa: N802
        handle._obj.value = index + 1
        return 0

    def nvmlDeviceGetHandleByUUID(self, name: bytes, handle: Any) -> int:  # noqa: N802
        return self.nvmlDeviceGetHandleByIndex_v2(int(name.removeprefix(b"GPU-")), handle)

    def nvmlDeviceGetCudaComputeCapability(self, handle: Any, major: Any, minor: Any) -> int:  # noqa: N802
        major._obj.value = self.capabilities[handle.value - 1]
        return int(major._obj.value == 0)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[Library | None], None]:
    """Return a function that sets the driver of the machine."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def set_library(library: Library | None) -> None:
        def load(name: str) -> Library:
            if library is None:
                raise OSError(name)
            return library

        monkeypatch.setattr(ctypes, "CDLL", load)

    return set_library


@pytest.mark.parametrize(
    ("library", "expected"),
    [(None, []), (Library(0), []), (Library(3), ["0", "1", "2"]), (Library(3, status=9), [])],
)
def test_the_gpus_of_a_machine(
    machine: Callable[[Library | None], None], library: Library | None, expected: list[str]
) -> None:
    machine(library)
    assert devices.visible_gpus() == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", []),
        ("-1", []),
        ("2", ["2"]),
        ("2, 0", ["2", "0"]),
        ("0,7,1", ["0"]),
        ("1,1", []),
        ("GPU-8f2e,MIG-1a", ["GPU-8f2e", "MIG-1a"]),
    ],
)
def test_visible_gpus_are_those_of_cuda(
    machine: Callable[[Library | None], None],
    monkeypatch: pytest.MonkeyPatch,
    given: str,
    expected: list[str],
) -> None:
    machine(Library(4))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert devices.visible_gpus() == expected


def test_amd_gpus_are_counted_by_torch(
    machine: Callable[[Library | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(None)
    monkeypatch.setattr(devices, "_AMD", type("Path", (), {"exists": lambda self: True})())
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.visible_gpus() == ["0", "1"]


@pytest.mark.skipif(torch.version.cuda is None, reason="this torch knows no GPUs")
def test_torch_agrees() -> None:
    assert len(devices.visible_gpus()) == torch.cuda.device_count()


def test_a_device_by_name() -> None:
    assert devices.find_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="device=abacus"):
        devices.find_device("abacus")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512f\n", True),
        ("processor : 0\nflags\t\t: fpu avx512_bf16 avx2\n", False),
        ("processor : 0\nFeatures\t: fp asimd bf16\n", False),
        ("processor : 0\nFeatures\t: fp asimd\n", True),
        ("processor : 0\n", False),
        (None, False),
    ],
)
def test_processors_without_bfloat16(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, expected: bool
) -> None:
    monkeypatch.setattr(devices, "_CPUINFO", tmp_path / "cpuinfo")
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    assert devices.lacks_bfloat16() is expected


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        *(([], "32-true"), ([7], "32-true"), ([0], "32-true"), ([9, 7], "32-true")),
        *(([8], "bf16-mixed"), ([9, 9], "bf16-mixed")),
    ],
)
def test_the_precision_of_a_machine(
    machine: Callable[[Library | None], None], capabilities: list[int], expected: str
) -> None:
    machine(Library(len(capabilities), capabilities=capabilities) if capabilities else None)
    assert devices.preferred_precision() == expected


def test_gpus_by_identifier_have_a_precision(
    machine: Callable[[Library | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(Library(2, capabilities=[9, 7]))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-0")
    assert devices.preferred_precision() == "bf16-mixed"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1")
    assert devices.preferred_precision() == "32-true"


def test_the_device_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.find_device(None) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch, "empty", lambda size, device: SimpleNamespace(device=torch.device(device, size))
    )
    assert devices.find_device(None) == torch.device("cuda:0")


def test_the_name_of_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert devices.hardware(torch.device("cuda:3")) == "GPU 3"
    shown = devices.hardware(torch.device("cpu"))
    assert shown.endswith(f"CPU, {os.cpu_count()} cores, {torch.get_num_threads()} threads")


def test_a_gpu_that_cannot_be_reached_or_asked_has_no_capability(
    machine: Callable[[Library | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(1, capabilities=[9])
    machine(library)
    assert devices._capability("0") == 9
    monkeypatch.setattr(library, "nvmlDeviceGetHandleByIndex_v2", lambda index, handle: 3)
    assert devices._capability("0") == 0
    monkeypatch.setattr(library, "nvmlDeviceGetCount_v2", lambda count: 3)
    assert devices.visible_gpus() == []


@pytest.mark.parametrize(("gigabytes", "images"), [(4, 100), (8, 128), (24, 384), (141, 1000)])
def test_images_of_an_evaluation_s_batch(
    gigabytes: int, images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = SimpleNamespace(total_memory=gigabytes * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: memory)
    assert devices.images_at_once(torch.device("cuda", 0)) == images
    assert devices.images_at_once(torch.device("cpu")) == 100
