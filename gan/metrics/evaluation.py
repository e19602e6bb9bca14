"""Metrics of generated images against one split of a data set, with their protocol."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics import SumMetric
from tqdm import tqdm

from gan.errors import InputError
from gan.metrics import cache, processes
from gan.metrics.backbone import Backbone
from gan.metrics.feature_metric import FeatureMetric
from gan.metrics.pixels import to_uint8
from gan.metrics.source import RealSource

log = logging.getLogger(__name__)

VERSION = 1
OTHER = {"train": "test", "test": "train"}
WITHOUT_FLOAT64 = {"mps"}


class Evaluation:
    """One pass of a backbone over generated images serves every metric.

    Under several processes each passes its own part of the fakes, at least one image, and gets the
    value of all of them.

    Args:
        backbone: network that the metrics look through; its name leads their keys.
        metrics: what to compute, by name.
        every: training steps between two measurements; 0 measures at the end only.
        num_fakes: generated images of a measurement.
        cache: folder of the real statistics.
        split: the reals to compare with, "train" or "test".
        batch_size: images that pass the backbone at once.
        monitor: name, among `metrics`, of the one that decides which model is best.
        weights: file that the backbone reads its weights from, instead of its own place.

    Raises:
        InputError: `monitor` is not among `metrics`, or a number is out of range.
    """

    def __init__(
        self,
        backbone: Backbone,
        metrics: Mapping[str, FeatureMetric],
        every: int,
        num_fakes: int,
        cache: str,
        split: str = "train",
        batch_size: int = 100,
        monitor: str = "fid",
        weights: str | None = None,
    ) -> None:
        if monitor not in metrics:
            raise InputError(f"metrics.monitor={monitor} is none of {', '.join(metrics)}")
        if num_fakes < 2 or every < 0 or batch_size < 1:
            raise InputError(
                f"metrics.num_fakes={num_fakes} must be 2 or more, metrics.every={every} 0 or "
                f"more, metrics.batch_size={batch_size} 1 or more"
            )
        self.backbone, self.metrics = backbone, dict(metrics)
        self.every, self.num_fakes, self.batch_size = every, num_fakes, batch_size
        self.cache, self.split = Path(cache), split
        self.monitor = f"{backbone.name}/{monitor}"
        self.minimize = not metrics[monitor].higher_is_better
        backbone.weights = weights or backbone.weights
        self._source: RealSource | None = None
        self._device = torch.device("cpu")

    def prepare(self, source: RealSource, device: torch.device) -> None:
        """Readies the backbone and the real statistics, from the cache where they lie there.

        Raises:
            InputError: the backbone's weights cannot be had, or the split is absent.
        """
        self._device = device
        self._check_split(source)
        with processes.first_process_first():
            self.backbone.prepare(source, device)
        self._source = source
        for metric in self.metrics.values():
            metric.to("cpu" if device.type in WITHOUT_FLOAT64 else device)
        self._load_reals()
        if self.num_fakes <= self.backbone.num_features:
            log.warning(
                "metrics.num_fakes=%d is not above the %d features of %s: the distance is biased "
                "upwards, compare it only at equal num_fakes",
                self.num_fakes,
                self.backbone.num_features,
                self.backbone.name,
            )

    def measure(self, fakes: Iterable[Tensor]) -> dict[str, float]:
        """Metrics of generated images, such as {"domain/fid": 12.3}; no global RNG is touched.

        Args:
            fakes: batches (B, C, R, R) in [-1, 1].

        Raises:
            InputError: fewer than 2 images, another shape than the reals', or values that are not
                finite.
        """
        return self._score(self._checked(fakes), self.num_fakes, "fakes")

    def baseline(self) -> dict[str, float] | None:
        """The same metrics of the source's other split: what real images that are new would get.

        Takes the whole split. Returns None where there is no other split. Cached on disk.
        """
        source = self._prepared()
        other = OTHER[self.split]
        try:
            count = len(source.split(other))
        except ValueError:
            return None
        parts = (other, *sorted(metric.protocol for metric in self.metrics.values()))
        path = self._place("baseline", *parts)
        content = processes.gathered(cache.load(path))[0]
        if content is None:
            images = self._reals(other)
            content = self._score(images, count, f"{source.name}/{other}")
            self._save(path, content)
        return content

    def stamp(self) -> dict[str, str | int | float]:
        """The protocol of the numbers, once prepared; two that differ do not compare."""
        source = self._prepared()
        return self.backbone.stamp() | {
            "real_data": source.name,
            "real_split": self.split,
            "real_count": len(source.split(self.split)),
            "real_fingerprint": source.fingerprint(self.split),
            "real_flip": "no",
            "num_fakes": self.num_fakes,
        }

    def _score(self, batches: Iterable[Tensor], total: int, name: str) -> dict[str, float]:
        """Metrics of a set of images in [-1, 1] that plays the fakes."""
        for metric in self.metrics.values():
            metric.reset()
        count = SumMetric().to(self._device)
        count.update(self._pass(batches, list(self.metrics.values()), False, total, name))
        if count.compute() < 2:
            raise InputError("metrics need 2 images or more; raise metrics.num_fakes")
        values: dict[str, float] = {}
        for metric in self.metrics.values():
            values |= {f"{self.backbone.name}/{key}": v for key, v in metric.compute().items()}
            metric.reset()
        return values

    def _pass(
        self,
        batches: Iterable[Tensor],
        metrics: list[FeatureMetric],
        real: bool,
        total: int,
        name: str,
    ) -> int:
        """Feeds the features of this process's images to the metrics; the number of images."""
        done = 0
        first = processes.rank() == 0
        share = total // processes.world_size()
        with tqdm(total=share, desc=name, unit="img", leave=False, disable=not first) as bar:
            for batch in batches:
                for images in torch.split(batch, self.batch_size):
                    features = self.backbone(to_uint8(images.to(self._device)))
                    for metric in metrics:
                        metric.update(features, real=real)
                    done += len(images)
                    bar.update(len(images))
        return done

    def _checked(self, fakes: Iterable[Tensor]) -> Iterator[Tensor]:
        """The same batches, refused where they cannot be compared with the reals."""
        source = self._prepared()
        shape = (source.channels, source.resolution, source.resolution)
        for batch in fakes:
            if batch.shape[1:] != shape:
                raise InputError(
                    f"generated images are {tuple(batch.shape[1:])} and {source.name} is {shape}; "
                    "give model and data the same channels and resolution"
                )
            if not torch.isfinite(batch).all():
                raise InputError(
                    "generated images hold values that are not finite: training has diverged; "
                    "lower the learning rate or the precision's range"
                )
            yield batch

    def _load_reals(self) -> None:
        """Gives every metric its real statistics; one pass serves those that no file holds."""
        places = {
            name: self._place("reals", self.split, metric.protocol)
            for name, metric in self.metrics.items()
            if metric.real_states
        }
        found = {name: cache.load(path) for name, path in places.items()}
        states = {name: state for name, state in found.items() if state is not None}
        absent = set().union(*processes.gathered(found.keys() - states.keys()))
        if absent:
            surveyed = self._survey([name for name in places if name in absent])
            states |= surveyed
            for name, state in surveyed.items():
                self._save(places[name], state)
        for name, state in states.items():
            self.metrics[name].load_real_state(state, owner=processes.rank() == 0)

    def _survey(self, names: list[str]) -> dict[str, cache.Content]:
        """Real states of the named metrics over the whole split, equal on every process."""
        source = self._prepared()
        metrics = [self.metrics[name] for name in names]
        total, title = len(source.split(self.split)), f"{source.name}/{self.split}"
        self._pass(self._reals(self.split), metrics, True, total, title)
        states = {}
        for name, metric in zip(names, metrics, strict=True):
            with metric.sync_context():
                states[name] = metric.real_state()
        return states

    def _reals(self, split: str) -> Iterator[Tensor]:
        """This process's shard of a real split, in batches in [-1, 1]."""
        shard = (processes.rank(), processes.world_size())
        return (images for images, _ in self._prepared().reals(split, self.batch_size, *shard))

    def _place(self, kind: str, *parts: str) -> Path:
        """The file of statistics that depend on the reals, the features and `parts`."""
        images = self._prepared().fingerprint(self.split)
        features = (self.backbone.name, self.backbone.weights_hash, self.backbone.resize)
        name = cache.key([VERSION, images, self.split, "flip=no", *features, *parts])
        return self.cache / f"{kind}-{self.backbone.name}-{name}.pt"

    def _save(self, path: Path, content: cache.Content) -> None:
        if processes.rank() == 0:
            cache.save(path, content)

    def _prepared(self) -> RealSource:
        if self._source is None:
            raise RuntimeError("Evaluation.prepare comes first")
        return self._source

    def _check_split(self, source: RealSource) -> None:
        if self.split not in OTHER:
            raise InputError(f"metrics.split={self.split} is neither train nor test")
        try:
            count = len(source.split(self.split))
        except ValueError as error:
            raise InputError(
                f"{source.name} has no {self.split} split ({error}); "
                f"set metrics.split={OTHER[self.split]}"
            ) from error
        if count < 2:
            raise InputError(f"{source.name}/{self.split} has {count} images; metrics need 2")


class NoEvaluation(Evaluation):
    """No metrics: nothing to prepare, nothing measured."""

    def __init__(self) -> None:
        self.every, self.num_fakes, self.batch_size = 0, 0, 1
        self.metrics, self.monitor, self.minimize = {}, "", True

    def prepare(self, source: RealSource, device: torch.device) -> None:
        """Nothing."""

    def measure(self, fakes: Iterable[Tensor]) -> dict[str, float]:
        """No values; the images are not asked for."""
        return {}

    def baseline(self) -> dict[str, float] | None:
        """None."""
        return None

    def stamp(self) -> dict[str, str | int | float]:
        """Nothing to stamp."""
        return {}
