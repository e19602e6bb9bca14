"""Metrics of real CIFAR-10 images in place of generated ones: the values of a perfect generator.

The script compares the first COUNT test images, then the first COUNT training images, with
those training images, through each chosen backbone. The domain classifier is trained on all
training images. The distances of test images are the lowest that COUNT images can reach; the
inception scores are those of real images. Published for Inception with all training images: IS
11.24.

    python benchmarks/self_calibration.py [--count 10000] [--data data/cifar10]
        [--domain] [--squeezenet FILE] [--inception FILE] [--clip FILE]
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

from datamodules.cifar10 import CIFAR10
from gan.backbones.base import Backbone
from gan.backbones.clip import CLIPBackbone
from gan.backbones.dataset import ImageDataset
from gan.backbones.domain import DomainBackbone
from gan.backbones.inception import InceptionBackbone
from gan.backbones.squeezenet import SqueezeNetBackbone
from gan.metrics.evaluation import Evaluation
from gan.metrics.feature_metric import FeatureMetric
from gan.metrics.frechet import FrechetDistance
from gan.metrics.inception_score import InceptionScore
from gan.metrics.kernel import KernelDistance
from gan.metrics.neighbours import Neighbours

CACHE = os.environ.get("GANYMEDE_CACHE", str(Path.home() / ".cache/ganymede"))
CPU = torch.device("cpu")


class FirstImages(CIFAR10):
    """The first images of each split of CIFAR-10."""

    count = 0

    def read(self, split: str) -> tuple[Tensor, Tensor]:
        images, labels = super().read(split)
        return images[: self.count], labels[: self.count]


class WholeDomain(DomainBackbone):
    """The domain classifier of all images, also if only some of them are measured."""

    def __init__(self, whole: ImageDataset) -> None:
        super().__init__(CACHE)
        self.whole = whole

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        super().prepare(self.whole, device)


def cifar10(kind: type[CIFAR10], root: str) -> CIFAR10:
    """Return a data module of CIFAR-10."""
    return kind(channels=3, resolution=32, num_classes=10, batch_size=64, root=root, verify=False)


def chosen(options: argparse.Namespace) -> list[Backbone]:
    """Return the backbones of the command line."""
    backbones: list[Backbone] = []
    if options.domain:
        backbones.append(WholeDomain(cifar10(CIFAR10, options.data)))
    for kind in (SqueezeNetBackbone, InceptionBackbone):
        if (file := getattr(options, kind.name)) is not None:
            backbones.append(kind(file))
    if options.clip is not None:
        backbones.append(CLIPBackbone(weights=options.clip))
    return backbones


def metrics_of(backbone: Backbone) -> dict[str, FeatureMetric]:
    """Return the metrics that the backbone supports, by name."""
    metrics: list[FeatureMetric] = [FrechetDistance(), KernelDistance(), Neighbours()]
    if backbone.has_logits:
        metrics.append(InceptionScore())
    return {metric.ranking[0]: metric for metric in metrics}


def calibrate(backbone: Backbone, dataset: ImageDataset, count: int) -> None:
    """Print the values of each split, and the speed."""
    with tempfile.TemporaryDirectory() as cache:
        evaluation = Evaluation(backbone, metrics_of(backbone), 0, count, cache)
        evaluation.prepare(dataset, CPU)
        print(f"{backbone.name}, weights {backbone.weights_hash[:8]}")
        started = time.perf_counter()
        for split in ("test", "train"):
            values = evaluation.measure(dataset.reals(split, evaluation.batch_size))
            line = (f"{key.partition('/')[2]} {value:.4g}" for key, value in values.items())
            print(f"  {split:5s} of {count:,}:", *line, sep="  ", flush=True)
    speed = 2 * count / (time.perf_counter() - started)
    print(f"  {speed:.1f} images/s, metrics included, {torch.get_num_threads()} threads")


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="images of each split")
    parser.add_argument("--data", default="data/cifar10", help="folder of CIFAR-10")
    parser.add_argument("--domain", action="store_true", help="through the domain classifier")
    for kind in (SqueezeNetBackbone, InceptionBackbone, CLIPBackbone):
        parser.add_argument(f"--{kind.name}", metavar="FILE", help="through it, its weights")
    options = parser.parse_args()
    FirstImages.count = options.count
    dataset = cifar10(FirstImages, options.data)
    for backbone in chosen(options):
        calibrate(backbone, dataset, options.count)


if __name__ == "__main__":
    main()
