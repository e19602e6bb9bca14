"""Runs with few labels, from their settings alone."""

import json
from pathlib import Path

import pytest

import gan
from gan.commands.main import dispatch
from gan.commands.train import train
from gan.errors import InputError
from gan.runs.folder import Run
from tests.commands.test_train import BRIEF, PERCEPTRONS
from tests.conftest import Compose

FEW = ["model=semi_supervised", "data=digits", "data.resolution=8", *PERCEPTRONS, *BRIEF]
FEW += ["evaluation.num_fakes=100"]


def accuracy(run: Path) -> float:
    """Return the share of test images that the loaded run classifies right."""
    images, labels = next(Run(run).data().reals("test", 1000))
    assert labels is not None
    return float((gan.load(run).classify(images).argmax(1) == labels).double().mean())


def test_the_accuracy_is_that_of_the_loaded_run(config: Compose, tmp_path: Path) -> None:
    run = tmp_path / "run"
    for loss in ("non_saturating", "none"):
        train(config(*FEW, "metrics=[class_accuracy]", "steps=40", f"loss={loss}"))
        told = accuracy(run)
        assert 0.15 < told < 1
        results = json.loads((run / "results.json").read_text())
        assert results["final"]["domain/class_accuracy"] == pytest.approx(told)
        assert "domain/class_accuracy" in results["protocols"]
        assert results["stamp"]["class_accuracy_split"] == "test"
        assert not (run / "checkpoints/best.ckpt").exists()  # the test split chooses none
        if loss == "none":
            assert not any("adversarial" in key for key in header(run))
        run.rename(tmp_path / loss)
    measure = [f"run={tmp_path / 'none'}", "n=100", "seeds=1", "min_fakes=100", "metrics=null"]
    dispatch(["evaluate", *measure])
    (record,) = json.loads((tmp_path / "none/evaluation.json").read_text())["records"]
    assert record["values"]["class_accuracy"] == pytest.approx(accuracy(tmp_path / "none"))
    assert "domain/fid" in record["values"]
    assert "rotation_accuracy" not in record["values"]


def test_a_classifier_that_has_learned_is_measured_anew(config: Compose, tmp_path: Path) -> None:
    run, few = tmp_path / "run", [*FEW, "loss=none", "metrics=[]"]  # G stays as it is
    measure = ["n=100", "seeds=1", "min_fakes=100", "metrics=[class_accuracy]"]
    parts = [config(*few, "steps=20"), config(*few, "steps=60", f"resume={run}")]
    for part in parts:  # composed before, as evaluate composes, too
        train(part)
        dispatch(["evaluate", f"run={run}", *measure])
    records = json.loads((run / "evaluation.json").read_text())["records"]
    assert [record["step"] for record in records] == [20, 60]
    assert records[1]["values"]["class_accuracy"] == pytest.approx(accuracy(run))


def header(run: Path) -> list[str]:
    return (run / "metrics.csv").read_text().splitlines()[0].split(",")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([*FEW, "data.labelled=null"], "set data.labelled=10"),
        (["data=digits", "data.labelled=4"], "choose model=semi_supervised"),
        (["data=digits", "metrics=[class_accuracy]", *BRIEF], "evaluation.monitor=fid"),
        (
            ["data=digits", "metrics=[fid,class_accuracy]", *BRIEF, "evaluation.num_fakes=100"],
            "class_accuracy: no classifier",
        ),
    ],
)
def test_what_is_refused(config: Compose, given: list[str], words: str) -> None:
    with pytest.raises(Exception, match=words) as caught:
        train(config(*given))
    cause = caught.value if isinstance(caught.value, InputError) else caught.value.__cause__
    assert isinstance(cause, InputError)


def test_a_metric_without_values_is_left_out(
    config: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    players = ["model=acgan", "conditioning=none", "model.generator.width=4", "steps=1"]
    players += ["model.discriminator.width=4", "data=digits", *BRIEF, "evaluation.num_fakes=100"]
    train(config(*players, "metrics=[fid,class_accuracy]"))
    assert "class_accuracy is not measured: the model is unconditional" in caplog.text
    final = json.loads((tmp_path / "run/results.json").read_text())["final"]
    assert set(final) == {"step", "images", "domain/fid"}
