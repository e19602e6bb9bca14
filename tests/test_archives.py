"""Archives of tensors, and what a tensor of a file must be."""

import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gan import archives
from gan.archives import READ_ERRORS, Dense, is_dense

LIKE = torch.zeros(2, 3)


def nested(depth: int) -> list[Any]:
    """Return a list in a list and so on, ``depth`` lists below the outermost."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "content",
    [
        {"a": torch.arange(3), "b": [1, 2.5, "x", None, True], "c": (torch.ones(2, 2),)},
        OrderedDict(a=torch.zeros(1)),
        nested(50),
    ],
    ids=["plain", "ordered", "deep"],
)
def test_plain_content_is_read(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "a.pt")
    found = archives.read(tmp_path / "a.pt")
    assert str(found) == str(content)


def shared() -> dict[str, Any]:
    """Return few bytes that hold very many values."""
    row: list[Any] = [0]
    for _ in range(20):
        row = [row, row, row]
    return {"a": row}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (nested(51), "nests them too deeply"),
        (shared(), "more values than bytes"),
        ({"a": {1, 2}}, "it holds a set"),
        ({(1, "b"): torch.Size([2])}, "it holds a Size"),
    ],
    ids=["deep", "shared", "set", "key and value"],
)
def test_other_content_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=message):
        archives.read(tmp_path / "a.pt")


def repacked(path: Path, change: Any) -> Path:
    """Return a copy of an archive whose entries are written by a function."""
    out = path.with_name("b.pt")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for number, entry in enumerate(source.infolist()):
            change(target, number, entry, source.read(entry))
    return out


def test_compressed_and_changed_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"a": torch.arange(300)}, path)

    def squeeze_last(target: zipfile.ZipFile, number: int, entry: Any, content: bytes) -> None:
        kind = zipfile.ZIP_DEFLATED if entry.filename.endswith("version") else zipfile.ZIP_STORED
        target.writestr(entry.filename, content, kind)

    with pytest.raises(zipfile.BadZipFile, match="an entry is compressed"):
        archives.read(repacked(path, squeeze_last))
    content = bytearray(path.read_bytes())
    place = content.index(torch.arange(300).numpy().tobytes()[:800])
    content[place + 8] ^= 1
    path.write_bytes(content)
    with pytest.raises(zipfile.BadZipFile, match=r"the checksum of .*data/0 is wrong"):
        archives.read(path)
    path.write_bytes(b"none")
    with pytest.raises(READ_ERRORS):
        archives.load(path)


def test_entries_that_lie_over_one_another_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"a": torch.zeros(4)}, path)
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
        assert archives._check_entries(archive, size) == max(
            e.file_size for e in archive.infolist() if e.filename.endswith("data.pkl")
        )
        with pytest.raises(zipfile.BadZipFile, match="larger than the file"):
            archives._check_entries(archive, size - 1)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (torch.ones(2, 3), None),
        (torch.ones(3, 2).T, None),
        (torch.nn.Parameter(LIKE), "is a Parameter, not a tensor"),
        (3, "is 3, not a tensor"),
        (torch.ones(2, 3, requires_grad=True), "is no plain dense tensor"),
        (torch.ones(2, 3).to_sparse(), "is no plain dense tensor"),
        (torch._neg_view(torch.ones(2, 3)), "is no plain dense tensor"),
        (torch.ones(2, 3, device="meta"), "is no plain dense tensor"),
        (torch.ones(2, 3).double(), "is of torch.float64 instead of torch.float32"),
        (torch.ones(6), "has the shape (6,) instead of (2, 3)"),
        (torch.ones(1, 3).expand(2, 3), "has overlapping elements"),
        (torch.tensor([[1, 2, 3], [4, torch.nan, 6]]), "holds numbers that are not finite"),
    ],
)
def test_a_tensor_like_another(value: Any, fault: str | None) -> None:
    found = Dense(LIKE, torch.isfinite).fault(value)
    assert found == fault or (fault is not None and (found or "").startswith(fault))


def test_numbers_are_tested_where_a_test_is_given_and_they_are_floating() -> None:
    nan, whole = torch.full((2, 3), torch.nan), torch.ones(2, dtype=torch.int64)
    assert Dense(LIKE, None).fault(nan) is None

    def never(value: Tensor) -> Tensor:
        return torch.zeros_like(value, dtype=torch.bool)

    assert Dense(whole, never).fault(whole) is None
    assert Dense(LIKE, never).fault(LIKE) is not None


@pytest.mark.filterwarnings("ignore")  # of prototypes
def test_what_is_dense() -> None:
    nest = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    quantised = torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.qint8)
    others = [torch.ones(2).to_sparse(), nest, quantised, torch.ones(2, device="meta")]
    assert is_dense(torch.ones(2, 2).T)
    assert not any(is_dense(value) for value in others)
