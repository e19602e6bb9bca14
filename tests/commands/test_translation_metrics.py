"""The evaluation of games on images, in training and by the command."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan.commands.main import dispatch
from gan.commands.train import train
from gan.errors import InputError
from tests.commands.test_train import BRIEF, SMALL, WIDTHS
from tests.conftest import Compose

COUNT = ["evaluation.num_fakes=40", "evaluation.every=1", "steps=2", "data=digits", *BRIEF]
Given = Callable[..., Path]


@pytest.fixture
def trained(config: Compose, tmp_path: Path) -> Given:
    """Return a function that trains a model and returns its run folder."""

    def run(model: str, *given: str) -> Path:
        train(config(f"model={model}", *SMALL.get(model, WIDTHS), *COUNT, *given))
        return tmp_path / "run"

    return run


def results(run: Path) -> Any:
    return json.loads((run / "results.json").read_text())


METRICS = "metrics=[fid,psnr,perceptual,class_kept]"


def test_a_restoration_stands_beside_input_and_classical_method(trained: Given) -> None:
    found = results(trained("pix2pix", "task=superresolve", "data.resolution=16", METRICS))
    assert found["references"].keys() == {"input", "bicubic"}
    names = {f"domain/{key}" for key in ("fid", "psnr", "perceptual", "class_kept", "class_same")}
    for values in (found["final"], found["best"], *found["references"].values()):
        assert names <= values.keys()
    assert found["references"]["bicubic"]["domain/psnr"] > found["final"]["domain/psnr"]
    assert "domain/psnr" not in found["baseline"]
    assert found["baseline"]["domain/class_kept"] > 0
    stamp = found["stamp"]
    assert (stamp["task"], stamp["factor"]) == ("superresolve", 2)
    assert stamp["sources"] == "digits, superresolve/test"
    assert len(stamp["sources_fingerprint"]) == 64


def test_both_directions_are_measured(trained: Given) -> None:
    found = results(trained("cyclegan", "task=denoise", "metrics=[fid,cycle_error]"))
    keys = {f"{d}/domain/{key}" for d in ("ab", "ba") for key in ("fid", "cycle_error")}
    assert keys <= found["final"].keys()
    assert found["monitor"] == "ab/domain/fid"
    assert found["best"]["ab/domain/fid"] <= found["final"]["ab/domain/fid"]


def test_two_data_sets_are_measured_each_by_its_own_classifier(trained: Given) -> None:
    sets = ["data=unpaired", "data.a=digits", "data.b=synthetic", "data.resolution=16"]
    found = results(trained("cyclegan", "metrics=[fid,class_kept,cycle_error]", *COUNT, *sets))
    for direction in ("ab", "ba"):
        for key in ("fid", "class_kept", "cycle_error"):
            assert f"{direction}/domain/{key}" in found["final"]
            assert f"{direction}/domain/{key}" in found["protocols"]
    assert found["stamp"]["real_data"] == "synthetic"
    assert found["stamp"]["ba/real_data"] == "digits"
    assert found["stamp"]["weights_hash"] != found["stamp"]["ba/weights_hash"]


def test_the_command_gives_the_values_of_training(
    trained: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained("pix2pix", "task=superresolve", "data.resolution=16", METRICS)
    given = [f"run={run}", "n=40", "min_fakes=2", "metrics=[psnr,class_kept]"]
    dispatch(["evaluate", *given, "checkpoints=[last]"])
    assert "bicubic" in capsys.readouterr().out
    records = json.loads((run / "evaluation.json").read_text())["records"]
    assert [record["checkpoint"] for record in records] == ["input", "bicubic", "last"]
    expected = [*results(run)["references"].values(), results(run)["final"]]
    for record, values in zip(records, expected, strict=True):
        for key, value in record["values"].items():
            assert value == pytest.approx(values[key], rel=1e-4)
    dispatch(["evaluate", *given, "checkpoints=[last]"])  # of which nothing is measured again
    assert len(json.loads((run / "evaluation.json").read_text())["records"]) == 3
    with pytest.raises(InputError, match="truncation=1"):
        dispatch(["evaluate", *given, "truncation=1.0"])


def test_what_cannot_be_compared_is_refused(trained: Given) -> None:
    with pytest.raises(InputError, match="psnr: the images have no target"):
        trained(
            "cyclegan",
            *("data=unpaired", "data.a=digits", "data.b=synthetic", "data.resolution=16"),
            "metrics=[fid,psnr]",
        )
