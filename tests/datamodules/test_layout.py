import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.errors import DataError
from datamodules.image_files import ImageSource, ZipSource
from datamodules.image_folder import ImageFolder
from datamodules.layout import Layout, LayoutReader

Labels = dict[str, list[str]]


class Listing(ImageSource):
    """Files by name, of which none is an image that could be decoded."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(Path("root"))
        self.content = dict(files)

    def _all_files(self) -> list[str]:
        return list(self.content)

    def size(self, name: str) -> int:
        return len(self.content[name])

    def read(self, name: str) -> bytes:
        return self.content[name]

    def stamp(self, name: str) -> str:
        return ""


def layout(files: str, texts: Mapping[str, str] | None = None, **options: Any) -> Layout:
    """Return the layout of images "a/{0-9}" that braces expand, and of text files."""
    names = [name for pattern in files.split() for name in expanded(pattern)]
    listing = dict.fromkeys(names, b"") | {k: t.encode() for k, t in (texts or {}).items()}
    return LayoutReader(Listing(listing), **options).read()


def expanded(pattern: str) -> list[str]:
    head, star, count = pattern.partition("*")
    return [f"{head}{i:03}.png" for i in range(int(count))] if star else [pattern]


def dataset_json(*pairs: tuple[str, object]) -> dict[str, str]:
    return {"dataset.json": json.dumps({"labels": [list(pair) for pair in pairs]})}


SPLITS = {
    "train and test": ("train/a/*3 test/a/*2", {"train": 3, "test": 2}),
    "training, testing": ("training/*3 testing/*2", {"train": 3, "test": 2}),
    "capitals": ("Train/a/*3 TEST/a/*2", {"train": 3, "test": 2}),
    "train and val": ("train/a/*3 val/a/*2", {"train": 3, "validation": 2, "test": 2}),
    "valid": ("train/*3 valid/*2", {"train": 3, "validation": 2, "test": 2}),
    "dev": ("train/*3 dev/*2 test/*4", {"train": 3, "validation": 2, "test": 4}),
    "all three": ("train/*3 Validation/*2 test/*4", {"train": 3, "validation": 2, "test": 4}),
    "in a wrapper": ("data/train/a/*3 data/test/a/*2", {"train": 3, "test": 2}),
    "in two wrappers": ("x/y/train/*3 x/y/val/*1", {"train": 3, "validation": 1, "test": 1}),
    "train alone": ("train/a/*40 train/b/*40", None),
    "no splits": ("a/*40 b/*40", None),
    "flat": ("*80", None),
}


@pytest.mark.parametrize("name", SPLITS)
def test_splits(name: str) -> None:
    files, expected = SPLITS[name]
    splits = layout(files).splits
    if expected is not None:
        assert {split: len(names) for split, names in splits.items()} == expected
    else:
        assert set(splits) == {"train", "test"}
        assert not {*splits["train"]} & {*splits["test"]}
        assert len(splits["train"]) + len(splits["test"]) == 80
        assert 2 <= len(splits["test"]) <= 16


CLASSES: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "folders": ("cat/*2 dog/*2", {}, ("cat", "dog")),
    "below splits": ("train/cat/*2 train/dog/*2 val/cat/*1", {}, ("cat", "dog")),
    "deep folders": ("cat/2020/*2 dog/2021/*2", {}, ("cat", "dog")),
    "in a wrapper": ("pets/cat/*2 pets/dog/*2", {}, ("cat", "dog")),
    "one folder": ("cat/*3", {}, ()),
    "no folder": ("*3", {}, ()),
    "numbers": ("10/*1 9/*1 100/*1", {}, ("9", "10", "100")),
    "numbers and words": ("10/*1 9/*1 x/*1", {}, ("10", "9", "x")),
    "hidden": ("cat/*2 dog/*2 .thumbs/*2 __MACOSX/cat/*1", {}, ("cat", "dog")),
    "dataset.json": (
        "00000/*2 00001/*1",
        dataset_json(("00000/000.png", 2), ("00000/001.png", 10), ("00001/000.png", 2)),
        ("2", "10"),
    ),
    "dataset.json of a mapping": (
        "00000/*2",
        {"dataset.json": '{"labels": {"00000/000.png": 0, "00000/001.png": 1}}'},
        ("0", "1"),
    ),
    "dataset.json without labels": ("00000/*2 00001/*2", {"dataset.json": '{"labels": null}'}, ()),
    "dataset.json in a wrapper": (
        "set/00000/*2",
        {"set/dataset.json": '{"labels": [["00000/000.png", 0], ["00000/001.png", 1]]}'},
        ("0", "1"),
    ),
    "dataset.json with backslashes": (
        "00000/*1",
        {"dataset.json": json.dumps({"labels": [["00000\\000.png", 4]]})},
        ("4",),
    ),
    "labels.csv": ("*2", {"labels.csv": "file,label\n000.png,cat\n001.png,dog\n"}, ("cat", "dog")),
    "labels.csv, other heads": (
        "*2",
        {"labels.csv": "\ufeffid,Filename, Class\n1,000.png,9\n2,./001.png,10\n"},
        ("9", "10"),
    ),
    "labels.csv with folders": (
        "a/*1 b/*1",
        {"labels.csv": "file,label\na/000.png,x\nb/000.png,y\n"},
        ("x", "y"),
    ),
    "labels.csv in each split": (
        "train/*2 test/*1",
        {
            "train/labels.csv": "file,label\n000.png,x\n001.png,y\n",
            "test/labels.csv": "file,label\n000.png,y",
        },
        ("x", "y"),
    ),
    "labels.csv beside the splits": (
        "train/*2 test/*1",
        {"labels.csv": "file,label\ntrain/000.png,x\ntrain/001.png,y\ntest/000.png,y\n"},
        ("x", "y"),
    ),
}


@pytest.mark.parametrize("name", CLASSES)
def test_classes(name: str) -> None:
    files, texts, expected = CLASSES[name]
    found = layout(files, texts)
    assert found.class_names == expected
    images = {name for names in found.splits.values() for name in names}
    assert set(found.labels) == (images if expected else set())
    unlabelled = layout(files, texts, labelled=False)
    assert (unlabelled.class_names, unlabelled.labels) == ((), {})


def test_labels_are_those_of_the_file_not_of_the_folders() -> None:
    texts = dataset_json(("00000/000.png", 7), ("00000/001.png", 3), ("00001/000.png", 7))
    found = layout("00000/*2 00001/*1", texts)
    assert found.class_names == ("3", "7")
    assert found.labels == {"00000/000.png": 1, "00000/001.png": 0, "00001/000.png": 1}
    assert "labels from dataset.json" in found.found


AMBIGUOUS: dict[str, tuple[str, dict[str, str], str]] = {
    "a class of the test split alone": (
        "train/a/*2 train/b/*1 test/c/*1",
        {},
        "no training image is of class c",
    ),
    "a split beside a class": ("train/*2 cat/*2", {}, "train stands beside the folder cat"),
    "a split beside images": ("train/*2 *2", {}, "train stands beside images in no folder"),
    "a class called test": ("test/*2 exam/*2", {}, "test stands beside the folder exam"),
    "test without train": ("test/a/*2 val/a/*2", {}, "has test and val but no train"),
    "two validation splits": ("train/*1 val/*1 dev/*1", {}, "are both the validation split"),
    "two spellings": ("train/*1 Train/*1", {}, "are both the train split"),
    "two domains": ("trainA/*1 trainB/*1 testA/*1", {}, "choose data.domain=A or B"),
    "a domain beside a split": ("trainA/*1 val/*1", {}, "choose data.domain=A or B"),
    "images beside classes": ("cat/*2 dog/*2 *1", {}, "000.png: is in no class folder"),
    "an image without label": ("*2", dataset_json(("000.png", 1)), "001.png: has no label in"),
    "a label without image": ("*1", dataset_json(("000.png", 1), ("b.png", 1)), "names b.png"),
    "a vector for a label": ("*1", dataset_json(("000.png", [0, 1])), "give a whole number"),
    "a word for a label": ("*1", dataset_json(("000.png", "cat")), "give a whole number"),
    "no JSON": ("*1", {"dataset.json": "{"}, 'is no {"labels"'),
    "another JSON": ("*1", {"dataset.json": '{"labels": [1]}'}, 'is no {"labels"'),
    "no head": ("*1", {"labels.csv": "000.png,cat\n"}, "its first line must be file,label"),
    "an empty table": ("*1", {"labels.csv": ""}, "its first line must be file,label"),
    "a short line": ("*1", {"labels.csv": "file,label\n000.png\n"}, "line 2: has 1 columns"),
    "two labels": (
        "*1",
        {"labels.csv": "file,label\n000.png,a\n000.png,b\n"},
        "line 3: 000.png has two labels",
    ),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_is_ambiguous_is_refused(name: str) -> None:
    files, texts, words = AMBIGUOUS[name]
    with pytest.raises(DataError) as caught:
        layout(files, texts)
    assert words in str(caught.value)
    assert str(caught.value).startswith("root")


def test_labels_are_wanted_but_there_are_none() -> None:
    with pytest.raises(DataError, match="is in no class folder"):
        layout("*3", labelled=True)
    with pytest.raises(DataError, match=r"dataset\.json has no labels"):
        layout("*3", {"dataset.json": '{"labels": null}'}, labelled=True)
    assert layout("cat/*3", labelled=True).class_names == ("cat",)


def test_folders_named_like_splits_may_be_classes() -> None:
    assert layout("dev/*9 ops/*9", split_folders=False).class_names == ("dev", "ops")
    assert layout("train/*9 test/*9", split_folders=False).class_names == ("test", "train")


def test_one_of_two_domains() -> None:
    files = "horses/trainA/*3 horses/trainB/*4 horses/testA/*1 horses/testB/*2 horses/valB/*1"
    first, second = layout(files, domain="A"), layout(files, domain="B")
    assert {k: len(v) for k, v in first.splits.items()} == {"train": 3, "test": 1}
    counts = {"train": 4, "test": 2, "validation": 1}
    assert {k: len(v) for k, v in second.splits.items()} == counts
    assert first.class_names == ()


def test_new_images_move_no_others() -> None:
    before = layout("cat/*150 dog/*40")
    after = layout("cat/*200 dog/*60 fox/*30")
    for split, names in before.splits.items():
        assert set(names) <= set(after.splits[split])


def test_a_wrapper_moves_no_image() -> None:
    plain, wrapped = layout("cat/*150 dog/*40"), layout("set/cat/*150 set/dog/*40")
    assert [f"set/{name}" for name in plain.splits["test"]] == wrapped.splits["test"]


def test_a_tenth_of_each_class_is_held_out() -> None:
    splits = layout("cat/*1000 dog/*1000").splits
    for name in ("cat", "dog"):
        held = [image for image in splits["test"] if image.startswith(name)]
        assert 70 <= len(held) <= 130


def test_a_class_of_one_image_stays_in_training() -> None:
    singles = " ".join(f"class{k}/*1" for k in range(60))
    assert layout(singles).splits["test"] == []
    pairs = layout(" ".join(f"class{k}/*2" for k in range(60)))
    assert {name.split("/")[0] for name in pairs.splits["train"]} == set(pairs.class_names)


def test_a_validation_split_is_cut_from_the_training_images() -> None:
    whole, cut = layout("cat/*500 dog/*500"), layout("cat/*500 dog/*500", validation=0.2)
    assert whole.splits["test"] == cut.splits["test"]
    parts = [*cut.splits["train"], *cut.splits["validation"]]
    assert sorted(parts) == whole.splits["train"]
    assert 140 <= len(cut.splits["validation"]) <= 220
    given = layout("train/*9 val/*3", validation=0.5)
    assert len(given.splits["train"]) == 9


def picture(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), value, dtype=np.uint8)).save(path)


def module(root: Path, **options: Any) -> ImageFolder:
    facts: dict[str, Any] = {"channels": 3, "resolution": 8, "batch_size": 1, "workers": 0}
    return ImageFolder(root=str(root), **facts, **options)


def pixels(data: ImageFolder, split: str) -> list[tuple[int, int]]:
    """Return the value and the label of each image."""
    held = data.split(split)
    values = held.images(torch.arange(len(held)))[:, 0, 0, 0].tolist()
    assert held.labels is not None
    return list(zip(values, held.labels.tolist(), strict=True))


@pytest.mark.parametrize("zipped", [False, True])
def test_images_get_the_labels_of_dataset_json(tmp_path: Path, zipped: bool) -> None:
    names = [f"{i // 20:05}/img{i:08}.png" for i in range(40)]
    for i, name in enumerate(names):
        picture(tmp_path / "set" / name, i)
    labels = {"labels": [[name, i % 3] for i, name in enumerate(names)]}
    (tmp_path / "set" / "dataset.json").write_text(json.dumps(labels))
    root = tmp_path / "set"
    if zipped:
        root = tmp_path / "set.zip"
        with zipfile.ZipFile(root, "w") as archive:
            for path in (tmp_path / "set").rglob("*.*"):
                archive.write(path, str(path.relative_to(tmp_path / "set")).replace("/", "\\"))
    data = module(root)
    assert (data.num_classes, data.class_names) == (3, ("0", "1", "2"))
    found = sorted([*pixels(data, "train"), *pixels(data, "test")])
    assert found == [(i, i % 3) for i in range(40)]
    data = module(root, num_classes=3)
    assert data.split("train").num_classes == 3
    with pytest.raises(DataError, match=r"data\.num_classes=2 .* set data\.num_classes=3"):
        module(root, num_classes=2).split("train")


def test_names_in_a_zip_may_have_backslashes(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a\\b\\1.png", b"x")
        archive.writestr("a/2.png", b"y")
        archive.writestr("__MACOSX/a/2.png", b"z")
    source = ZipSource(tmp_path / "x.zip")
    assert source.names() == ["a/2.png", "a/b/1.png"]
    assert source.read("a/b/1.png") == b"x"


def test_the_validation_split_is_no_training_data(tmp_path: Path) -> None:
    for i, name in enumerate(["train/a/1", "train/b/2", "val/a/3", "val/b/4"]):
        picture(tmp_path / f"{name}.png", i)
    data = module(tmp_path)
    assert data.splits == ("train", "validation", "test")
    assert pixels(data, "train") == [(0, 0), (1, 1)]
    assert pixels(data, "validation") == pixels(data, "test") == [(2, 0), (3, 1)]


def test_options_out_of_their_range(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 0)
    with pytest.raises(DataError, match=r"data\.crop=round: give centre or pad or stretch"):
        module(tmp_path, crop="round")
    with pytest.raises(DataError, match=r"data\.background=sky: give a colour"):
        module(tmp_path, background="sky")
    with pytest.raises(DataError, match=r"data\.domain=C: give A or B"):
        module(tmp_path, domain="C")
    with pytest.raises(DataError, match=r"data\.validation=1\.5: give a share"):
        module(tmp_path, validation=1.5)
