"""Images a second of a whole evaluation, against torch-fidelity's own call.

Both take the same images from memory, 8 bits a channel, through Inception with the same random
weights, in batches of the same size, from building the network to the values, nothing cached; turn
about in one process. "fid" is FID alone; "all" is FID, KID, inception score, precision and recall,
of torch-fidelity by a call for each and, in its best case, by one call for all. Prints each block's
CPU seconds (what other processes take does not count), the medians, the images of both sides over
them, and the ratios; the wall clock's medians behind. One thread gives the steadiest figures:
OMP_NUM_THREADS=1.

    python -m benchmarks.evaluation_speed [--images 200] [--blocks 3] [--batch-size 64]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
import torch_fidelity
from torch import Tensor
from torch.utils.data import Dataset

from gan.backbones.inception import InceptionBackbone
from gan.metrics.evaluation import Evaluation
from gan.metrics.feature_metric import FeatureMetric
from gan.metrics.frechet import FrechetDistance
from gan.metrics.inception_score import InceptionScore
from gan.metrics.kernel import KernelDistance
from gan.metrics.neighbours import Neighbours
from tests.metrics.inception_weights import random_weights
from tests.metrics.tiny import TinySource, TinySplit

METRICS = ("fid", "kid", "isc", "prc")


class Images(Dataset[Tensor]):
    """Images as torch-fidelity takes them."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        return self.pixels[index]


class Seconds(NamedTuple):
    """What one run took."""

    cpu: float
    wall: float


class Race:
    """The two ways to the same values.

    Args:
        images: of either side.
        batch_size: of both ways.
        weights: file of Inception's.
    """

    def __init__(self, images: int, batch_size: int, weights: Path) -> None:
        generator = torch.Generator().manual_seed(0)
        shape = (2, images, 3, 32, 32)
        self.fakes, self.reals = torch.randint(256, shape, generator=generator).to(torch.uint8)
        self.batch_size, self.weights, self.subset_size = batch_size, str(weights), images // 2

    def ours(self, metrics: Mapping[str, FeatureMetric]) -> None:
        """One pass over the reals and one over the fakes, into an empty cache."""
        with tempfile.TemporaryDirectory() as cache:
            evaluation = Evaluation(
                InceptionBackbone(self.weights),
                metrics,
                every=0,
                num_fakes=len(self.fakes),
                cache=cache,
                batch_size=self.batch_size,
                min_fakes=2,
            )
            split = TinySplit(self.reals, torch.zeros(len(self.reals), dtype=torch.int64))
            evaluation.prepare(TinySource({"train": split}, resolution=32), torch.device("cpu"))
            parts = torch.split(self.fakes, self.batch_size)
            evaluation.measure((part.float() / 127.5 - 1, None) for part in parts)

    def theirs(self, *metrics: str) -> None:
        """One call; without worker processes, which memory does not need."""
        torch_fidelity.calculate_metrics(
            input1=Images(self.fakes),
            input2=Images(self.reals),
            batch_size=self.batch_size,
            feature_extractor="inception-v3-compat",
            feature_extractor_weights_path=self.weights,
            feature_layer_prc="2048",
            kid_subset_size=self.subset_size,
            save_cpu_ram=True,
            **dict.fromkeys(metrics, True),
            **dict.fromkeys(("cuda", "cache", "verbose"), False),
        )

    def one_by_one(self) -> None:
        """A call for each metric."""
        for metric in METRICS:
            self.theirs(metric)

    def runs(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """What is timed, in turn."""
        yield "fid ganymede", lambda: self.ours({"fid": FrechetDistance()})
        yield "fid torch-fidelity", lambda: self.theirs("fid")
        yield (
            "all ganymede",
            lambda: self.ours(
                {
                    "fid": FrechetDistance(),
                    "kid": KernelDistance(subset_size=self.subset_size),
                    "is": InceptionScore(),
                    "neighbours": Neighbours(),
                }
            ),
        )
        yield "all torch-fidelity", self.one_by_one
        yield "all torch-fidelity, one call", lambda: self.theirs(*METRICS)


def timed(race: Race, blocks: int) -> dict[str, list[Seconds]]:
    """Every run in every block, after one that warms up."""
    race.theirs("isc")
    seconds: dict[str, list[Seconds]] = {name: [] for name, _ in race.runs()}
    for _ in range(blocks):
        for name, run in race.runs():
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            seconds[name].append(Seconds(time.process_time() - cpu, time.perf_counter() - wall))
    return seconds


def report(seconds: Mapping[str, list[Seconds]], images: int) -> None:
    """Print the medians and how many times as long as Ganymede the others take."""
    cpu = {name: statistics.median(run.cpu for run in runs) for name, runs in seconds.items()}
    wall = {name: statistics.median(run.wall for run in runs) for name, runs in seconds.items()}
    for name, runs in seconds.items():
        ours = f"{name.partition(' ')[0]} ganymede"
        print(
            f"{name:29s} {cpu[name]:6.1f} CPU s, {2 * images / cpu[name]:5.2f} images a second, "
            f"{cpu[name] / cpu[ours]:5.2f} of ganymede's time",
            " ".join(f"{run.cpu:.1f}" for run in runs),
            f"wall {wall[name]:.1f} s, {wall[name] / wall[ours]:.2f} of ganymede's",
            sep="   ",
            flush=True,
        )
    print(f"{images} fakes and {images} reals, {torch.get_num_threads()} threads")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=200, help="of either side")
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weights = random_weights(Path(folder) / "inception.pth")
        race = Race(arguments.images, arguments.batch_size, weights)
        report(timed(race, arguments.blocks), arguments.images)


if __name__ == "__main__":
    main()
