"""Evaluation of generated images against one split of a data set."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchmetrics import SumMetric

from gan import counts, processes
from gan.algorithms.latent import LatentGame
from gan.backbones import cache
from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset, has_split
from gan.devices import images_at_once, lacks_bfloat16
from gan.errors import InputError
from gan.metrics.base import Metric, Stamp
from gan.metrics.feature_metric import FeatureMetric, Role
from gan.metrics.feature_pass import Batch, FeaturePass
from gan.metrics.model_metric import ModelMetric
from gan.metrics.outputs import Outputs
from gan.metrics.real_statistics import RealStatistics, compute_all

log = logging.getLogger(__name__)

TEST, VALIDATION = "test", "validation"
OTHER = {"train": TEST, TEST: "train", VALIDATION: TEST}
WITHOUT_FLOAT64 = {"mps"}
SEED = "sample_seed"  # key of a stamp


class Evaluation:
    """Computes all metrics from one pass of generated images through a backbone.

    Under several processes each passes its own part of the fakes, at least one image, and gets the
    values of all of them.

    Args:
        backbone: that gives the features; its name is the prefix of every value.
        metrics: by name.
        every: training steps between two evaluations; 0 evaluates at the end only.
        num_fakes: number of generated images.
        cache: folder of the statistics of real images.
        split: of the real images, "train", "test" or "validation"; by default validation where
            there is one, else train.
        batch_size: images per batch of the generator and of the backbone; by default as many as
            the device computes at once.
        monitor: name, in the `ranking` of a metric, of the value by which the best checkpoint is
            chosen; None chooses none.
        min_fakes: smallest accepted `num_fakes`.
        bfloat16: compute the features in bfloat16, which the stamp says.

    Attributes:
        prefix: of the name of every value.
        extras: what is known of the fakes besides labels: "target", "cycle".

    Raises:
        InputError: a metric needs a trained model, `monitor` is no value of the metrics, or a
            number is out of range.
    """

    def __init__(
        self,
        backbone: Backbone,
        metrics: Mapping[str, Metric],
        every: int,
        num_fakes: int,
        cache: str,
        split: str | None = None,
        batch_size: int | None = None,
        monitor: str | None = "fid",
        min_fakes: int = 1000,
        bfloat16: bool = False,
    ) -> None:
        backbone.in_bfloat16, self._device = bfloat16, torch.device("cpu")
        self.backbone, self.metrics = backbone, _feature_metrics(metrics)
        self.model_metrics = {n: m for n, m in metrics.items() if isinstance(m, ModelMetric)}
        self.every, self.num_fakes, self._batch_size = every, num_fakes, batch_size
        self.cache, self.min_fakes, self._split = Path(cache), min_fakes, split
        self.prefix, self.extras = backbone.name, frozenset[str]()
        self.monitor = f"{self.prefix}/{monitor}"
        self._check_numbers()
        self._check_monitor(monitor)
        self._dataset: ImageDataset | None = None

    @property
    def batch_size(self) -> int:
        """Return the images per batch on the device at hand."""
        given = self._batch_size
        return images_at_once(self._device) if given is None else given

    def use_direction(self, direction: str) -> None:
        """Put the direction of a translation before the name of every value."""
        monitor = self.monitor.removeprefix(self.prefix)
        self.prefix = f"{direction}/{self.prefix}"
        self.monitor = f"{self.prefix}{monitor}"

    def _check_numbers(self) -> None:
        """Refuse numbers out of range."""
        least = {"min_fakes": 2, "every": 0, "batch_size": 1}
        for name, limit in least.items():
            if getattr(self, name) < limit:
                raise InputError(
                    f"evaluation.{name}={getattr(self, name)}: give a number from {limit}"
                )
        if self.num_fakes < self.min_fakes:
            raise InputError(
                f"evaluation.num_fakes={self.num_fakes}: values of fewer than {self.min_fakes} "
                "images are not reliable; raise it, or lower evaluation.min_fakes"
            )

    def _check_monitor(self, monitor: str | None) -> None:
        """Refuse a monitor that is no value of the metrics."""
        if monitor is not None and self.monitor not in self.ranking:
            names = ", ".join(key.removeprefix(f"{self.prefix}/") for key in self.ranking)
            fault = f"is none of {names}" if names else "is not measured"
            remedy = "set it to one of these" if names else "set it to null"
            raise InputError(f"evaluation.monitor={monitor} {fault}: {remedy}")

    @property
    def ranking(self) -> dict[str, FeatureMetric | ModelMetric]:
        """Return the metric of each value by which models are ranked, by name: "domain/fid"."""
        every: list[FeatureMetric | ModelMetric] = [*self.metrics.values()]
        every += self.model_metrics.values()
        return {f"{self.prefix}/{key}": metric for metric in every for key in metric.ranking}

    @property
    def per_class(self) -> set[str]:
        """Return the names of values that there are for each class besides: "domain/recall"."""
        every = (*self.metrics.values(), *self.model_metrics.values())
        return {f"{self.prefix}/{name}" for metric in every for name in metric.per_class}

    @property
    def split(self) -> str:
        """Return the split of the real images, after `prepare`."""
        assert self._split is not None
        return self._split

    def split_of(self, dataset: ImageDataset) -> str:
        """Return the split of the real images of a data set.

        Raises:
            InputError: if it is none.
        """
        chosen = self._split
        if chosen is None:
            chosen = VALIDATION if has_split(dataset, VALIDATION) else "train"
        if chosen not in OTHER:
            raise InputError(f"evaluation.split={chosen}: give {', '.join(OTHER)}")
        return chosen

    @property
    def validates(self) -> bool:
        """Return whether images that are neither of training nor of test choose the best model."""
        return self.split == VALIDATION

    @property
    def untouched(self) -> bool:
        """Return whether there is a test split of other images than those of `split`."""
        dataset = self._prepared()
        if not has_split(dataset, TEST):
            return False
        return dataset.fingerprint(TEST) != dataset.fingerprint(self.split)

    def best_of(self, key: str) -> Callable[..., Any]:
        """Return the function that chooses the best value under a name: `min` or `max`."""
        return max if self.ranking[key].higher_is_better else min

    def prepare(self, dataset: ImageDataset, device: torch.device, labelled: bool = False) -> None:
        """Prepare the backbone and the statistics of real images, from the cache if possible.

        Args:
            dataset: of the real images.
            device: of the computation.
            labelled: whether the fakes will have labels.

        Raises:
            InputError: the weights of the backbone are not available, a split is absent, or a
                metric cannot be computed.
        """
        if self.backbone.in_bfloat16 and device.type == "cpu" and lacks_bfloat16():
            raise InputError(
                "evaluation.bfloat16=true: this CPU has no instructions for bfloat16, and the "
                "features would take longer: set it to false"
            )
        self._dataset, self._device = dataset, device
        self._split = self.split_of(dataset)
        splits = self._splits(dataset)
        for name, reason in self._incompatibilities(dataset, labelled).items():
            raise InputError(f"metrics: {name}: {reason}; leave {name} out")
        with processes.first_process_first():
            self.backbone.prepare(dataset, device)
        for metric in self.metrics.values():
            metric.to("cpu" if device.type in WITHOUT_FLOAT64 else device)
        for role, split in splits.items():
            self._statistics().load(self.metrics, role, split)
        self._warn_of_few_fakes()

    def _warn_of_few_fakes(self) -> None:
        """Warn of fewer fakes than features."""
        if self.num_fakes <= self.backbone.num_features:
            log.warning(
                "evaluation.num_fakes=%d is not above the %d features of %s: FID is biased "
                "upwards, compare it only at equal num_fakes",
                self.num_fakes,
                self.backbone.num_features,
                self.backbone.name,
            )

    def drop_incompatible(self, dataset: ImageDataset, labelled: bool) -> dict[str, str]:
        """Drop the metrics that cannot be computed, and return the reasons by name.

        Arguments as in `prepare`.
        """
        reasons = self._incompatibilities(dataset, labelled)
        self.metrics = {k: m for k, m in self.metrics.items() if k not in reasons}
        return reasons

    def _incompatibilities(self, dataset: ImageDataset, labelled: bool) -> dict[str, str]:
        """Return why metrics cannot be computed, by name."""
        other, reasons = OTHER[self.split_of(dataset)], {}
        names: dict[str, str] = {}  # of the metric that gives each value
        for name, metric in self.metrics.items():
            reason = metric.incompatibility(self.backbone, dataset, labelled)
            missing = ", ".join(sorted(metric.needs - self.extras))
            if missing:
                reason = f"the images have no {missing} to be compared with"
            if Role.UNSEEN in metric.real_states and not has_split(dataset, other):
                reason = f"{dataset.name} has no {other} split"
            for key in metric.ranking if reason is None else ():
                if names.setdefault(key, name) != name:
                    reason = f"{names[key]} gives {key} already"
            if reason is not None:
                reasons[name] = reason
        return reasons

    def measure(self, fakes: Iterable[Batch | Outputs], start: int = 0) -> dict[str, float]:
        """Return the metrics of generated images, such as {"domain/fid": 12.3}.

        Uses no global RNG.

        Args:
            fakes: `num_fakes` images over all processes, in batches (B, C, R, R) in [-1, 1] with
                the labels (B,) that they were conditioned on, or None, and perhaps more.
            start: index among all fakes of the first of this process.

        Raises:
            InputError: another number of images or another shape than expected, or values that are
                not finite or not in [-1, 1].
        """
        metrics, count = list(self.metrics.values()), SumMetric().to(self._device)
        for metric in metrics:
            metric.begin(self.num_fakes, start)
        fakes = self._check_fakes(fakes, start)
        features = self._feature_pass()
        count.update(features.update(metrics, Role.FAKE, fakes, self.num_fakes, "fakes"))
        self._check_count(int(count.compute()))
        return compute_all(metrics, self.prefix)

    def check_model(self, game: LatentGame, dataset: ImageDataset) -> None:
        """Refuse metrics of another model; leave out those that have no values, with a warning.

        Raises:
            InputError: with the reason.
        """
        for name, metric in [*self.model_metrics.items()]:
            reason = metric.absence(game, dataset)
            if reason is None:
                metric.check(game, dataset)
                continue
            if self.monitor.removeprefix(f"{self.prefix}/") in metric.ranking:
                raise InputError(f"evaluation.monitor={name}: {reason}: name another, or null")
            log.warning("%s is not measured: %s", name, reason)
            del self.model_metrics[name]

    def measure_model(self, game: LatentGame, seed: int) -> dict[str, float]:
        """Return the metrics of the model itself; call `prepare` before."""
        values: dict[str, float] = {}
        for metric in self.model_metrics.values():
            values |= metric.measure(game, self._prepared(), self.backbone, seed)
        return {f"{self.prefix}/{key}": value for key, value in values.items()}

    def baseline(self) -> dict[str, float] | None:
        """Return the metrics of the real images of the other split, as a reference; cached.

        Reads the whole split. Metrics that compare with that split anyway are left out. Returns
        None for data without another split.
        """
        dataset, other = self._prepared(), OTHER[self.split]
        if not has_split(dataset, other):
            return None
        metrics = {
            k: m
            for k, m in self.metrics.items()
            if Role.UNSEEN not in m.real_states and not m.needs
        }
        values = self._statistics().baseline(metrics, self.split, other)
        name = self.backbone.name
        return {f"{self.prefix}{key.removeprefix(name)}": v for key, v in values.items()}

    def stamp(self) -> Stamp:
        """Return the protocol of the values; values of other protocols do not compare.

        Call `prepare` before.
        """
        dataset = self._prepared()
        stamp = self.backbone.stamp() | {
            "real_data": dataset.name,
            "real_split": self.split,
            "real_count": len(dataset.split(self.split)),
            "real_fingerprint": dataset.fingerprint(self.split),
            "real_flip": "no",
            "num_fakes": self.num_fakes,
        }
        return stamp | self._settings()

    def protocols(self, stamp: Mapping[str, object]) -> dict[str, str]:
        """Return the short name of the protocol of each value of `ranking`.

        It does not depend on the other metrics.

        Args:
            stamp: of this evaluation, with further entries or not.
        """
        settings = self._settings()
        common = {key: value for key, value in stamp.items() if key not in settings}
        return {key: protocol(common | m.stamp()) for key, m in self.ranking.items()}

    def _settings(self) -> Stamp:
        """Return the settings of all metrics."""
        every = (*self.metrics.values(), *self.model_metrics.values())
        return {key: value for metric in every for key, value in metric.stamp().items()}

    def _feature_pass(self) -> FeaturePass:
        """Return a pass through the backbone."""
        return FeaturePass(self.backbone, self._device, self.batch_size)

    def _statistics(self) -> RealStatistics:
        """Return the statistics of the real images."""
        return RealStatistics(self._prepared(), self._feature_pass(), self.cache)

    def _check_fakes(
        self, fakes: Iterable[Batch | Outputs], position: int
    ) -> Iterator[Batch | Outputs]:
        """Yield the batches, and refuse images that do not compare with the real ones."""
        dataset = self._prepared()
        shape = (dataset.channels, dataset.resolution, dataset.resolution)
        for batch in fakes:
            images = batch[0]
            if images.shape[1:] != shape:
                raise InputError(
                    f"generated images are {tuple(images.shape[1:])} and {dataset.name} is {shape};"
                    " give model and data the same channels and resolution"
                )
            _check_values(images)
            position += len(images)
            self._check_count(max(position, self.num_fakes))
            yield batch

    def _check_count(self, count: int) -> None:
        """Refuse another number of fakes than `num_fakes`."""
        if count != self.num_fakes:
            raise InputError(
                f"{count} generated images, but evaluation.num_fakes={self.num_fakes}: give as many"
            )

    def _prepared(self) -> ImageDataset:
        """Return the data set, after `prepare`."""
        if self._dataset is None:
            raise RuntimeError("call Evaluation.prepare before")
        return self._dataset

    def _splits(self, dataset: ImageDataset) -> dict[Role, str]:
        """Return the split of each role that a metric reads."""
        _check_split(dataset, self.split)
        splits = {Role.REAL: self.split}
        if any(Role.UNSEEN in metric.real_states for metric in self.metrics.values()):
            splits[Role.UNSEEN] = OTHER[self.split]
        return splits


def protocol(stamp: Mapping[str, object]) -> str:
    """Return the short name of a stamp, 8 hexadecimal digits, equal for all sampling seeds."""
    return cache.key(sorted((k, v) for k, v in stamp.items() if k != SEED))[:8]


def _feature_metrics(metrics: Mapping[str, Metric]) -> dict[str, FeatureMetric]:
    """Return the metrics, and refuse those that need a trained model."""
    chosen = {name: m for name, m in metrics.items() if isinstance(m, FeatureMetric)}
    late = {n: m for n, m in metrics.items() if isinstance(m, ModelMetric) and not m.in_training}
    names = ",".join(late)
    if names:
        raise InputError(
            f"metrics: {names} cannot be measured in training: leave it out, and measure it after "
            f"training by python -m gan evaluate run=DIR metrics=[{names}]"
        )
    return chosen


def _check_split(dataset: ImageDataset, split: str) -> None:
    """Refuse a split that is absent or has fewer than two images."""
    try:
        count = len(dataset.split(split))
    except ValueError as error:
        other = OTHER[split]
        remedy = f"; set evaluation.split={other}" if _has_split(dataset, other) else ""
        raise InputError(f"{dataset.name} has no {split} split ({error}){remedy}") from error
    if count < 2:
        images = counts.show(count, "image")
        raise InputError(f"{dataset.name}/{split} has {images}; metrics need 2")


def _has_split(dataset: ImageDataset, split: str) -> bool:
    """Return whether a data set has images in a split."""
    try:
        return len(dataset.split(split)) > 0
    except ValueError:
        return False


def _check_values(images: Tensor) -> None:
    """Refuse values that are not finite, or mostly outside [-1, 1]."""
    if not torch.isfinite(images).all():
        raise InputError(
            "generated images hold values that are not finite: training has diverged; "
            "lower the learning rate, or choose a precision of a larger range"
        )
    if (images.abs() > 1).float().mean() > 0.5:
        raise InputError(
            f"generated images reach from {images.min():.3g} to {images.max():.3g}, most of them "
            "outside [-1, 1]: end the generator with a tanh, or scale its images"
        )
