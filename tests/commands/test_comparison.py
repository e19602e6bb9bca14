import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import squeezenet1_1

from datamodules.digits import Digits
from gan.commands.main import dispatch
from gan.errors import InputError
from tests.commands.test_evaluate import SMALL, trained

FEW = ["min_fakes=2", "batch_size=50"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of an unconditional model of digits."""
    return trained(tmp_path_factory.mktemp("comparison"))


@pytest.fixture(scope="module")
def classifier(run: Path) -> str:
    """Return the settings of the classifier of digits of the run."""
    (path,) = (run.parent / "cache").glob("domain-*.pt")
    return f"weights={path}"


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the settings of a backbone that needs no labels, of random weights."""
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pt"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(squeezenet1_1(weights=None).state_dict(), path)
    return ["backbone=squeezenet", f"weights={path}", "metrics=[fid,kid]"]


def compare(folder: Path, *given: str) -> dict[str, Any]:
    """Return what the command writes."""
    out = folder / "values.json"
    dispatch(["evaluate", *FEW, f"out={out}", *given])
    content: dict[str, Any] = json.loads(out.read_text())
    return content


def test_files_of_a_run_have_the_values_of_the_run(
    run: Path, classifier: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dispatch(["evaluate", f"run={run}", *SMALL, "seeds=1", "checkpoints=[last]"])
    record = json.loads((run / "evaluation.json").read_text())["records"][-1]
    dispatch(["sample", f"run={run}", "n=60", "checkpoint=last", f"out={tmp_path / 'fakes'}"])
    capsys.readouterr()
    found = compare(tmp_path, "real=digits", f"fake={tmp_path / 'fakes'}", classifier)
    names = {"domain/fid", "domain/is", "domain/kid", "domain/recall", "domain/copying_z"}
    assert names <= found["values"].keys()
    assert found["values"] == pytest.approx(record["values"], rel=1e-4, abs=1e-6)
    same = ("backbone", "weights_hash", "real_fingerprint", "real_split", "num_fakes", "resize")
    assert {k: found["stamp"][k] for k in same} == {k: record["stamp"][k] for k in same}
    assert found["protocols"]["domain/fid"] != record["protocols"]["domain/fid"]
    assert found["baseline"]["domain/fid"] > 0
    shown = capsys.readouterr().out
    assert "left out: per_class" in shown
    assert "60 fakes against 1437 of digits/train" in shown


def test_arrays_have_the_values_of_the_files(run: Path, classifier: str, tmp_path: Path) -> None:
    values = []
    for name in ("fakes", "fakes.npz"):
        dispatch(["sample", f"run={run}", "n=20", f"out={tmp_path / name}"])
        given = ["real=digits", f"fake={tmp_path / name}", classifier, "metrics=[fid,neighbours]"]
        values.append(compare(tmp_path, *given)["values"])
    assert values[0] == values[1]


def digit_files(folder: Path, count: int, start: int = 0) -> Path:
    """Write some digits as pictures of 16 pixels."""
    data = Digits(channels=1, resolution=16, num_classes=10, batch_size=1).split("train")
    folder.mkdir()
    for k, image in enumerate(data.images(torch.arange(start, start + count))[:, 0].numpy()):
        Image.fromarray(image).save(folder / f"{k:03}.png")
    return folder


def test_two_folders(squeezenet: list[str], tmp_path: Path) -> None:
    first, second = digit_files(tmp_path / "a", 12), digit_files(tmp_path / "b", 8, 300)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for path in first.iterdir():
            opened.write(path, path.name)
    equal = compare(tmp_path, f"real={first}", f"fake={archive}", *squeezenet)
    other = compare(tmp_path, f"real={first}", f"fake={second}", *squeezenet)
    assert abs(equal["values"]["squeezenet/fid"]) < 1e-3 * other["values"]["squeezenet/fid"]
    assert (equal["stamp"]["num_fakes"], equal["stamp"]["real_count"]) == (12, 12)
    assert (other["stamp"]["num_fakes"], other["baseline"]) == (8, {})
    assert equal["fake_fingerprint"] == equal["stamp"]["real_fingerprint"]


def test_a_size_that_is_asked_for_is_part_of_the_protocol(
    squeezenet: list[str], tmp_path: Path
) -> None:
    real, fake = digit_files(tmp_path / "a", 5), tmp_path / "b"
    fake.mkdir()
    for path in real.iterdir():
        with Image.open(path) as image:
            image.resize((32, 32), Image.Resampling.NEAREST).save(fake / path.name)
    given = [f"real={real}", f"fake={fake}", *squeezenet]
    with pytest.raises(ValueError, match=r"16x16 pixels where 32x32 .* resolution=32"):
        compare(tmp_path, *given)
    resized = compare(tmp_path, *given, "resolution=16")
    assert resized["stamp"]["images"] == "resized to 16 pixels"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "run is not set: add run=.* or real=.* and fake="),
        ("real=digits", "fake is not set"),
        ("fake={f}", "real is not set"),
        ("real=digitz fake={f}", "real=digitz: no such folder, .* did you mean 'digits'"),
        ("real=digits fake=nowhere", "fake=nowhere: no such folder"),
        ("real=image_folder fake={f}", "real=image_folder: no such folder"),
        ("real={f} fake={f}", "domain learns from labels, .* backbone=squeezenet weights=FILE"),
        ("real={f} fake={f} backbone=domain", "domain learns from labels"),
        ("real={f} fake={f} backbone=inception split=test", "split: it is for a data set by name"),
        ("real={f} fake={f} backbone=inception data.root=x", r"data\.root: it is for a data set"),
        ("real=digits fake={f} seeds=1", "seeds: it is for run="),
        ("real=digits fake={f} n=5", "n: it is for run="),
        ("real=digits fake={f} psi=0.5", "psi: it is for run="),
        ("real=digits fake={f} out=x.csv", r"ends in \.json"),
        ("real=digits fake={f} resolution=0", "resolution=0"),
        ("real=digits fake={f} metrics=[ppl]", "ppl is of a model"),
        ("real=digits fake={f} metrics=[fidd]", "did you mean 'fid'"),
        ("real=ring fake={f}", "it holds points"),
        ("real=digits fake={f} min_fakes=1000", "5 images, and values of fewer than 1000"),
        ("run=nowhere fake={f}", "fake: it is for real= and fake="),
    ],
)
def test_bad_input(given: str, words: str, tmp_path: Path) -> None:
    folder = digit_files(tmp_path / "files", 5)
    with pytest.raises(InputError, match=words):
        dispatch(["evaluate", *FEW, *given.format(f=folder).split()])


def test_labels_are_not_asked_of_files(run: Path, classifier: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "fakes.npz", np.zeros((5, 16, 16, 1), np.uint8))
    given = ["real=digits", f"fake={tmp_path / 'fakes.npz'}", classifier]
    with pytest.raises(InputError, match="per_class: the generated images have no labels"):
        compare(tmp_path, *given, "metrics=[per_class]")
