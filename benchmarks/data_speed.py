"""Images a second from the cache of decoded images, and from torchvision's ImageFolder.

Pictures are written to a temporary folder. The figures are medians and ranges of several passes.
Each image is flipped with probability 1/2 and normalised to [-1, 1]. Rates of one thread are also
given for a second of CPU time, which other load on the machine changes little.
"""

import argparse
import mmap
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from datamodules.file_split import FileSplit
from datamodules.image_folder import ImageFolder

CLASSES = 10
PHOTOGRAPH = (500, 375)  # width and height, as usual in ImageNet
STREAMED = 512  # photographs that are decoded, and images that torchvision reads in one pass


def write_pictures(folder: Path, count: int, width: int, height: int) -> int:
    """Write JPEG files of smooth noise in class folders; return their mean size in bytes."""
    random, size = np.random.default_rng(0), 0
    for k in range(count):
        coarse = random.integers(256, size=(height // 8, width // 8, 3), dtype=np.uint8)
        grain = random.normal(0, 12, size=(height, width, 3))
        smooth = np.asarray(Image.fromarray(coarse).resize((width, height)), dtype=np.float64)
        path = folder / f"{k % CLASSES}" / f"{k:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(path, quality=90)
        size += path.stat().st_size
    return size // count


Clock = Callable[[], float]
SECOND, CPU_SECOND = time.perf_counter, time.process_time


def report(
    what: str, images: int, run: Callable[[], object], repeats: int, clock: Clock = SECOND
) -> None:
    """Print the median and the range of images a second of several passes, after a warm-up."""
    run()
    found = []
    for _ in range(repeats):
        start = clock()
        run()
        found.append(images / (clock() - start))
    what += ", CPU second" if clock is CPU_SECOND else ""
    low, high = min(found), max(found)
    print(f"{what:58s} {statistics.median(found):9,.0f}  ({low:,.0f} to {high:,.0f})", flush=True)


def consume(batches: Iterable[Any]) -> None:
    """Take all batches."""
    for _ in batches:
        pass


def module(root: Path, cache: Path | None, arguments: argparse.Namespace, images: int) -> Any:
    """Return a data module whose training loader has one pass over the images."""
    return ImageFolder(
        channels=3,
        resolution=arguments.resolution,
        num_classes=CLASSES,
        batch_size=arguments.batch_size,
        steps=images // arguments.batch_size,
        flip=True,
        root=str(root),
        memory_limit=0,
        cache=None if cache is None else str(cache),
    )


def measure_cache(root: Path, cache: Path, arguments: argparse.Namespace) -> None:
    """Print the rates from a warm and from a cold cache."""
    data = module(root, cache, arguments, arguments.images // 2)
    data.setup("fit")
    loader = data.train_dataloader()
    images = len(loader) * arguments.batch_size
    for threads, clock in ((1, CPU_SECOND), (1, SECOND), (2, SECOND)):
        torch.set_num_threads(threads)
        what = f"warm cache, threads: {threads}"
        report(what, images, lambda: consume(loader), arguments.repeats, clock)
    [path] = (path for path in (cache / "images").glob("*.npy"))

    def forget_and_consume() -> None:
        data.split("train")._mapped._map.madvise(mmap.MADV_DONTNEED)
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        consume(loader)

    report("not in memory, threads: 2", images, forget_and_consume, arguments.repeats)


def measure_torchvision(root: Path, arguments: argparse.Namespace) -> None:
    """Print the rate of ImageFolder with DataLoader."""
    steps = [transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    steps.append(transforms.Normalize((0.5,) * 3, (0.5,) * 3))
    folder = datasets.ImageFolder(str(root), transforms.Compose(steps))
    part = torch.utils.data.Subset(folder, range(0, len(folder), max(1, len(folder) // STREAMED)))
    torch.set_num_threads(1)
    for workers, clock in ((0, CPU_SECOND), (0, SECOND), (2, SECOND)):
        loader = DataLoader(part, arguments.batch_size, shuffle=True, num_workers=workers)
        what = f"torchvision ImageFolder, workers: {workers}"
        report(what, len(part), lambda ld=loader: consume(ld), 3, clock)  # type: ignore[misc]


def measure_decoding(folder: Path, arguments: argparse.Namespace) -> None:
    """Print the rate at which photographs are decoded for a cache, in one process and in two."""
    width, height = PHOTOGRAPH
    size = write_pictures(folder, STREAMED, width, height)
    split = module(folder, None, arguments, arguments.batch_size).split("train")
    assert isinstance(split, FileSplit)
    torch.set_num_threads(1)
    for split.workers, clock in ((0, CPU_SECOND), (0, SECOND), (2, SECOND)):
        what = f"decoding {width}x{height} JPEG ({size / 1000:.0f} KB), workers: {split.workers}"
        report(what, len(split), lambda: consume(split.decoded(0, hidden=True)), 1, clock)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        pictures, cache = Path(name, "pictures"), Path(name, "cache")
        side = arguments.resolution
        write_pictures(pictures, arguments.images, side, side)
        print(f"images a second at {side} px, batches of {arguments.batch_size}")
        measure_cache(pictures, cache, arguments)
        measure_torchvision(pictures, arguments)
        measure_decoding(Path(name, "photographs"), arguments)
        opened = module(pictures, cache, arguments, arguments.images // 2)
        start = CPU_SECOND()
        images = len(opened.split("train"))
        seconds = CPU_SECOND() - start
        print(f"opening a whole cache: {seconds / images * 1e6:.1f} CPU microseconds an image")


if __name__ == "__main__":
    main()
