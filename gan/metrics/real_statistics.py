"""The states of real images that metrics read, computed once and cached in files."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from gan import processes
from gan.backbones import cache
from gan.backbones.dataset import ImageDataset
from gan.metrics.feature_metric import FeatureMetric, Role
from gan.metrics.feature_pass import Batch, FeaturePass

VERSION = 2
Paths = dict[str, Path]


class RealStatistics:
    """Loads the states of real images into metrics, from files or from one pass over a split.

    Args:
        dataset: of the real images.
        features: pass through a backbone that is prepared.
        folder: of the files, whose names depend on the images and the weights of the backbone.
    """

    def __init__(self, dataset: ImageDataset, features: FeaturePass, folder: Path) -> None:
        self.dataset, self.features, self.folder = dataset, features, folder

    def load(self, metrics: Mapping[str, FeatureMetric], role: Role, split: str) -> None:
        """Load the states of the images of `split` into the metrics that read `role`."""
        readers = {name: metric for name, metric in metrics.items() if role in metric.real_states}
        paths = {name: self.path(split, m.cache_key) for name, m in readers.items()}
        states = {path: cache.load(path) for path in set(paths.values())}
        cached = {
            name
            for name, metric in readers.items()
            if set(metric.real_states[role]) <= (states[paths[name]] or {}).keys()
        }
        absent = set().union(*processes.all_gather(readers.keys() - cached))
        if absent:
            self._compute({name: readers[name] for name in sorted(absent)}, role, split, paths)
            states |= {paths[name]: readers[name].real_state(role) for name in absent}
        for name, metric in readers.items():
            state = states[paths[name]]
            assert state is not None
            metric.load_real_state(role, state, owner=processes.rank() == 0)

    def baseline(
        self, metrics: Mapping[str, FeatureMetric], compared: str, other: str
    ) -> dict[str, float]:
        """Return the metrics of all images of a real split in the place of fakes; cached.

        Args:
            metrics: with the states of the real images.
            compared: split of these real images.
            other: split in the place of fakes.
        """
        settings = sorted(f"{m.cache_key} {m.stamp()}" for m in metrics.values())
        path = self.path(compared, "baseline", self.dataset.fingerprint(other), *settings)
        content = processes.all_gather(cache.load(path))[0]
        if content is None or not all(isinstance(value, float) for value in content.values()):
            content = self._baseline(list(metrics.values()), other)
            self._save(path, content)
        return content

    def path(self, split: str, *parts: str) -> Path:
        """Return the file of what depends on the images of a split, the features and `parts`."""
        backbone = self.features.backbone
        precision = ["bfloat16"] if backbone.in_bfloat16 else []
        features = (backbone.name, backbone.weights_hash, backbone.resize, *precision)
        name = cache.key([VERSION, self.dataset.fingerprint(split), split, *features, *parts])
        return self.folder / f"reals-{backbone.name}-{name}.pt"

    def shard(self, split: str) -> Iterator[Batch]:
        """Return this process's part of a split, in order."""
        shard = (processes.rank(), processes.world_size())
        return iter(self.dataset.reals(split, self.features.batch_size, *shard))

    def _compute(
        self, metrics: Mapping[str, FeatureMetric], role: Role, split: str, paths: Paths
    ) -> None:
        """Compute the states in one pass over a split, equal on every process, and save them."""
        total, title = len(self.dataset.split(split)), f"{self.dataset.name}/{split}"
        self.features.update(list(metrics.values()), role, self.shard(split), total, title)
        for name, metric in metrics.items():
            with metric.sync_context():
                state = metric.real_state(role)
            metric.load_real_state(role, state)
            self._save(paths[name], state)

    def _baseline(self, metrics: list[FeatureMetric], split: str) -> dict[str, float]:
        """Compute the metrics of a split in the place of fakes."""
        total, title = len(self.dataset.split(split)), f"{self.dataset.name}/{split}"
        size, more = divmod(total, processes.world_size())
        rank = processes.rank()
        for metric in metrics:
            metric.begin(total, rank * size + min(rank, more))
        self.features.update(metrics, Role.FAKE, self.shard(split), total, title)
        return compute_all(metrics, self.features.backbone.name)

    def _save(self, path: Path, content: cache.Content) -> None:
        """Write a file in the first process."""
        if processes.rank() == 0:
            cache.save(path, content)


def compute_all(metrics: list[FeatureMetric], prefix: str) -> dict[str, float]:
    """Return the values of all metrics, such as {"domain/fid": 12.3}, and reset the metrics."""
    values: dict[str, float] = {}
    for metric in metrics:
        values |= {f"{prefix}/{key}": value for key, value in metric.compute().items()}
        metric.reset()
    return values
