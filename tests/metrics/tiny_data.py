"""A data set of three classes and a backbone without weights, both tiny."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from gan.backbones.base import Backbone, Features
from gan.backbones.classifier import Training
from gan.backbones.dataset import ImageDataset
from gan.backbones.domain import DomainBackbone
from gan.metrics.evaluation import Evaluation
from gan.metrics.feature_metric import FeatureMetric, Role
from gan.metrics.frechet import FrechetDistance
from gan.metrics.inception_score import InceptionScore


@dataclass
class TinySplit:
    pixels: Tensor
    labels: Tensor | None

    def __len__(self) -> int:
        return len(self.pixels)

    def images(self, indices: Tensor) -> Tensor:
        return self.pixels[indices]


def stripes(count: int, channels: int, seed: int) -> TinySplit:
    """Three classes: bright top, bright left, bright everywhere, in noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=generator)
    pixels = torch.randint(0, 100, (count, channels, 8, 8), generator=generator)
    pixels[labels == 0, :, :4] += 150
    pixels[labels == 1, :, :, :4] += 150
    pixels[labels == 2] += 150
    return TinySplit(pixels.to(torch.uint8), labels)


@dataclass
class TinyDataset:
    splits: dict[str, TinySplit]
    name: str = "tiny"
    resolution: int = 8
    num_classes: int = 3
    passes: list[str] = field(default_factory=list)

    @property
    def channels(self) -> int:
        return self.splits["train"].pixels.shape[1]

    def split(self, split: str) -> TinySplit:
        if split not in self.splits:
            raise ValueError(f"tiny has no {split} split")
        return self.splits[split]

    def reals(
        self, split: str, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        self.passes.append(split)
        shard = torch.tensor_split(self.split(split).pixels, world_size)[rank]
        labels = self.split(split).labels
        assert labels is not None
        held = torch.tensor_split(labels, world_size)[rank]
        for pixels, y in zip(
            torch.split(shard, batch_size), torch.split(held, batch_size), strict=True
        ):
            yield pixels.float() / 127.5 - 1, y

    def fingerprint(self, split: str) -> str:
        return hashlib.sha256(self.split(split).pixels.numpy().tobytes()).hexdigest()


def tiny_dataset(channels: int = 1, seed: int = 0) -> TinyDataset:
    return TinyDataset(
        {"train": stripes(200, channels, 2 * seed), "test": stripes(100, channels, 2 * seed + 1)}
    )


class Corners(Backbone):
    """Four pixels of the image as features, eight as logits: a network without weights."""

    name = "corners"
    num_features = 4
    resize = "none"

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        flat = images.flatten(1).float() / 255
        return flat[:, [0, 7, 30, 60]], flat[:, :8]


def features(pool: Tensor, logits: Tensor | None = None, labels: Tensor | None = None) -> Features:
    """Features (B, F) by themselves, or with logits (B, K) and labels (B,)."""
    none = torch.full((len(pool),), -1)
    return Features(
        pool,
        pool.new_zeros(len(pool), 2) if logits is None else logits,
        none if labels is None else labels,
    )


def measured(
    metric: FeatureMetric, fakes: Tensor, batch: int = 10_000, **roles: Tensor
) -> dict[str, float]:
    """The values of a metric on pooled features (N, F), `roles` those of `real` and `unseen`."""
    for role, pool in roles.items():
        for part in torch.split(pool, batch):
            metric.update(features(part), Role(role))
    metric.begin(len(fakes))
    for part in torch.split(fakes, batch):
        metric.update(features(part), Role.FAKE)
    return metric.compute()


def evaluation(cache: Path, backbone: Backbone | None = None, num_fakes: int = 50) -> Evaluation:
    return Evaluation(
        backbone or Corners(),
        {"fid": FrechetDistance(), "is": InceptionScore()},
        every=10,
        num_fakes=num_fakes,
        cache=str(cache),
        batch_size=32,
        min_fakes=2,
    )


def domain(cache: Path, seed: int = 0, **options: str) -> DomainBackbone:
    return DomainBackbone(str(cache), seed, Training(rounds=(25,), batch_size=32), **options)
