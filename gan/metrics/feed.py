"""One pass of a backbone over images that serves any number of metrics."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from gan import processes
from gan.backbones.base import Backbone
from gan.metrics.feature_metric import FeatureMetric, Role

Batch = tuple[Tensor, Tensor | None]


class Feed:
    """Feeds metrics the features of images.

    Args:
        backbone: network that they look through.
        device: where it works.
        batch_size: images that pass it at once.
    """

    def __init__(self, backbone: Backbone, device: torch.device, batch_size: int) -> None:
        self.backbone, self.device, self.batch_size = backbone, device, batch_size

    def __call__(
        self,
        batches: Iterable[Batch],
        metrics: Sequence[FeatureMetric],
        role: Role,
        total: int,
        name: str,
    ) -> int:
        """The number of this process's images, once all have passed.

        Args:
            batches: images (B, C, H, W) in [-1, 1] with labels (B,) or None.
            metrics: those that are updated.
            role: what the images are to them.
            total: how many are expected over all processes, for the progress bar.
            name: of the images, for the progress bar.
        """
        done, first = 0, processes.rank() == 0
        share = total // processes.world_size()
        with tqdm(total=share, desc=name, unit="img", leave=False, disable=not first) as bar:
            for images, labels in self._cut(batches):
                features = self.backbone(images.to(self.device), labels)
                for metric in metrics:
                    metric.update(features, role)
                done += len(images)
                bar.update(len(images))
        return done

    def _cut(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        """The same images in batches that the backbone can bear."""
        for images, labels in batches:
            for start in range(0, len(images), self.batch_size):
                rows = slice(start, start + self.batch_size)
                yield images[rows], None if labels is None else labels[rows]
