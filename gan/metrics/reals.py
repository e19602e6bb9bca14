"""What metrics know of real images, computed once and kept in files."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from gan import processes
from gan.backbones import cache
from gan.backbones.source import RealSource
from gan.metrics.feature_metric import FeatureMetric, Role
from gan.metrics.feed import Batch, Feed

VERSION = 2
Places = dict[str, Path]


class RealStatistics:
    """Gives metrics their states of real images, from a file each or from one pass over a split.

    Args:
        source: the data set.
        feed: what computes features, prepared.
        folder: of the files, whose names depend on the images and the backbone's weights.
    """

    def __init__(self, source: RealSource, feed: Feed, folder: Path) -> None:
        self.source, self.feed, self.folder = source, feed, folder

    def fill(self, metrics: Mapping[str, FeatureMetric], role: Role, split: str) -> None:
        """Gives those of `metrics` that read `role` the images of `split` in it."""
        readers = {name: metric for name, metric in metrics.items() if role in metric.held}
        places = {name: self.place(split, m.protocol) for name, m in readers.items()}
        states = {path: cache.load(path) for path in set(places.values())}
        known = {
            name
            for name, metric in readers.items()
            if set(metric.held[role]) <= (states[places[name]] or {}).keys()
        }
        absent = set().union(*processes.all_gather(readers.keys() - known))
        if absent:
            self._survey({name: readers[name] for name in sorted(absent)}, role, split, places)
            states |= {places[name]: readers[name].real_state(role) for name in absent}
        self._share(readers, role, places, states)

    def baseline(
        self, metrics: Mapping[str, FeatureMetric], compared: str, other: str
    ) -> dict[str, float]:
        """The metrics of all images of a real split in the place of fakes, from a file as well.

        Args:
            metrics: filled with the reals.
            compared: the split of these reals.
            other: the split that plays the fakes.
        """
        settings = sorted(f"{m.protocol} {m.stamp()}" for m in metrics.values())
        path = self.place(compared, "baseline", self.source.fingerprint(other), *settings)
        content = processes.all_gather(cache.load(path))[0]
        if content is None or not all(isinstance(value, float) for value in content.values()):
            content = self._baseline(list(metrics.values()), other)
            self._save(path, content)
        return content

    def place(self, split: str, *parts: str) -> Path:
        """The file of what depends on a split's images, the features and `parts`."""
        backbone = self.feed.backbone
        features = (backbone.name, backbone.weights_hash, backbone.resize)
        name = cache.key([VERSION, self.source.fingerprint(split), split, *features, *parts])
        return self.folder / f"reals-{backbone.name}-{name}.pt"

    def shard(self, split: str) -> Iterator[Batch]:
        """This process's share of a split, in its order."""
        shard = (processes.rank(), processes.world_size())
        return iter(self.source.reals(split, self.feed.batch_size, *shard))

    def _survey(
        self, metrics: Mapping[str, FeatureMetric], role: Role, split: str, places: Places
    ) -> None:
        """One pass over a split; the states end up whole and equal on every process."""
        total, title = len(self.source.split(split)), f"{self.source.name}/{split}"
        self.feed(self.shard(split), list(metrics.values()), role, total, title)
        for name, metric in metrics.items():
            with metric.sync_context():
                whole = metric.real_state(role)
            metric.load_real_state(role, whole)
            self._save(places[name], whole)

    def _share(
        self,
        readers: Mapping[str, FeatureMetric],
        role: Role,
        places: Places,
        states: Mapping[Path, cache.Content | None],
    ) -> None:
        """Gives every reader its state, held by the first process."""
        for name, metric in readers.items():
            state = states[places[name]]
            assert state is not None
            metric.load_real_state(role, state, owner=processes.rank() == 0)

    def _baseline(self, metrics: list[FeatureMetric], split: str) -> dict[str, float]:
        """The metrics of a split in the place of fakes."""
        total, title = len(self.source.split(split)), f"{self.source.name}/{split}"
        size, more = divmod(total, processes.world_size())
        rank = processes.rank()
        for metric in metrics:
            metric.begin(total, rank * size + min(rank, more))
        self.feed(self.shard(split), metrics, Role.FAKE, total, title)
        return computed(metrics, self.feed.backbone.name)

    def _save(self, path: Path, content: cache.Content) -> None:
        if processes.rank() == 0:
            cache.save(path, content)


def computed(metrics: list[FeatureMetric], prefix: str) -> dict[str, float]:
    """The values of all metrics under their names, which forget the fakes."""
    values: dict[str, float] = {}
    for metric in metrics:
        values |= {f"{prefix}/{key}": value for key, value in metric.compute().items()}
        metric.reset()
    return values
