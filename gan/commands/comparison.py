"""Metrics of a set of generated images against a set of real images, without a run."""

import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf, open_dict
from rich.console import Console

from gan import counts, records
from gan.commands.evaluate import (
    EvaluateOptions,
    check_protocol,
    compose_protocol,
    make_evaluation,
    protocol_line,
    value_table,
)
from gan.devices import find_device
from gan.errors import InputError
from gan.runs.evaluations import Spread
from gan.settings.cache import cache_folder
from gan.settings.composing import compose
from gan.settings.groups import options as members
from gan.settings.names import nearest
from gan.settings.trust import build

if TYPE_CHECKING:
    from gan.backbones.dataset import ImageDataset
    from gan.metrics.base import Metric
    from gan.metrics.evaluation import Evaluation

_FOR_RUNS = ("n", "seeds", "checkpoints", "truncation", "standing", "psi")
_FOR_NAMES = ("split", "data_root")
_NAMELESS = ("image_folder", "unpaired", "paired")  # of conf/data; a folder is named itself
_SPLIT = "train"  # of a set, with all its images
_FILES = "datamodules.image_set.FileSet"
_SETS = {".npz": "datamodules.image_set.ArraySet"}  # by the ending of a file


@dataclass
class Comparison:
    """The values of a set of generated images.

    Attributes:
        real: the real images, as they were named.
        fake: the generated images, as they were named.
        fake_fingerprint: SHA-256 of the generated images.
        protocol: short name of the stamp.
        stamp: what the values depend on besides the generated images.
        protocols: short name of the protocol of each value that ranks models.
        values: by name.
        baseline: the same of unseen real images, where there are any.
        seconds: run time.
    """

    real: str
    fake: str
    fake_fingerprint: str
    protocol: str
    stamp: dict[str, Any]
    protocols: dict[str, str]
    values: dict[str, float]
    baseline: dict[str, float]
    seconds: float


def compare(options: EvaluateOptions) -> None:
    """Print the metrics of the images ``fake`` against ``real``, and write them as JSON."""
    _check(options)
    config = compose_protocol(options, str(cache_folder()))
    metrics: dict[str, Metric] = {name: build(node) for name, node in config.metrics.items()}
    _check_metrics(options, metrics)
    reals, fakes = (_named if _is_named(options) else _unnamed)(options)
    count = len(fakes.split(_SPLIT))
    if count < options.min_fakes:
        images = counts.show(count, "image")
        raise InputError(
            f"fake={options.fake}: {images}, and values of fewer than {options.min_fakes} "
            f"are not reliable: add images, or min_fakes={count}"
        )
    evaluation = make_evaluation(options, config, metrics, count)
    if options.metrics is None:
        for name, reason in evaluation.drop_incompatible(reals, labelled=False).items():
            print(f"left out: {name}: {reason}")
    result = _measure(options, evaluation, reals, fakes)
    _show(result)
    if options.out is not None:
        records.write(Path(options.out), asdict(result))
        print(f"written: {options.out}")


def _is_named(options: EvaluateOptions) -> bool:
    """Return whether the real images are a data set by name."""
    return options.real in members("data") and options.real not in _NAMELESS


def _check(options: EvaluateOptions) -> None:
    """Refuse what is missing, or does not go with two sets of images."""
    if options.real is None and options.fake is None:
        raise InputError(
            "evaluate: run is not set: add run=... to the command, or real=... and fake=... to "
            "measure images"
        )
    check_protocol(options)
    defaults = EvaluateOptions()
    for name in (*_FOR_RUNS, *(() if _is_named(options) else _FOR_NAMES)):
        if getattr(options, name) != getattr(defaults, name):
            key = {f.name: f.metadata.get("key", f.name) for f in fields(options)}[name]
            kind = "run=" if name in _FOR_RUNS else "a data set by name"
            raise InputError(f"{key}: it is for {kind}: leave it out")
    if options.resolution is not None and options.resolution < 1:
        raise InputError(f"resolution={options.resolution}: give a number of pixels from 1")
    if options.out is not None and Path(options.out).suffix != ".json":
        raise InputError(f"out={options.out}: give a name that ends in .json")
    _check_places(options)


def _check_places(options: EvaluateOptions) -> None:
    """Refuse images that are not there, and a backbone that they cannot have."""
    for key in ("real", "fake"):
        place = getattr(options, key)
        if place is None:
            raise InputError(f"{key} is not set: add {key}=... to the command")
        if key == "real" and _is_named(options):
            continue
        if not Path(place).expanduser().exists():
            known = [name for name in members("data") if name not in _NAMELESS]
            hint = f", and no data set: {nearest(place, known)}" if key == "real" else ""
            raise InputError(f"{key}={place}: no such folder, zip or .npz file{hint}")
    if not _is_named(options) and options.backbone in (None, "domain"):
        raise InputError(
            f"backbone: domain learns from labels, and real={options.real} has none: add "
            "backbone=inception, or backbone=squeezenet weights=FILE"
        )


def _check_metrics(options: EvaluateOptions, metrics: "dict[str, Metric]") -> None:
    """Refuse metrics of a model that were asked for."""
    from gan.metrics.model_metric import ModelMetric

    for name, metric in metrics.items():
        if options.metrics is not None and isinstance(metric, ModelMetric):
            raise InputError(f"metrics: {name} is of a model, not of images: give run=DIR for it")


def _images(root: str, resolution: int | None, channels: int, exact: bool) -> Any:
    """Return a set of images of files."""
    node = {"_target_": _SETS.get(Path(root).suffix, _FILES), "root": root}
    return build(
        OmegaConf.create({**node, "resolution": resolution, "channels": channels, "exact": exact})
    )


def _named(options: EvaluateOptions) -> "tuple[ImageDataset, ImageDataset]":
    """Return a data set by name, and the generated images in its format."""
    node = compose([f"data={options.real}"]).data
    with open_dict(node):
        if options.data_root is not None:
            node.root = str(Path(options.data_root).expanduser().absolute())
        node.resolution = options.resolution or node.resolution
    reals: ImageDataset = build(node)
    if reals.resolution == 1:
        raise InputError(f"real={options.real}: it holds points: name a data set of images")
    size = (reals.resolution, reals.channels, options.resolution is None)
    return reals, _images(str(options.fake), *size)


def _unnamed(options: EvaluateOptions) -> "tuple[ImageDataset, ImageDataset]":
    """Return two sets of files as colour images, by default of the size of the generated ones."""
    exact = options.resolution is None
    fakes = _images(str(options.fake), options.resolution, 3, exact)
    return _images(str(options.real), fakes.resolution, 3, exact), fakes


def _measure(
    options: EvaluateOptions, evaluation: "Evaluation", reals: "ImageDataset", fakes: "ImageDataset"
) -> Comparison:
    """Return the values of the generated images."""
    from gan.metrics.evaluation import protocol

    start = time.perf_counter()
    evaluation.prepare(reals, find_device(options.device))
    values = evaluation.measure(fakes.reals(_SPLIT, evaluation.batch_size))
    stamp: dict[str, Any] = {**evaluation.stamp()}
    if options.resolution is not None:
        stamp["images"] = f"resized to {options.resolution} pixels"
    return Comparison(
        real=str(options.real),
        fake=str(options.fake),
        fake_fingerprint=fakes.fingerprint(_SPLIT),
        protocol=protocol(stamp),
        stamp=stamp,
        protocols=evaluation.protocols(stamp),
        values=values,
        baseline=evaluation.baseline() or {},
        seconds=time.perf_counter() - start,
    )


def _show(result: Comparison) -> None:
    """Print a table of the values, and the protocol."""
    column = {name: Spread.of([value]) for name, value in result.values.items()}
    Console().print(value_table(f"against {result.real}", {result.fake: column}, result.baseline))
    line = protocol_line(result.protocol, result.stamp)
    print(line)
