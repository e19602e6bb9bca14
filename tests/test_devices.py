import ctypes
from collections.abc import Callable
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
    """

    def __init__(self, count: int, status: int = 0) -> None:
        self.count, self.status = count, status

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return self.status

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = self.count
        return 0


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
