"""Caches that someone has changed, or that are damaged: noticed, and computed again."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gan.backbones import cache
from gan.errors import InputError
from tests.backbones.test_domain import prepared
from tests.metrics.tiny_data import TinyDataset, evaluation

Content = dict[str, Any]
CONTENT = {
    "sum": torch.arange(6.0).view(2, 3),
    "count": torch.tensor(6),
    "fid": 1.5,
    "names": ["a"],
}


def altered(content: Content, key: str, value: Any) -> Content:
    return content | {key: value}


CHANGES: dict[str, Callable[[Content], Any]] = {
    "NaN": lambda c: altered(c, "sum", c["sum"] * math.nan),
    "noise": lambda c: altered(c, "sum", torch.rand(2, 3)),
    "one value": lambda c: altered(c, "sum", c["sum"].index_fill(0, torch.tensor([0]), 9.0)),
    "shape": lambda c: altered(c, "sum", c["sum"].view(3, 2)),
    "type": lambda c: altered(c, "sum", c["sum"].double()),
    "sparse": lambda c: altered(c, "sum", c["sum"].to_sparse()),
    "number": lambda c: altered(c, "fid", 1.25),
    "entry": lambda c: altered(c, "more", 1),
    "removed": lambda c: {k: v for k, v in c.items() if k != "fid"},
    "name": lambda c: {("FID" if k == "fid" else k): v for k, v in c.items()},
    "file": lambda c: altered(c, "file", "other.pt"),
    "checksum": lambda c: altered(c, "sha256", "0" * 64),
    "no checksum": lambda c: {k: v for k, v in c.items() if k != "sha256"},
    "checksum of another type": lambda c: altered(c, "sha256", torch.ones(2)),
    "list": lambda c: list(c),
    "number alone": lambda c: 3,
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_changed_file(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cached.pt"
    cache.save(path, CONTENT)
    torch.save(CHANGES[kind](torch.load(path, weights_only=True)), path)
    assert cache.load(path) is None
    line = f"{path} is damaged, or of an earlier version: it is computed again\n"
    assert capsys.readouterr().out == line


@pytest.mark.parametrize("place", range(0, 1200, 60))
def test_a_changed_byte(place: int, tmp_path: Path) -> None:
    """The archive has bytes that carry no content, such as dates."""
    path = tmp_path / "cached.pt"
    cache.save(path, CONTENT)
    content = bytearray(path.read_bytes())
    content[place] ^= 255
    path.write_bytes(content)
    found = cache.load(path)
    assert found is None or str(found) == str(CONTENT)


def test_a_file_under_another_name(tmp_path: Path) -> None:
    cache.save(tmp_path / "a.pt", CONTENT)
    os.rename(tmp_path / "a.pt", tmp_path / "b.pt")
    assert cache.load(tmp_path / "b.pt") is None


def test_a_whole_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache.save(tmp_path / "a.pt", CONTENT)
    assert str(cache.load(tmp_path / "a.pt")) == str(CONTENT)
    assert cache.load(tmp_path / "absent.pt") is None
    assert capsys.readouterr().out == ""


def poison(path: Path, value: float) -> None:
    """Change all numbers of a file."""
    content = torch.load(path, weights_only=True)
    content = {k: fill(v, value) for k, v in content.items()}
    torch.save(content, path)


def fill(content: Any, value: float) -> Any:
    if isinstance(content, dict):
        return {k: fill(v, value) for k, v in content.items()}
    tensor = isinstance(content, torch.Tensor) and content.is_floating_point()
    return torch.full_like(content, value) if tensor else content


@pytest.mark.parametrize("value", [math.nan, 0.0])
def test_the_classifier_is_trained_again(
    value: float, tmp_path: Path, dataset: TinyDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    first = prepared(tmp_path, dataset)
    (path,) = tmp_path.iterdir()
    poison(path, value)
    assert prepared(tmp_path, dataset).weights_hash == first.weights_hash
    assert f"{path} is damaged" in capsys.readouterr().out
    assert prepared(tmp_path, dataset).weights_hash == first.weights_hash
    assert "damaged" not in capsys.readouterr().out


@pytest.mark.parametrize("value", [math.nan, 1.0])
def test_the_statistics_are_computed_again(
    value: float, tmp_path: Path, dataset: TinyDataset
) -> None:
    fakes = torch.rand(50, 1, 8, 8) * 2 - 1
    expected = measured(tmp_path, dataset, fakes)
    for path in tmp_path.glob("reals-*.pt"):
        poison(path, value)
    assert measured(tmp_path, dataset, fakes) == expected


def measured(folder: Path, dataset: TinyDataset, fakes: torch.Tensor) -> Any:
    result = evaluation(folder)
    result.prepare(dataset, torch.device("cpu"))
    return result.measure([(fakes, None)]), result.baseline()


@pytest.mark.parametrize("kind", ["changed", "NaN", "other keys"])
def test_a_classifier_of_the_user_is_refused(
    kind: str, tmp_path: Path, dataset: TinyDataset
) -> None:
    prepared(tmp_path, dataset)
    (path,) = tmp_path.iterdir()
    content = torch.load(path, weights_only=True)
    if kind != "changed":
        content = {k: v for k, v in content.items() if k not in ("sha256", "file")}
    if kind == "other keys":
        content["state"]["more"] = torch.ones(1)
    else:
        content["state"] = fill(content["state"], 0.0 if kind == "changed" else math.nan)
    torch.save(content, path)
    with pytest.raises(InputError, match=f"{path} does not hold a domain classifier"):
        prepared(tmp_path, dataset, weights=str(path))


def test_a_classifier_of_an_earlier_version_is_read(tmp_path: Path, dataset: TinyDataset) -> None:
    first = prepared(tmp_path, dataset)
    (path,) = tmp_path.iterdir()
    content = torch.load(path, weights_only=True)
    torch.save({k: v for k, v in content.items() if k not in ("sha256", "file")}, path)
    given = prepared(tmp_path / "empty", dataset, weights=str(path))
    assert given.weights_hash == first.weights_hash
