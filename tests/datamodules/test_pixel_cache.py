import errno
import os
import resource
import shutil
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import datamodules.file_split
from datamodules.errors import DataError
from datamodules.file_split import CachedSplit, FileSplit
from datamodules.image_files import Decoder, FolderSource
from datamodules.image_folder import ImageFolder
from datamodules.pixel_cache import PixelCache
from datamodules.split import Split

COUNT, BATCH = 40, 4


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write random images in two class folders; few are decoded at once."""
    monkeypatch.setattr(datamodules.file_split, "DECODED_AT_ONCE", BATCH)
    folder, random = tmp_path / "pets", np.random.default_rng(0)
    for k in range(COUNT):
        path = folder / ("cat", "dog")[k % 2] / f"{k:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(256, size=(12, 9, 3), dtype=np.uint8)).save(path)
    return folder


@pytest.fixture
def archive(root: Path) -> Path:
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as opened:
        for file in sorted(root.rglob("*.png")):
            opened.write(file, file.relative_to(root))
    return path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which the name of each decoded file is added."""
    names: list[str] = []
    original = Decoder.__call__

    def decode(decoder: Decoder, name: str) -> Any:
        names.append(name)
        return original(decoder, name)

    monkeypatch.setattr(Decoder, "__call__", decode)
    return names


def build(root: Path, cache: Path | None, **changes: Any) -> ImageFolder:
    facts: dict[str, Any] = {"channels": 3, "resolution": 8, "num_classes": 2, "batch_size": 6}
    facts |= {"steps": 9, "n_critic": 2, "flip": True, "workers": 0, "memory_limit": 0}
    facts |= {"root": str(root), "cache": None if cache is None else str(cache)}
    return ImageFolder(**(facts | changes))


def files(root: Path) -> FileSplit:
    source = FolderSource(root)
    return FileSplit(Decoder(source, 3, 8), source.names(), None, workers=0)


def pixels(split: Split) -> torch.Tensor:
    return split.images(torch.arange(len(split)))


def parts(cache: Path, suffix: str) -> list[Path]:
    return sorted((cache / "images").glob(f"*{suffix}"))


def fork(work: Callable[[], object]) -> int:
    """Return the number of a child process that does some work and ends with status 0."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", ["root", "archive"])
def test_a_cache_changes_no_bit(
    kind: str, workers: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place = request.getfixturevalue(kind)
    plain, cached = build(place, None), build(place, tmp_path / "cache", workers=workers)
    for module in (plain, cached):
        module.start_step = 2
    assert isinstance(cached.split("train"), CachedSplit)
    state = torch.get_rng_state()
    steps = zip(plain.train_dataloader(), cached.train_dataloader(), strict=True)
    passes = zip(plain.reals("test", 2), cached.reals("test", 2), strict=True)
    pairs = [*chain.from_iterable(zip(a, b, strict=True) for a, b in steps), *passes]
    assert len(pairs) > 7 * 2
    for (images, labels), (others, their_labels) in pairs:
        assert images.equal(others)
        assert labels is not None
        assert their_labels is not None
        assert labels.equal(their_labels)
    assert torch.get_rng_state().equal(state)
    chosen = torch.tensor([3, 0, 3])
    assert plain.batch("train", chosen)[0].equal(cached.batch("train", chosen)[0])
    assert plain.fingerprint("train") == cached.fingerprint("train")
    assert plain.identity() == cached.identity()


def test_images_are_decoded_once(root: Path, tmp_path: Path, decoded: list[str]) -> None:
    first = build(root, tmp_path).split("train")
    assert isinstance(first, FileSplit)
    assert sorted(decoded) == sorted(first.names)
    decoded.clear()
    again = build(root, tmp_path)
    assert pixels(again.split("train")).equal(pixels(first))
    assert again.split("train").labels is not None
    assert not decoded
    [path] = parts(tmp_path, ".npy")
    assert (np.load(path) == pixels(first).numpy()).all()
    assert not parts(tmp_path, ".part")
    assert not parts(tmp_path, ".stamps")


def test_small_sets_stay_in_memory(root: Path, tmp_path: Path) -> None:
    build(root, tmp_path, memory_limit=10**6).setup("fit")
    assert not (tmp_path / "images").exists()


def test_a_killed_making_goes_on(root: Path, tmp_path: Path, decoded: list[str]) -> None:
    def killed() -> None:
        split = files(root)
        one = split.decoder.__call__

        def decode(self: Decoder, name: str) -> Any:
            if name == split.names[17]:
                os.kill(os.getpid(), signal.SIGKILL)
            return one(name)

        Decoder.__call__ = decode  # type: ignore[method-assign]
        CachedSplit(split, tmp_path)

    assert os.waitstatus_to_exitcode(os.waitpid(fork(killed), 0)[1]) == -signal.SIGKILL
    assert not parts(tmp_path, ".npy")
    split = CachedSplit(files(root), tmp_path)
    assert decoded == split.names[16:]
    assert pixels(split).equal(pixels(files(root)))


def test_a_file_that_is_no_image_is_named_and_what_is_done_stays(
    root: Path, tmp_path: Path, decoded: list[str]
) -> None:
    names = files(root).names
    path = root / names[21]
    path.write_bytes(b"no image")
    with pytest.raises(DataError, match=f"{path}: is not an image: replace or delete it"):
        CachedSplit(files(root), tmp_path)
    assert len(parts(tmp_path, ".part")) == 1
    path.unlink()
    decoded.clear()
    split = CachedSplit(files(root), tmp_path)
    assert decoded == names[20:21] + names[22:]
    assert pixels(split).equal(pixels(files(root)))
    assert not parts(tmp_path, ".part")


def test_another_part_is_not_taken(root: Path, tmp_path: Path, decoded: list[str]) -> None:
    names = files(root).names
    for name in (names[21], names[9]):
        (root / name).write_bytes(b"no image")
        with pytest.raises(DataError, match="is not an image"):
            CachedSplit(files(root), tmp_path)
    Image.new("RGB", (9, 9)).save(root / names[9])
    Image.new("RGB", (9, 9)).save(root / names[21])
    decoded.clear()
    split = CachedSplit(files(root), tmp_path)
    assert decoded == names[9:]
    assert pixels(split).equal(pixels(files(root)))


@pytest.mark.parametrize("changes", [{"crop": "pad"}, {"resolution": 4}, {"channels": 1}])
def test_another_form_is_another_file(changes: dict[str, Any], root: Path, tmp_path: Path) -> None:
    before = build(root, tmp_path)
    before.setup("fit")
    cached, plain = build(root, tmp_path, **changes), build(root, None, **changes)
    assert pixels(cached.split("train")).equal(pixels(plain.split("train")))
    assert cached.fingerprint("train") != before.fingerprint("train")
    assert len(parts(tmp_path, ".npy")) == 2


def test_a_changed_file_is_never_read_from_the_cache(root: Path, tmp_path: Path) -> None:
    CachedSplit(files(root), tmp_path)
    name = files(root).names[5]
    times = (root / name).stat()
    Image.new("RGB", (9, 9), "red").save(root / name)
    os.utime(root / name, ns=(times.st_atime_ns, times.st_mtime_ns))  # another size, the same time
    assert pixels(CachedSplit(files(root), tmp_path)).equal(pixels(files(root)))
    os.utime(root / name)
    CachedSplit(files(root), tmp_path)
    assert len(parts(tmp_path, ".npy")) == 3


def test_a_changed_archive_is_never_read_from_the_cache(archive: Path, tmp_path: Path) -> None:
    build(archive, tmp_path).setup("fit")
    content, image = archive.with_name("other.zip"), archive.with_name("image.png")
    Image.new("RGB", (9, 12), "red").save(image)
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            new.writestr(name, image.read_bytes() if name == "cat/00.png" else old.read(name))
    shutil.move(content, tmp_path / "moved.zip")
    again = [build(tmp_path / "moved.zip", place).split("train") for place in (tmp_path, None)]
    assert pixels(again[0]).equal(pixels(again[1]))


def test_files_that_change_meanwhile_are_named(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = files(root)

    def decode(first: int) -> Iterator[torch.Tensor]:
        yield pixels(files(root))
        os.utime(root / split.names[3], ns=(0, 0))

    monkeypatch.setattr(split, "decoded", decode)
    with pytest.raises(DataError, match=f"{split.names[3]}: changed while images were decoded"):
        CachedSplit(split, tmp_path)
    assert not parts(tmp_path, ".npy")


def test_of_two_processes_one_decodes(root: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def work() -> None:
        def decode(self: Decoder, name: str) -> Any:
            with log.open("a") as file:
                file.write(f"{name}\n")
            time.sleep(0.003)
            return original(self, name)

        original, Decoder.__call__ = Decoder.__call__, decode  # type: ignore[method-assign]
        assert pixels(CachedSplit(files(root), tmp_path)).equal(expected)

    expected = pixels(files(root))
    children = [fork(work) for _ in range(2)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert log.read_text().split() == files(root).names


@pytest.mark.parametrize("damage", ["shorter", "longer", "header", "empty"])
def test_a_damaged_file_is_made_again(
    damage: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CachedSplit(files(root), tmp_path)
    [path] = parts(tmp_path, ".npy")
    content = path.read_bytes()
    changed = {
        "shorter": content[:-1],
        "longer": content + b"\0",
        "header": content.replace(b"|u1", b"|O8"),
        "empty": b"",
    }
    path.write_bytes(changed[damage])
    capsys.readouterr()
    assert pixels(CachedSplit(files(root), tmp_path)).equal(pixels(files(root)))
    assert f"{path} is damaged: it is made again" in capsys.readouterr().out
    assert path.read_bytes() == content


def test_too_little_space_is_named_before_decoding(
    root: Path, tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=7000))
    with pytest.raises(DataError, match=r"0\.00 GB are free .* or none by data\.cache=null"):
        CachedSplit(files(root), tmp_path)
    assert not decoded


def test_a_full_disk_is_named_and_what_is_done_stays(
    root: Path, tmp_path: Path, decoded: list[str]
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (128 + 18 * 192 + 50, limits[1]))
    try:
        with pytest.raises(DataError, match=os.strerror(errno.EFBIG)) as caught:
            CachedSplit(files(root), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "what is decoded is kept" in str(caught.value)
    assert "\n" not in str(caught.value)
    decoded.clear()
    split = CachedSplit(files(root), tmp_path)
    assert decoded == split.names[18:]
    assert pixels(split).equal(pixels(files(root)))


def test_a_folder_that_cannot_be_made_is_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/images/.*: cannot be written \(Not a directory\)"):
        CachedSplit(files(root), tmp_path / "file")


def test_an_empty_name_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"data\.cache is empty: give a folder, or null"):
        ImageFolder(channels=3, resolution=8, batch_size=6, root=str(root), cache="")


def test_a_missing_file_is_named(root: Path, tmp_path: Path) -> None:
    split = files(root)
    (root / split.names[0]).unlink()
    with pytest.raises(DataError, match=f"{split.names[0]}: not found"):
        CachedSplit(split, tmp_path)


def test_a_file_may_be_larger_than_memory(tmp_path: Path) -> None:
    """A sparse file of 393 GB, of which two images are read."""
    stamps = np.arange(2_000_000, dtype=np.uint64)
    cache = PixelCache(tmp_path, "large", stamps, (3, 256, 256))
    cache.path.write_bytes(cache._header)
    with cache.path.open("r+b") as file:
        file.truncate(cache.nbytes - 1)
        file.seek(cache.nbytes - 1)
        file.write(b"\7")
    images = cache.open(lambda _: pytest.fail("decoded"))
    indices = torch.tensor([1_999_999, 0])
    images.request(indices)
    assert images.rows(indices)[:, 2, 255, 255].tolist() == [7, 0]


def test_the_next_batch_is_read_ahead(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[list[int]] = []
    split = CachedSplit(files(root), tmp_path)
    monkeypatch.setattr(split._mapped, "request", lambda batch: requested.append(batch.tolist()))
    stream = split.stream(torch.arange(6).view(3, 2))
    next(stream)
    assert requested == [[0, 1], [2, 3]]
    assert [len(images) for images, _ in stream] == [2, 2]
    assert requested[2:] == [[4, 5], []]


def test_indices_out_of_range_are_refused(root: Path, tmp_path: Path) -> None:
    split = CachedSplit(files(root), tmp_path)
    with pytest.raises(IndexError):
        split.images(torch.tensor([COUNT]))
