"""Images per second of a complete evaluation, compared with torch-fidelity.

Both use the same images in memory (8 bits per channel), the same random weights of Inception and
the same batch size, without a cache. The time includes building the network. The two alternate
in one process. "fid" is FID only; "all" is FID, KID, inception score, precision and recall.
torch-fidelity computes "all" with one call per metric, and with one call for all metrics. The
output has the CPU seconds of each block, the medians, images per second, the ratios, and the
medians of wall-clock seconds. One thread gives the most stable results: OMP_NUM_THREADS=1.

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
from tests.metrics.tiny_data import TinyDataset, TinySplit

METRICS = ("fid", "kid", "isc", "prc")


class Images(Dataset[Tensor]):
    """A data set of images for torch-fidelity."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        return self.pixels[index]


class Seconds(NamedTuple):
    """The duration of one run."""

    cpu: float
    wall: float


class Comparison:
    """Ganymede and torch-fidelity on the same images.

    Args:
        images: number of real images, and of fakes.
        batch_size: batch size of both.
        weights: file of Inception's weights.
    """

    def __init__(self, images: int, batch_size: int, weights: Path) -> None:
        generator = torch.Generator().manual_seed(0)
        shape = (2, images, 3, 32, 32)
        self.fakes, self.reals = torch.randint(256, shape, generator=generator).to(torch.uint8)
        self.batch_size, self.weights, self.subset_size = batch_size, str(weights), images // 2

    def run_ganymede(self, metrics: Mapping[str, FeatureMetric]) -> None:
        """Evaluate with Ganymede: one pass over the real images and one over the fakes."""
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
            evaluation.prepare(TinyDataset({"train": split}, resolution=32), torch.device("cpu"))
            parts = torch.split(self.fakes, self.batch_size)
            evaluation.measure((part.float() / 127.5 - 1, None) for part in parts)

    def run_torch_fidelity(self, *metrics: str) -> None:
        """Evaluate with one call of torch-fidelity, without worker processes."""
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

    def run_torch_fidelity_per_metric(self) -> None:
        """Evaluate with one call of torch-fidelity per metric."""
        for metric in METRICS:
            self.run_torch_fidelity(metric)

    def runs(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield the names and functions to time."""
        yield "fid ganymede", lambda: self.run_ganymede({"fid": FrechetDistance()})
        yield "fid torch-fidelity", lambda: self.run_torch_fidelity("fid")
        yield (
            "all ganymede",
            lambda: self.run_ganymede(
                {
                    "fid": FrechetDistance(),
                    "kid": KernelDistance(subset_size=self.subset_size),
                    "is": InceptionScore(),
                    "neighbours": Neighbours(),
                }
            ),
        )
        yield "all torch-fidelity", self.run_torch_fidelity_per_metric
        yield "all torch-fidelity, one call", lambda: self.run_torch_fidelity(*METRICS)


def time_runs(comparison: Comparison, blocks: int) -> dict[str, list[Seconds]]:
    """Return the durations of each run in each block, after a warm-up."""
    comparison.run_torch_fidelity("isc")
    seconds: dict[str, list[Seconds]] = {name: [] for name, _ in comparison.runs()}
    for _ in range(blocks):
        for name, run in comparison.runs():
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            seconds[name].append(Seconds(time.process_time() - cpu, time.perf_counter() - wall))
    return seconds


def report(seconds: Mapping[str, list[Seconds]], images: int) -> None:
    """Print the medians and the ratios to Ganymede's time."""
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
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--images", type=int, default=200, help="number of fakes, and of real images"
    )
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weights = random_weights(Path(folder) / "inception.pth")
        comparison = Comparison(arguments.images, arguments.batch_size, weights)
        report(time_runs(comparison, arguments.blocks), arguments.images)


if __name__ == "__main__":
    main()
