import builtins
import bz2
import hashlib
import os
import pickle
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision import datasets

from datamodules.cifar10 import CIFAR10
from datamodules.cifar100 import CIFAR100
from datamodules.emnist import EMNIST
from datamodules.errors import DataError
from datamodules.fashion_mnist import FashionMNIST
from datamodules.files import PublishedFile, staged_download
from datamodules.kmnist import KMNIST
from datamodules.mnist import MNIST
from datamodules.published import PublishedDataModule
from datamodules.stl10 import STL10
from datamodules.svhn import SVHN
from datamodules.usps import USPS

scipy_io = pytest.importorskip("scipy.io")
pytestmark = pytest.mark.filterwarnings("ignore:data.verify=false")

N = 20
LABELS = np.arange(N) % 10
RANDOM = np.random.default_rng(0)
Set = type[PublishedDataModule]


def write_mnist(root: Path, split: str) -> None:
    write_idx(root, MNIST.files[split])


def write_idx(root: Path, files: tuple[PublishedFile, ...]) -> None:
    images, labels = (root / file.path for file in files)
    images.parent.mkdir(parents=True, exist_ok=True)
    pixels = RANDOM.integers(256, size=(N, 28, 28), dtype=np.uint8)
    images.write_bytes(np.array([2051, N, 28, 28], ">i4").tobytes() + pixels.tobytes())
    labels.write_bytes(np.array([2049, N], ">i4").tobytes() + LABELS.astype(np.uint8).tobytes())


def write_cifar10(root: Path, split: str) -> None:
    for file in CIFAR10.files[split]:
        (root / file.path).parent.mkdir(parents=True, exist_ok=True)
        pixels = RANDOM.integers(256, size=(N, 3072), dtype=np.uint8)
        (root / file.path).write_bytes(pickle.dumps({"data": pixels, "labels": LABELS.tolist()}))


def write_svhn(root: Path, split: str) -> None:
    root.mkdir(exist_ok=True)
    pixels = RANDOM.integers(256, size=(32, 32, 3, N), dtype=np.uint8)
    labels = np.where(LABELS == 0, 10, LABELS)[:, None]
    scipy_io.savemat(root / SVHN.files[split][0].path, {"X": pixels, "y": labels})


def write_cifar100(root: Path, split: str) -> None:
    (file,) = CIFAR100.files[split]
    (root / file.path).parent.mkdir(parents=True, exist_ok=True)
    pixels = RANDOM.integers(256, size=(N, 3072), dtype=np.uint8)
    labels = {"fine_labels": [*LABELS[:-1].tolist(), 99], "coarse_labels": [0] * N}
    (root / file.path).write_bytes(pickle.dumps({"data": pixels} | labels))


def write_emnist(root: Path, split: str) -> None:
    write_idx(root, EMNIST.files[f"balanced-{split}"])
    labels = root / EMNIST.files[f"balanced-{split}"][1].path
    labels.write_bytes(labels.read_bytes()[:-1] + bytes([46]))


def write_usps(root: Path, split: str) -> None:
    root.mkdir(exist_ok=True)
    values = RANDOM.integers(-1000, 1001, size=(N, 256)) / 1000
    rows = (
        f"{label + 1} " + " ".join(f"{k}:{value}" for k, value in enumerate(row, 1))
        for label, row in zip(LABELS, values.tolist(), strict=True)
    )
    (root / USPS.files[split][0].path).write_bytes(bz2.compress("\n".join(rows).encode()))


def write_stl10(root: Path, split: str) -> None:
    names = {"train": "labelled"}
    images, *labels = (root / file.path for file in STL10.files[names.get(split, split)])
    images.parent.mkdir(parents=True, exist_ok=True)
    images.write_bytes(RANDOM.integers(256, size=(N, 3, 96, 96), dtype=np.uint8).tobytes())
    for path in labels:
        path.write_bytes((LABELS + 1).astype(np.uint8).tobytes())


WRITERS: dict[Set, Callable[[Path, str], None]] = {
    MNIST: write_mnist,
    CIFAR10: write_cifar10,
    SVHN: write_svhn,
    CIFAR100: write_cifar100,
    KMNIST: lambda root, split: write_idx(root, KMNIST.files[split]),
    EMNIST: write_emnist,
    USPS: write_usps,
    STL10: write_stl10,
}
CLASSES = {CIFAR100: 100, EMNIST: 47}
every_set = pytest.mark.parametrize("kind", WRITERS, ids=lambda kind: kind.name)
every_set_with_checksums = pytest.mark.parametrize(
    "kind", [kind for kind in WRITERS if kind not in (EMNIST, KMNIST)], ids=lambda kind: kind.name
)


def build(kind: Set, root: Path, **changes: Any) -> PublishedDataModule:
    channels = 1 if issubclass(kind, MNIST | USPS) else 3
    facts: dict[str, Any] = {
        "channels": channels,
        "resolution": 32,
        "num_classes": CLASSES.get(kind, 10),
        "batch_size": 8,
    }
    return kind(**(facts | {"root": str(root), "verify": False} | changes))


def no_network(self: PublishedDataModule, folder: Path, split: str) -> None:
    raise URLError("Name or service\nnot known")


@every_set
def test_files_without_the_published_checksums_are_read_with_a_warning(
    kind: Set, tmp_path: Path
) -> None:
    WRITERS[kind](tmp_path, "train")
    module = build(kind, tmp_path)
    with pytest.warns(UserWarning, match="published checksums of .* were not checked"):
        module.setup("fit")
    labels = module.split("train").labels
    assert labels is not None
    assert labels[: N - 1].tolist() == LABELS[:-1].tolist()
    assert labels[N - 1] == CLASSES.get(kind, 10) - 1
    assert labels.dtype == torch.int64
    assert len(module.class_names) == module.num_classes


@every_set_with_checksums
def test_a_wrong_checksum_is_named(kind: Set, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path, "train")
    first = tmp_path / build(kind, tmp_path).files["train"][0].path
    message = f"{first}: its md5 .* data.verify=false"
    with pytest.raises(DataError, match=message) as caught:
        build(kind, tmp_path, verify=True).setup("fit")
    assert "\n" not in str(caught.value)


@every_set
@pytest.mark.parametrize("keep", [0, 3, 1000])
def test_a_truncated_file_is_named(kind: Set, keep: int, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path, "train")
    first = tmp_path / build(kind, tmp_path).files["train"][0].path
    first.write_bytes(first.read_bytes()[:keep])
    with pytest.raises(DataError, match=f"{first}: ") as caught:
        build(kind, tmp_path).setup("fit")
    assert "\n" not in str(caught.value)


@every_set
def test_no_network_is_one_line_with_the_remedy(
    kind: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "download", no_network)
    root = tmp_path / "absent"
    with pytest.raises(DataError, match=f"not in {root} .* point data.root to") as caught:
        build(kind, root, verify=True).prepare_data()
    assert "\n" not in str(caught.value)
    assert not root.exists()


@every_set
def test_without_verification_nothing_is_downloaded(
    kind: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "download", lambda *_: pytest.fail("downloaded"))
    with pytest.raises(DataError, match=r"not found, and data\.verify=false disables downloads"):
        build(kind, tmp_path).prepare_data()


@every_set
def test_a_missing_test_file_is_an_error_only_when_it_is_used(kind: Set, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path, "train")
    module = build(kind, tmp_path)
    module.prepare_data()
    module.setup("fit")
    with pytest.raises(DataError, match=f"copy the test files of {kind.name}"):
        module.reals("test", 8)


@every_set
def test_no_permission_is_one_line(
    kind: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WRITERS[kind](tmp_path, "train")

    def refuse(path: Any, *_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(DataError, match="no permission to read it"):
        build(kind, tmp_path, verify=True).setup("fit")


def test_no_permission_to_write_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DataError, match="no permission to write mnist there"):
        build(MNIST, tmp_path / "new", verify=True).prepare_data()


FILE = PublishedFile("folder/file", hashlib.md5(b"whole").hexdigest())


def test_a_complete_download_is_moved_to_root(tmp_path: Path) -> None:
    with staged_download("set", tmp_path / "root", [FILE]) as folder:
        assert socket.getdefaulttimeout() == 10
        (folder / "folder").mkdir()
        (folder / FILE.path).write_bytes(b"whole")
        assert not (tmp_path / "root" / FILE.path).exists()
    assert [path.name for path in (tmp_path / "root").rglob("*")] == ["folder", "file"]
    assert socket.getdefaulttimeout() is None


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    other = replace(FILE, path="other")
    (tmp_path / "other").write_bytes(b"mine")
    with staged_download("set", tmp_path, [FILE, other]) as folder:
        (folder / "other").write_bytes(b"whole")
    assert (tmp_path / "other").read_bytes() == b"mine"


def half_write(root: Path, interruption: BaseException | None) -> None:
    with staged_download("set", root, [FILE]) as folder:
        (folder / "folder").mkdir()
        (folder / FILE.path).write_bytes(b"who")
        if interruption is not None:
            raise interruption


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), URLError("reset"), None])
def test_an_incomplete_download_leaves_nothing(
    interruption: BaseException | None, tmp_path: Path
) -> None:
    with pytest.raises((KeyboardInterrupt, DataError)):
        half_write(tmp_path, interruption)
    assert list(tmp_path.iterdir()) == []


def test_a_download_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="folder/file has a wrong md5"):
        half_write(tmp_path, None)


def test_a_downloaded_data_set_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "published", "train")
    files = tuple(
        replace(
            file, md5=hashlib.md5((tmp_path / "published" / file.path).read_bytes()).hexdigest()
        )
        for file in MNIST.files["train"]
    )
    monkeypatch.setattr(MNIST, "files", {"train": files})

    def download(self: MNIST, folder: Path, split: str) -> None:
        (tmp_path / "published" / "MNIST").rename(folder / "MNIST")

    monkeypatch.setattr(MNIST, "download", download)
    module = build(MNIST, tmp_path / "root", verify=True)
    module.prepare_data()
    assert len(module.split("train")) == N


@pytest.mark.parametrize(
    ("labels", "fault"),
    [(19, "20 images and 19 labels"), (200, "labels out of range"), (-1, "labels out of range")],
)
def test_inconsistent_labels_are_refused(labels: int, fault: str, tmp_path: Path) -> None:
    wrong = [0] * 19 if labels == 19 else [0] * 19 + [labels]
    for file in CIFAR10.files["train"]:
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.zeros((20, 3072), dtype=np.uint8)
        (tmp_path / file.path).write_bytes(pickle.dumps({"data": pixels, "labels": wrong}))
    with pytest.raises(DataError, match=fault.replace("20", "100").replace("19", "95")):
        build(CIFAR10, tmp_path).setup("fit")


def test_images_that_are_not_square_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, "train")
    path = tmp_path / MNIST.files["train"][0].path
    pixels = path.read_bytes()[16 : 16 + N * 28 * 20]
    path.write_bytes(np.array([2051, N, 28, 20], ">i4").tobytes() + pixels)
    with pytest.raises(DataError, match="images of 32x24 pixels"):
        build(MNIST, tmp_path).setup("fit")


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_cifar10_reads_every_protocol(protocol: int, tmp_path: Path) -> None:
    pixels = RANDOM.integers(256, size=(N, 3072), dtype=np.uint8)
    for file in CIFAR10.files["train"]:
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        content = pickle.dumps({"data": pixels, "labels": LABELS.tolist()}, protocol=protocol)
        (tmp_path / file.path).write_bytes(content)
    split = build(CIFAR10, tmp_path).split("train")
    assert split.images(torch.arange(N)).flatten(1).equal(torch.from_numpy(pixels))


@pytest.mark.parametrize(("resolution", "border"), [(28, 0), (32, 2)])
def test_mnist_is_padded_with_background(resolution: int, border: int, tmp_path: Path) -> None:
    write_mnist(tmp_path, "train")
    raw = np.frombuffer((tmp_path / MNIST.files["train"][0].path).read_bytes()[16:], np.uint8)
    split = build(MNIST, tmp_path, resolution=resolution).split("train")
    padded = np.pad(raw.reshape(N, 1, 28, 28), [(0, 0), (0, 0)] + [(border, border)] * 2)
    assert split.images(torch.arange(N)).equal(torch.from_numpy(padded))


def test_cifar10_keeps_the_order_of_files_and_pixels(tmp_path: Path) -> None:
    write_cifar10(tmp_path, "train")
    images = build(CIFAR10, tmp_path).split("train").images(torch.arange(5 * N))
    second = pickle.loads((tmp_path / CIFAR10.files["train"][1].path).read_bytes())["data"]
    assert images[N : 2 * N].flatten(1).equal(torch.from_numpy(second))


@pytest.mark.parametrize("verify", [False, True])
def test_a_truncated_mnist_file_is_refused_with_its_size(verify: bool, tmp_path: Path) -> None:
    write_mnist(tmp_path, "train")
    first = tmp_path / MNIST.files["train"][0].path
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(DataError, match="has 15,695 bytes, but its header declares 15,696"):
        build(MNIST, tmp_path, verify=verify).setup("fit")


def test_unchecked_files_are_named_once(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_mnist(tmp_path, split)
    module = build(MNIST, tmp_path)
    with pytest.warns(UserWarning, match=r"data\.verify=false") as warned:
        sizes = [len(module.split(split)) for split in ("train", "test", "train")]
    assert (len(sizes), len(warned)) == (3, 1)


def train_bytes(kind: Set, root: Path) -> bytes:
    return (root / build(kind, root).files["train"][0].path).read_bytes()


def images(kind: Set, root: Path, **changes: Any) -> torch.Tensor:
    return build(kind, root, **changes).split("train").images(torch.arange(N))


def test_emnist_is_upright(tmp_path: Path) -> None:
    write_emnist(tmp_path, "train")
    raw = np.frombuffer(train_bytes(EMNIST, tmp_path)[16:], np.uint8).reshape(N, 1, 28, 28)
    upright = torch.from_numpy(raw.swapaxes(2, 3).copy())
    assert images(EMNIST, tmp_path, resolution=28).equal(upright)


@pytest.mark.parametrize(
    ("split", "count", "some"),
    [
        ("byclass", 62, {0: "0", 10: "A", 36: "a", 61: "z"}),
        ("bymerge", 47, {10: "A", 36: "a", 38: "d", 46: "t"}),
        ("balanced", 47, {10: "A", 46: "t"}),
        ("letters", 26, {0: "a", 25: "z"}),
        ("digits", 10, {9: "9"}),
    ],
)
def test_the_parts_of_emnist(split: str, count: int, some: dict[int, str], tmp_path: Path) -> None:
    write_idx(tmp_path, EMNIST.files[f"{split}-train"])
    path = tmp_path / EMNIST.files[f"{split}-train"][1].path
    first = int(split == "letters")
    path.write_bytes(path.read_bytes()[:8] + bytes([first] * (N - 1) + [count - 1 + first]))
    module = build(EMNIST, tmp_path, split=split, num_classes=None)
    labels = module.split("train").labels
    assert labels is not None
    assert labels.tolist() == [0] * (N - 1) + [count - 1]
    assert (module.num_classes, len(module.class_names)) == (count, count)
    assert {k: module.class_names[k] for k in some} == some
    with pytest.raises(
        DataError, match=f"data.split={split} has {count} .*data.num_classes={count}"
    ):
        build(EMNIST, tmp_path, split=split, num_classes=11)


def test_stl10_is_upright_and_resized(tmp_path: Path) -> None:
    write_stl10(tmp_path, "train")
    raw = np.frombuffer(train_bytes(STL10, tmp_path), np.uint8).reshape(N, 3, 96, 96)
    upright = torch.from_numpy(raw.swapaxes(2, 3).copy())
    assert images(STL10, tmp_path, resolution=96).equal(upright)
    means = upright.float().mean((2, 3))
    small = images(STL10, tmp_path, resolution=16).float().mean((2, 3))
    assert small.sub(means).abs().max() < 1


def test_the_unlabelled_images_of_stl10(tmp_path: Path) -> None:
    write_stl10(tmp_path, "train")
    write_stl10(tmp_path, "test")
    with pytest.raises(DataError, match=r"split=unlabelled has 0 .* set data\.num_classes=0"):
        build(STL10, tmp_path, split="unlabelled")
    module = build(STL10, tmp_path, split="unlabelled", num_classes=None)
    with pytest.raises(DataError, match=r"unlabeled_X\.bin: not found"):
        module.setup("fit")
    write_stl10(tmp_path, "unlabelled")
    train, test = module.split("train"), module.split("test")
    assert (len(train), train.labels, len(test), test.labels) == (N, None, N, None)
    assert train.fingerprint() != build(STL10, tmp_path).fingerprint("train")


def test_usps_values_become_bytes(tmp_path: Path) -> None:
    rows = [f"{k + 1} " + " ".join(f"{j}:{v}" for j in range(1, 257)) for k, v in VALUES]
    (tmp_path / "usps.bz2").write_bytes(bz2.compress("\n".join(rows).encode()))
    split = build(USPS, tmp_path, resolution=16, num_classes=3).split("train")
    pixels = split.images(torch.arange(3))
    assert pixels.shape == (3, 1, 16, 16)
    assert pixels.amin((1, 2, 3)).tolist() == pixels.amax((1, 2, 3)).tolist() == [0, 127, 255]


VALUES = list(enumerate((-1, 0, 1)))


@every_set
def test_values_and_fingerprints(kind: Set, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "one", "train")
    WRITERS[kind](tmp_path / "two", "train")
    one, two = (build(kind, tmp_path / name) for name in ("one", "two"))
    assert one.fingerprint("train") == build(kind, tmp_path / "one").fingerprint("train")
    assert one.fingerprint("train") != two.fingerprint("train")
    batch, _ = next(one.reals("train", 8))
    assert batch.shape == (8, one.channels, 32, 32)
    assert batch.dtype == torch.float32
    assert -1 <= batch.min() < -0.3
    assert 0.3 < batch.max() <= 1


def test_a_file_without_a_published_checksum_is_downloaded(tmp_path: Path) -> None:
    file = PublishedFile("file")
    with staged_download("set", tmp_path / "root", [file]) as folder:
        (folder / "file").write_bytes(b"content")
    file.check(tmp_path / "root")
    assert (tmp_path / "root" / "file").read_bytes() == b"content"


def test_a_pipe_in_the_place_of_usps(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "usps.bz2")
    with pytest.raises(DataError, match=r"usps\.bz2: "):
        build(USPS, tmp_path).setup("fit")


@every_set
def test_torchvision_downloads(kind: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = build(kind, tmp_path)
    source = create_autospec(getattr(datasets, kind.__name__))
    monkeypatch.setattr(datasets, kind.__name__, source)
    monkeypatch.setattr(kind, "source", source, raising=False)
    module.download(tmp_path, "train")
    for call in source.call_args_list:
        assert call.args == (tmp_path,)
        assert call.kwargs["download"] is True
    assert source.called
    assert all(source.call_args_list.count(call) == 1 for call in source.call_args_list)


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST])
def test_28_pixels_are_those_of_the_file(kind: type[MNIST], tmp_path: Path) -> None:
    images, labels = (tmp_path / file.path for file in kind.files["train"])
    images.parent.mkdir(parents=True)
    pixels = RANDOM.integers(256, size=(N, 28, 28), dtype=np.uint8)
    images.write_bytes(np.array([2051, N, 28, 28], ">i4").tobytes() + pixels.tobytes())
    labels.write_bytes(np.array([2049, N], ">i4").tobytes() + LABELS.astype(np.uint8).tobytes())
    facts: dict[str, Any] = {"channels": 1, "num_classes": 10, "batch_size": 8}
    split = {
        resolution: kind(**facts, resolution=resolution, root=str(tmp_path), verify=False)
        .split("train")
        .images(torch.arange(N))
        for resolution in (28, 32)
    }
    assert np.array_equal(split[28][:, 0].numpy(), pixels)
    assert torch.equal(split[32][:, :, 2:-2, 2:-2], split[28])
