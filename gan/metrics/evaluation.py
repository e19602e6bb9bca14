"""Metrics of generated images against one split of a data set, with their protocol."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchmetrics import SumMetric

from gan import processes
from gan.backbones import cache
from gan.backbones.base import Backbone
from gan.backbones.source import RealSource
from gan.errors import InputError
from gan.metrics.feature_metric import FeatureMetric, Role
from gan.metrics.feed import Batch, Feed
from gan.metrics.reals import RealStatistics, computed

log = logging.getLogger(__name__)

OTHER = {"train": "test", "test": "train"}
WITHOUT_FLOAT64 = {"mps"}
SEED = "sample_seed"  # key in a stamp

Stamp = dict[str, str | int | float]


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
        monitor: name, in the `ranking` of a metric, of the value that decides which model is best;
            None where nothing is chosen.
        weights: file that the backbone reads its weights from, instead of its own place.
        min_fakes: least `num_fakes` that is accepted.
        weights_hash: how the hash of the backbone's weights must begin, from another run's stamp.

    Raises:
        InputError: `monitor` ranks no models, or a number is out of range.
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
        monitor: str | None = "fid",
        weights: str | None = None,
        min_fakes: int = 1000,
        weights_hash: str | None = None,
    ) -> None:
        self.backbone, self.metrics = backbone, dict(metrics)
        self.every, self.num_fakes, self.batch_size = every, num_fakes, batch_size
        self.cache, self.split, self.min_fakes = Path(cache), split, min_fakes
        self.monitor = f"{backbone.name}/{monitor}"
        self._check_numbers()
        self._check_monitor(monitor)
        backbone.weights = weights or backbone.weights
        if weights_hash is not None:
            backbone.expect(weights_hash)
        self._source: RealSource | None = None
        self._device = torch.device("cpu")

    def _check_numbers(self) -> None:
        """Refuses numbers out of their range."""
        if self.min_fakes < 2 or self.every < 0 or self.batch_size < 1:
            raise InputError(
                f"metrics.min_fakes={self.min_fakes} must be 2 or more, metrics.every={self.every} "
                f"0 or more, metrics.batch_size={self.batch_size} 1 or more"
            )
        if self.num_fakes < self.min_fakes:
            raise InputError(
                f"metrics.num_fakes={self.num_fakes}: numbers of fewer than {self.min_fakes} "
                "images are not to be trusted; raise it, or lower metrics.min_fakes"
            )

    def _check_monitor(self, monitor: str | None) -> None:
        """Refuses a monitor that nothing gives."""
        if monitor is not None and self.monitor not in self.ranking:
            known = ", ".join(key.partition("/")[2] for key in self.ranking)
            known = known or "the measures: give metrics.monitor=null, or metrics=none"
            raise InputError(f"metrics.monitor={monitor} is none of {known}")

    @property
    def ranking(self) -> dict[str, FeatureMetric]:
        """The metric behind each value by which models are ranked, such as "domain/fid"."""
        return {
            f"{self.backbone.name}/{key}": metric
            for metric in self.metrics.values()
            for key in metric.ranking
        }

    def better(self, key: str) -> Callable[..., Any]:
        """What chooses the better of two values of a ranking: `min` or `max`."""
        return max if self.ranking[key].higher_is_better else min

    def prepare(self, source: RealSource, device: torch.device, labelled: bool = False) -> None:
        """Readies the backbone and the real statistics, from the cache where they lie there.

        Args:
            source: the reals.
            device: where to compute.
            labelled: whether fakes will come with labels.

        Raises:
            InputError: the backbone's weights cannot be had, a split is absent, or a metric cannot
                be taken.
        """
        self._source, self._device = source, device
        splits = self._splits(source)
        for name, reason in self._refusals(source, labelled).items():
            raise InputError(f"measures: {name}: {reason}; leave {name} out")
        with processes.first_process_first():
            self.backbone.prepare(source, device)
        for metric in self.metrics.values():
            metric.to("cpu" if device.type in WITHOUT_FLOAT64 else device)
        for role, split in splits.items():
            self._statistics().fill(self.metrics, role, split)
        if self.num_fakes <= self.backbone.num_features:
            log.warning(
                "metrics.num_fakes=%d is not above the %d features of %s: the distance is biased "
                "upwards, compare it only at equal num_fakes",
                self.num_fakes,
                self.backbone.num_features,
                self.backbone.name,
            )

    def drop_refused(self, source: RealSource, labelled: bool) -> dict[str, str]:
        """Leaves out the metrics that cannot be taken; why, by name. Arguments as in `prepare`."""
        dropped = self._refusals(source, labelled)
        self.metrics = {k: m for k, m in self.metrics.items() if k not in dropped}
        return dropped

    def _refusals(self, source: RealSource, labelled: bool) -> dict[str, str]:
        """Why metrics cannot be taken, by name."""
        other, reasons = OTHER.get(self.split, ""), {}
        givers: dict[str, str] = {}
        for name, metric in self.metrics.items():
            reason = metric.refusal(self.backbone, source, labelled)
            if Role.UNSEEN in metric.held and not _has(source, other):
                reason = f"{source.name} has no {other} split"
            for key in metric.ranking if reason is None else ():
                if givers.setdefault(key, name) != name:
                    reason = f"{givers[key]} gives {key} already"
            if reason is not None:
                reasons[name] = reason
        return reasons

    def measure(self, fakes: Iterable[Batch], start: int = 0) -> dict[str, float]:
        """Metrics of generated images, such as {"domain/fid": 12.3}; no global RNG is touched.

        Args:
            fakes: `num_fakes` images over all processes, in batches (B, C, R, R) in [-1, 1] with
                the labels (B,) that were asked for, or None.
            start: place among all of this process's first.

        Raises:
            InputError: another number of images or another shape than declared, or values that are
                not finite or not in [-1, 1].
        """
        metrics, count = list(self.metrics.values()), SumMetric().to(self._device)
        for metric in metrics:
            metric.begin(self.num_fakes, start)
        checked = self._checked(fakes, start)
        count.update(self._feed()(checked, metrics, Role.FAKE, self.num_fakes, "fakes"))
        self._check_count(int(count.compute()))
        return computed(metrics, self.backbone.name)

    def baseline(self) -> dict[str, float] | None:
        """The same metrics of the source's other split: what real images that are new would get.

        Takes the whole split. Metrics that read that split anyway are left out. Returns None where
        there is no other split. Cached on disk.
        """
        source, other = self._prepared(), OTHER[self.split]
        if not _has(source, other):
            return None
        fair = {k: m for k, m in self.metrics.items() if Role.UNSEEN not in m.held}
        return self._statistics().baseline(fair, self.split, other)

    def stamp(self) -> Stamp:
        """The protocol of the numbers, once prepared; two that differ do not compare."""
        source = self._prepared()
        stamp = self.backbone.stamp() | {
            "real_data": source.name,
            "real_split": self.split,
            "real_count": len(source.split(self.split)),
            "real_fingerprint": source.fingerprint(self.split),
            "real_flip": "no",
            "num_fakes": self.num_fakes,
        }
        return stamp | self.settings(*self.metrics.values())

    def settings(self, *metrics: FeatureMetric) -> Stamp:
        """What the numbers of some of the metrics depend on besides."""
        return {key: value for metric in metrics for key, value in metric.stamp().items()}

    def protocols(self, stamp: Mapping[str, object]) -> dict[str, str]:
        """The protocol of each value of `ranking`, whatever is measured beside it.

        Args:
            stamp: of this evaluation, perhaps with more in it.
        """
        every = self.settings(*self.metrics.values())
        common = {key: value for key, value in stamp.items() if key not in every}
        return {key: protocol(common | m.stamp()) for key, m in self.ranking.items()}

    def _feed(self) -> Feed:
        return Feed(self.backbone, self._device, self.batch_size)

    def _statistics(self) -> RealStatistics:
        return RealStatistics(self._prepared(), self._feed(), self.cache)

    def _checked(self, fakes: Iterable[Batch], place: int) -> Iterator[Batch]:
        """The same batches, refused where they cannot be compared with the reals."""
        source = self._prepared()
        shape = (source.channels, source.resolution, source.resolution)
        for images, labels in fakes:
            if images.shape[1:] != shape:
                raise InputError(
                    f"generated images are {tuple(images.shape[1:])} and {source.name} is {shape}; "
                    "give model and data the same channels and resolution"
                )
            _check_values(images)
            place += len(images)
            self._check_count(max(place, self.num_fakes))
            yield images, labels

    def _check_count(self, count: int) -> None:
        if count != self.num_fakes:
            raise InputError(
                f"{count} generated images came where metrics.num_fakes={self.num_fakes} were "
                "announced: give as many"
            )

    def _prepared(self) -> RealSource:
        if self._source is None:
            raise RuntimeError("Evaluation.prepare comes first")
        return self._source

    def _splits(self, source: RealSource) -> dict[Role, str]:
        """The split of each role that some metric reads."""
        if self.split not in OTHER:
            raise InputError(f"metrics.split={self.split} is neither train nor test")
        _check_split(source, self.split, f"set metrics.split={OTHER[self.split]}")
        splits = {Role.REAL: self.split}
        if any(Role.UNSEEN in metric.held for metric in self.metrics.values()):
            splits[Role.UNSEEN] = OTHER[self.split]
        return splits


def protocol(stamp: Mapping[str, object]) -> str:
    """Short name of a stamp, 8 hexadecimal digits: equal for stamps that differ in seeds alone."""
    return cache.key(sorted((k, v) for k, v in stamp.items() if k != SEED))[:8]


def _has(source: RealSource, split: str) -> bool:
    """Whether a data set has a split."""
    try:
        source.split(split)
    except ValueError:
        return False
    return True


def _check_split(source: RealSource, split: str, remedy: str) -> None:
    """Refuses a split that is absent or next to empty."""
    try:
        count = len(source.split(split))
    except ValueError as error:
        raise InputError(f"{source.name} has no {split} split ({error}); {remedy}") from error
    if count < 2:
        raise InputError(f"{source.name}/{split} has {count} images; metrics need 2")


def _check_values(images: Tensor) -> None:
    """Refuses values that are not finite or are not meant for [-1, 1]."""
    if not torch.isfinite(images).all():
        raise InputError(
            "generated images hold values that are not finite: training has diverged; "
            "lower the learning rate or the precision's range"
        )
    if (images.abs() > 1).float().mean() > 0.5:
        raise InputError(
            f"generated images reach from {images.min():.3g} to {images.max():.3g}, most of them "
            "outside [-1, 1]: end the generator with a tanh, or scale its images"
        )


class NoEvaluation(Evaluation):
    """No metrics: nothing to prepare, nothing measured."""

    def __init__(self) -> None:
        self.every, self.num_fakes, self.batch_size = 0, 0, 1
        self.metrics, self.monitor = {}, ""

    def prepare(self, source: RealSource, device: torch.device, labelled: bool = False) -> None:
        """Nothing."""

    def measure(self, fakes: Iterable[Batch], start: int = 0) -> dict[str, float]:
        """No values; the images are not asked for."""
        return {}

    def baseline(self) -> dict[str, float] | None:
        """None."""
        return None

    def stamp(self) -> Stamp:
        """Nothing to stamp."""
        return {}
