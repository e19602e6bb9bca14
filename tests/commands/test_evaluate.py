import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import gan
from gan.algorithms.sampling import apply_sampling
from gan.backbones.base import digest
from gan.commands.assessment import Assessment, Fakes
from gan.commands.main import dispatch
from gan.commands.report import entries
from gan.commands.train import train
from gan.errors import InputError
from gan.metrics.path_length import PerceptualPathLength
from gan.settings.sampling import Sampling
from tests.conftest import composing

SMALL = ["n=60", "seeds=2", "min_fakes=2", "batch_size=25"]
EVERY = ["fid", "is", "kid", "kid_se", "precision", "recall", "density", "coverage"]
EVERY += ["fid_infinity", "intra_fid", "class_kl", "modes", "label_consistency"]
EVERY += ["authenticity", "copying_z"]
RECIPE = "backbone.training"


def trained(folder: Path, *overrides: str) -> Path:
    """Return the folder of a run of two steps on digits."""
    options = ["data=digits", "model.generator.width=4", "model.discriminator.width=4"]
    options += ["backbone=domain", "evaluation.num_fakes=40", "evaluation.min_fakes=2"]
    options += [f"{RECIPE}._target_=gan.backbones.classifier.Training", f"{RECIPE}.rounds=[25]"]
    with composing(folder) as config:
        train(config(*options, *overrides))
    return folder / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("evaluate"), "conditioning=projection")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def evaluated(run: Path) -> dict[str, Any]:
    """Return what `evaluate` writes about both checkpoints."""
    dispatch(["evaluate", f"run={run}", *SMALL])
    content: dict[str, Any] = json.loads((run / "evaluation.json").read_text())
    return content


def test_all_metrics_of_features_that_apply_are_measured(
    evaluated: dict[str, Any], run: Path
) -> None:
    values = evaluated["records"][0]["values"]
    for key in EVERY:
        assert f"domain/{key}" in values
    assert min(Image.open(run / "nearest_best.png").size) > 100


def test_both_checkpoints_and_all_seeds(evaluated: dict[str, Any]) -> None:
    assert [r["seed"] for r in evaluated["records"]] == [0, 1] * (len(evaluated["records"]) // 2)
    first, second = evaluated["records"][:2]
    assert first["values"]["domain/fid"] != second["values"]["domain/fid"]
    mean = (first["values"]["domain/fid"] + second["values"]["domain/fid"]) / 2
    assert evaluated["summary"][0]["values"]["domain/fid"]["mean"] == pytest.approx(mean)


def test_the_stamp_has_the_protocol(evaluated: dict[str, Any]) -> None:
    stamp = evaluated["records"][0]["stamp"]
    assert stamp["num_fakes"] == 60
    assert stamp["real_data"] == "digits"
    assert stamp["sample_seed"] == 0
    assert stamp["kid_subsets"] == 100
    protocols = evaluated["records"][0]["protocols"]
    assert protocols == evaluated["records"][1]["protocols"]
    assert protocols["domain/fid"] != protocols["domain/kid"]


def test_an_evaluation_is_not_repeated(
    evaluated: dict[str, Any], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = run / "evaluation.json"
    whole = path.read_text()
    cut = {**evaluated, "records": evaluated["records"][:1]}
    path.write_text(json.dumps(cut))
    seeds: list[int] = []
    measure = Assessment._measure_features

    def recorded(self: Assessment, game: Any, checkpoint: str, seed: int) -> dict[str, float]:
        seeds.append(seed)
        return measure(self, game, checkpoint, seed)

    monkeypatch.setattr(Assessment, "_measure_features", recorded)
    dispatch(["evaluate", f"run={run}", *SMALL])
    again = json.loads(path.read_text())
    assert len(seeds) == len(evaluated["records"]) - 1
    for old, new in zip(evaluated["records"], again["records"], strict=True):
        assert old["values"] == pytest.approx(new["values"], nan_ok=True)
    path.write_text(whole)


def test_an_interruption_keeps_earlier_evaluations(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = Assessment._measure_features

    def interrupted(self: Assessment, game: Any, checkpoint: str, seed: int) -> dict[str, float]:
        if seed == 1:
            raise KeyboardInterrupt
        return measure(self, game, checkpoint, seed)

    monkeypatch.setattr(Assessment, "_measure_features", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dispatch(["evaluate", f"run={plain}", *SMALL, "metrics=[fid]"])
    (kept,) = json.loads((plain / "evaluation.json").read_text())["records"]
    assert kept["seed"] == 0


def test_an_unconditional_model_leaves_metrics_of_labels_out(
    plain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dispatch(["evaluate", f"run={plain}", *SMALL, "seeds=1"])
    shown = capsys.readouterr().out
    assert "left out: per_class" in shown
    records = json.loads((plain / "evaluation.json").read_text())["records"]
    assert not any("intra_fid" in key for record in records for key in record["values"])


def test_metrics_of_the_model_are_asked_for_like_the_others(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "evaluation.json").unlink(missing_ok=True)
    lengths = torch.arange(100, dtype=torch.float64)
    monkeypatch.setattr(PerceptualPathLength, "lengths", lambda *_: lengths)
    given = [*SMALL, "seeds=1", "metrics=[ppl,fid]", "checkpoints=[last]"]
    dispatch(["evaluate", f"run={copy}", *given])
    (record,) = json.loads((copy / "evaluation.json").read_text())["records"]
    assert record["values"].keys() == {"domain/fid", "ppl", "ppl_std"} == record["protocols"].keys()
    assert record["values"]["ppl"] == 49.5
    assert record["stamp"]["ppl_count"] == 10_000


def test_sampling_is_part_of_the_protocol(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "evaluation.json").unlink(missing_ok=True)
    given = [*SMALL, "seeds=1", "metrics=[fid]", "checkpoints=[last]"]
    for drawn in ([], ["truncation=0.3"], ["standing=2"], ["truncation=0.3", "standing=2"], []):
        dispatch(["evaluate", f"run={copy}", *given, *drawn])
    records = json.loads((copy / "evaluation.json").read_text())["records"]
    assert len(records) == 4  # the last was the first
    stamps = [r["stamp"] for r in records]
    plain = stamps[0]
    assert not {"truncation", "standing"} & plain.keys()
    assert stamps[1] == plain | {"truncation": 0.3}
    assert stamps[2] == plain | {"standing": "2 batches of 100"}
    assert stamps[3] == plain | {"truncation": 0.3, "standing": "2 batches of 100"}
    assert len({r["protocols"]["domain/fid"] for r in records}) == 4
    assert len({r["values"]["domain/fid"] for r in records}) == 4
    game = apply_sampling(gan.load(copy, "last"), Sampling(0.3, 2))
    assert digest(game.averaged.state_dict())[:16] == records[3]["weights"]
    (row,) = entries([copy])[0][-1:]
    assert row.stamps[records[3]["protocols"]["domain/fid"]]["truncation"] == 0.3


def test_what_is_measured_is_truncated(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    measure = Assessment._measure_features

    def recorded(self: Assessment, game: Any, checkpoint: str, seed: int) -> dict[str, float]:
        seen.append(float(game.prior.sample_each(seed, range(20)).abs().max()))
        return measure(self, game, checkpoint, seed)

    monkeypatch.setattr(Assessment, "_measure_features", recorded)
    dispatch(["evaluate", f"run={plain}", *SMALL, "seeds=1", "metrics=[fid]", "truncation=0.2"])
    assert all(0.15 < bound <= 0.2 for bound in seen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("truncation=0", r"truncation=0\.0: give a number above 0"),
        ("standing=-1", "standing=-1"),
        ("metrics=[label_consistency]", "unconditional"),
        ("metrics=[cas]", "cas"),
        ("metrics=[fidd]", "did you mean 'fid'"),
        ("metrics=[]", "name one or more; known are augmentation"),
        ("backbone=incepton", "did you mean 'inception'"),
        ("backbone=none", "backbone=none: known are clip"),
        ("backbone=plane weights=absent.pth", r"backbone\.weights: no such setting"),
        ("backbone=inception weights=absent.pth", "absent.pth"),
        ("split=valid", "evaluation.split=valid: give train, test, validation"),
        ("n=10 min_fakes=100", "num_fakes=10"),
        ("seeds=0", "seeds=0"),
        ("device=abacus", "device=abacus"),
        ("checkpoints=[first]", "first.ckpt"),
    ],
)
def test_bad_input_is_refused_before_any_work(plain: Path, options: str, message: str) -> None:
    before = {p: p.stat().st_mtime_ns for p in plain.rglob("*")}
    with pytest.raises(InputError, match=message):
        dispatch(["evaluate", f"run={plain}", *SMALL, *options.split()])
    assert {p: p.stat().st_mtime_ns for p in plain.rglob("*")} == before


def test_fakes_depend_on_the_seed_and_not_on_the_batch(run: Path) -> None:
    game = gan.load(run)
    labels = torch.arange(50) % 10
    whole = [Fakes(game, labels, 3, 20), Fakes(game, labels, 3, 7)]
    images = [torch.cat([x for x, _ in fakes.batches(45)]) for fakes in whole]
    assert torch.allclose(images[0], images[1], atol=1e-6)
    drawn = [torch.cat([y for _, y in fakes.batches(45) if y is not None]) for fakes in whole]
    assert torch.equal(drawn[0], drawn[1])
    assert drawn[0].bincount().max() < 10
    other = torch.cat([x for x, _ in Fakes(game, labels, 4, 20).batches(45)])
    assert not torch.allclose(images[0], other, atol=1e-3)


def test_a_report_has_one_column_for_each_protocol(
    evaluated: dict[str, Any], run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows, _ = entries([run])
    assert rows[0].source == "training, best"
    trained_fid = {column for column in rows[0].cells if column[0] == "domain/fid"}
    others = {column for column in rows[1].cells if column[0] == "domain/fid"}
    assert trained_fid.isdisjoint(others)
    out = tmp_path / "report.csv"
    dispatch(["report", f"runs={run}", "metrics=[domain/fid]", f"out={out}"])
    shown = capsys.readouterr().out
    for _, name in trained_fid | others:
        assert f"[{name}]" in shown
    assert len(out.read_text().splitlines()[0].split(",")) == 5


def test_a_report_on_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no results\.json"):
        dispatch(["report", f"runs={tmp_path}/*"])
