"""One pass of images through a backbone, for any number of metrics."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from gan import processes
from gan.backbones.base import Backbone
from gan.metrics.feature_metric import FeatureMetric, Role
from gan.metrics.outputs import Outputs
from gan.progress import bar

Batch = tuple[Tensor, Tensor | None]


class FeaturePass:
    """Updates metrics with the features of images.

    Args:
        backbone: that gives the features.
        device: of the backbone.
        batch_size: images per batch of the backbone.
    """

    def __init__(self, backbone: Backbone, device: torch.device, batch_size: int) -> None:
        self.backbone, self.device, self.batch_size = backbone, device, batch_size

    def update(
        self,
        metrics: Sequence[FeatureMetric],
        role: Role,
        batches: Iterable[Batch | Outputs],
        total: int,
        name: str,
    ) -> int:
        """Update the metrics and return the number of images of this process.

        Args:
            metrics: to be updated.
            role: of the images.
            batches: images (B, C, H, W) in [-1, 1] with labels (B,) or None, and perhaps more.
            total: expected number of images over all processes, for the progress bar.
            name: of the images, for the progress bar.
        """
        count, share = 0, total // processes.world_size()
        with bar(name, share, "img") as progress:
            for part in self._split(batches):
                outputs = part.to(self.device)
                features = self.backbone(outputs.images, outputs.labels)
                for metric in metrics:
                    metric.update(features, role)
                    metric.compare(outputs, features, self.backbone)
                count += len(outputs.images)
                progress.update(len(outputs.images))
        return count

    def _split(self, batches: Iterable[Batch | Outputs]) -> Iterator[Outputs]:
        """Yield the images in batches of at most `batch_size`."""
        for batch in batches:
            outputs = Outputs(*batch)
            for start in range(0, len(outputs.images), self.batch_size):
                yield outputs.rows(slice(start, start + self.batch_size))
