import csv
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

import gan
from gan.commands import classify as commands
from gan.commands.confusion import Confusion
from gan.commands.main import dispatch
from gan.commands.train import train
from gan.errors import InputError
from gan.runs.classification import labels_of_folders
from gan.runs.folder import Run
from tests.conftest import composing

FEW = ["model=semi_supervised", "data=digits", "steps=60", "batch_size=30", "size=tiny"]
FEW += ["data.resolution=8"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with a run that classifies, and one that does not."""
    place = tmp_path_factory.mktemp("classify")
    with composing(place) as config:
        train(config(*FEW, f"run_dir={place / 'few'}"))
        train(config("model=mlp", "size=tiny", "steps=1", f"run_dir={place / 'plain'}"))
        yield place


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_split_has_predictions_accuracy_and_a_confusion_matrix(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dispatch(["classify", f"run={runs / 'few'}", "split=test", f"out={tmp_path / 'out'}"])
    shown = capsys.readouterr().out
    told, game = rows(tmp_path / "out/predictions.csv"), gan.load(runs / "few")
    content = json.loads((tmp_path / "out/confusion.json").read_text())
    counts = torch.tensor(content["confusion"])
    images, labels = next(Run(runs / "few").data().reals("test", 1000))
    logits = game.classify(images)
    assert [row["file"] for row in told] == [f"test/{k}" for k in range(len(images))]
    assert [int(row["class"]) for row in told] == logits.argmax(1).tolist()
    largest = logits.softmax(1).amax(1)
    assert [float(row["probability"]) for row in told] == pytest.approx(largest.tolist(), abs=1e-5)
    hits = float((logits.argmax(1) == labels).double().mean())
    assert content["accuracy"] == pytest.approx(hits)
    assert 0.2 < hits < 1
    assert counts.sum(1).tolist() == torch.bincount(labels, minlength=10).tolist()
    assert content["classifier"] == "averaged discriminator"
    assert f"accuracy {hits:.2%} of 360 images, by the averaged discriminator" in shown
    assert min(Image.open(tmp_path / "out/confusion.png").size) > 200


def test_pictures_in_folders_of_classes_have_labels(runs: Path, tmp_path: Path) -> None:
    for name in ("3", "7"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("L", (12, 12), 40).save(tmp_path / "pictures" / name / "a.png")
    dispatch(["classify", f"run={runs / 'few'}", f"images={tmp_path / 'pictures'}"])
    out = runs / "few" / "classes"
    assert [row["file"] for row in rows(out / "predictions.csv")] == ["3/a.png", "7/a.png"]
    counts = json.loads((out / "confusion.json").read_text())["confusion"]
    assert [sum(row) for row in counts] == [0, 0, 0, 1, 0, 0, 0, 1, 0, 0]
    dispatch(["classify", f"run={runs / 'few'}", f"images={tmp_path / 'pictures/3/a.png'}"])
    assert len(rows(out / "predictions.csv")) == 1
    assert not (out / "confusion.json").exists()  # of other images


def test_labels_are_the_innermost_folders() -> None:
    names = ["cat", "7", "dog"]
    labels = labels_of_folders(["x/cat/1.png", "7/2.png", "2/3.png"], names)
    assert labels is not None
    assert labels.tolist() == [0, 1, 2]
    assert labels_of_folders(["cat/1.png", "mouse/2.png"], names) is None
    assert labels_of_folders(["1.png"], names) is None


def test_the_counts_and_the_picture_of_a_confusion_matrix() -> None:
    labels, told = torch.tensor([0, 0, 0, 0, 1, 2]), torch.tensor([0, 0, 0, 1, 1, 0])
    confusion = Confusion.of(labels, told, ["cat", "a dog of a long and sad name", "owl", "none"])
    assert confusion.counts.tolist() == [[3, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    content = confusion.content()
    assert content["accuracy"] == pytest.approx(4 / 6)
    assert content["class_accuracy"] == [0.75, 1.0, 0.0, None]
    picture = confusion.picture()
    colours = {colour for _, colour in picture.getcolors(10_000) or []}
    assert (31, 119, 180) in colours  # a whole row
    assert (87, 153, 199) in colours  # three of four
    many = Confusion.of(torch.tensor([0]), torch.tensor([299]), [str(k) for k in range(300)])
    assert many.picture().getpixel((299 * 4 + 1, 1)) == (31, 119, 180)
    assert many.picture().getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("labelled", [True, False])
def test_what_is_written_is_listed(
    labelled: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, names = torch.tensor([1, 0]), ["cat", "dög"]
    predictions: Any = SimpleNamespace(
        found=["cropped"],
        labels=one if labelled else None,
        classes=torch.tensor([1, 1]),
        names=names,
        classifier="CLASSIFIER",
        rows=lambda: [("a.png", "dög", 0.5), ("b.png", "dög", 0.75)],
    )
    commands._write(tmp_path, predictions)
    table = tmp_path / "predictions.csv"
    lines = table.read_bytes().decode().split("\r\n")
    assert lines == ["file,class,probability", "a.png,dög,0.5", "b.png,dög,0.75", ""]
    more = [tmp_path / "confusion.png", tmp_path / "confusion.json"] if labelled else []
    said = ["accuracy 50.00% of 2 images, by the CLASSIFIER"] if labelled else []
    shown = capsys.readouterr().out.splitlines()
    assert shown == ["cropped", *said, str(table), *map(str, more)]
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in (table, *more)}
    if labelled:
        with Image.open(more[0]) as picture:
            assert picture.format == "PNG"
        assert json.loads(more[1].read_text())["confusion"] == [[0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("run", "given", "words"),
    [
        ("plain", ["split=test"], "its GAN has no classifier: train model=acgan"),
        ("few", [], "name a folder, or by split=test"),
        ("few", ["split=test", "images=x"], "name a folder, or by split=test"),
        ("few", ["split=best"], "split=best: give train, test, validation"),
        ("few", ["split=validation"], "digits has none"),
        ("few", ["images=nowhere"], "no such folder"),
        ("few", ["images=.", "data.root=x"], "leave it out"),
        ("few", ["split=test", "out=tests"], "files are in it already"),
    ],
)
def test_what_cannot_be_classified(runs: Path, run: str, given: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        dispatch(["classify", f"run={runs / run}", *given])
