"""Classes of images, as a run's classifier tells them."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import MISSING

from gan.commands.keys import dotted
from gan.commands.paths import new_folder_path, source_path
from gan.errors import InputError
from gan.runs.folder import check_run

if TYPE_CHECKING:
    from gan.runs.classification import Predictions

_FOLDER = "classes"  # in the run folder
_SPLITS = ("train", "test", "validation")


@dataclass
class ClassifyOptions:
    """Settings of ``ganymede classify``.

    Attributes:
        run: the run folder of a model that classifies.
        images: folder or zip file of pictures, or one picture; they are cropped and resized as
            images for training. In folders named after the classes they have labels.
        split: instead, a split of the run's data: "train", "test" or "validation".
        out: new folder for ``predictions.csv`` and, where there are labels, ``confusion.png`` and
            ``confusion.json``; by default ``classes`` in the run folder, whose files are replaced.
        checkpoint: "best" or "last"; by default the best if there is one.
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        data_root: where the data are now; by default where they were.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    images: str | None = None
    split: str | None = None
    out: str | None = None
    checkpoint: str | None = None
    device: str | None = None
    data_root: str | None = dotted("data.root")
    allow_targets: list[str] = field(default_factory=list)


def classify(options: ClassifyOptions) -> None:
    """Tell the class of each image, and where they have labels how often it is right."""
    out = new_folder_path(options.out) if options.out else Path(options.run) / _FOLDER
    _check(options)
    images = None if options.images is None else source_path(options.images, out)
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.devices import find_device
    from gan.runs.classification import RunClassifier
    from gan.runs.folder import open_run

    run = open_run(options.run, options.allow_targets)
    classifier = RunClassifier(run, options.checkpoint, find_device(options.device))
    if images is not None:
        predictions = classifier.classify_pictures(images)
    else:
        assert options.split is not None
        predictions = classifier.classify_split(options.split, options.data_root)
    _write(out, predictions)


def _check(options: ClassifyOptions) -> None:
    """Refuse settings that are unknown or do not go together."""
    if (options.images is None) == (options.split is None):
        raise InputError("images: name a folder, or by split=test a split of the run's data")
    if options.split is not None and options.split not in _SPLITS:
        raise InputError(f"split={options.split}: give {', '.join(_SPLITS)}")
    if options.images is not None and options.data_root is not None:
        raise InputError("data.root: it is that of split=: leave it out")


def _write(out: Path, predictions: "Predictions") -> None:
    """Write the predictions and, with labels, the confusion matrix; print where they are."""
    from gan import records
    from gan.commands.confusion import Confusion
    from gan.files import replacement

    with (
        replacement(out / "predictions.csv") as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        csv.writer(file).writerows([("file", "class", "probability"), *predictions.rows()])
    written, lines = [out / "predictions.csv"], list(predictions.found)
    for stale in (out / "confusion.png", out / "confusion.json"):
        stale.unlink(missing_ok=True)
    if predictions.labels is not None:
        confusion = Confusion.of(predictions.labels, predictions.classes, predictions.names)
        with replacement(out / "confusion.png") as part:
            confusion.picture().save(part, "PNG")
        content = {"classifier": predictions.classifier, **confusion.content()}
        records.write(out / "confusion.json", content)
        written += [out / "confusion.png", out / "confusion.json"]
        lines.append(
            f"accuracy {confusion.accuracy:.2%} of {len(predictions.classes):,} images, by the "
            f"{predictions.classifier}"
        )
    print(*lines, *written, sep="\n")
