"""Archives of tensors, as ``torch.save`` writes them, that anyone may have changed."""

import pickle
import struct
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
from torch import Tensor

from gan.files import open_file
from gan.structure import PLAIN, Leaf, show

# Errors of `read` for a truncated or foreign file.
READ_ERRORS = (
    *(OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError, BadZipFile),
    *(LookupError, TypeError, AttributeError, AssertionError, MemoryError, struct.error),
    *(NotImplementedError, OverflowError),
)
_DEEPEST = 50  # dictionaries and lists within one another


def read(path: Path) -> Any:
    """Return the content of an archive, on the CPU, its checksums verified.

    No code of a pickle is run, and no more is read than the file has bytes.

    Raises:
        Exception: one of READ_ERRORS, if the archive is damaged, is compressed, or holds anything
            but tensors, numbers, text, dictionaries, lists and tuples.
    """
    with open_file(path) as file, ZipFile(file) as archive:
        values = _check_entries(archive, path.stat().st_size)
        damaged = archive.testzip()
    if damaged is not None:
        raise BadZipFile(f"the checksum of {damaged} is wrong")
    content = load(path)
    _check_values(content, values)
    return content


def load(path: Path) -> Any:
    """Return what ``torch.save`` wrote, in any format, on the CPU; no code of a pickle is run.

    Raises:
        Exception: one of READ_ERRORS, for any other file.
    """
    with warnings.catch_warnings(action="ignore"):
        return torch.load(path, map_location="cpu", weights_only=True)


def _check_entries(archive: ZipFile, size: int) -> int:
    """Refuse entries that expand, and return the size of the pickle in bytes."""
    entries = archive.infolist()
    if any(entry.compress_type != ZIP_STORED for entry in entries):
        raise BadZipFile("an entry is compressed")
    if sum(entry.file_size for entry in entries) > size:
        raise BadZipFile("its entries are larger than the file")
    return max((e.file_size for e in entries if e.filename.endswith("data.pkl")), default=0)


def _check_values(content: Any, most: int) -> None:
    """Refuse values of other types, deep nesting, and more values than bytes by shared ones."""
    waiting, count = [(content, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if count > most or depth > _DEEPEST:
            raise ValueError("it holds more values than bytes, or nests them too deeply")
        if type(value) in (dict, OrderedDict):
            waiting += [(inner, depth + 1) for pair in value.items() for inner in pair]
        elif type(value) in (list, tuple):
            waiting += [(inner, depth + 1) for inner in value]
        elif type(value) not in PLAIN and not isinstance(value, Tensor):
            raise ValueError(f"it holds {show(value)}")


class Dense(Leaf):
    """A tensor in memory of its own, of the shape and the type of another.

    Args:
        like: the other tensor.
        test: that each number passes, or ``None`` to admit any number.
    """

    def __init__(self, like: Tensor, test: Callable[[Tensor], Tensor] | None) -> None:
        self.shape, self.dtype, self.test = like.shape, like.dtype, test

    def fault(self, value: Any) -> str | None:
        """Return how a tensor differs, or ``None``."""
        if type(value) is not Tensor:
            return f"is {show(value)}, not a tensor"
        if not is_dense(value) or value.requires_grad or value.is_neg():
            return "is no plain dense tensor"
        if value.dtype != self.dtype:
            return f"is of {value.dtype} instead of {self.dtype}"
        if value.shape != self.shape:
            return f"has the shape {tuple(value.shape)} instead of {tuple(self.shape)}"
        if not _fills_memory(value):
            return "has overlapping elements"
        if self.test is not None and value.is_floating_point() and not self.test(value).all():
            return "holds numbers that are not finite, or out of their range"
        return None


def is_dense(value: Tensor) -> bool:
    """Return whether a tensor is numbers in memory: not sparse, quantised, nested or meta."""
    strided = value.layout == torch.strided and not value.is_nested
    return strided and not value.is_quantized and value.device.type == "cpu"


def _fills_memory(value: Tensor) -> bool:
    """Return whether the elements are side by side, in any order of the dimensions."""
    order = sorted(range(value.dim()), key=value.stride, reverse=True)
    return value.permute(order).is_contiguous()
