"""What ``evaluate`` composes, measures and prints, with stand-ins for networks and metrics."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from gan.commands import assessment, comparison, evaluate, translation_assessment
from gan.commands.assessment import Assessment, Fakes
from gan.commands.evaluate import EvaluateOptions
from gan.errors import InputError
from gan.metrics.memorisation import Memorisation
from gan.metrics.model_metric import ModelMetric
from gan.runs.evaluations import Spread
from gan.settings.sampling import Sampling
from tests.runs.test_evaluations import record

STAMP = {
    "backbone": "domain",
    "weights_hash": "0123456789abcdef",
    "num_fakes": 9,
    "real_count": 8,
    "real_data": "digits",
    "real_split": "train",
    "resize": "none",
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look at the clock take 2 s, from 100 s."""
    times: Iterator[float] = iter(range(100, 1000, 2))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(times)))


def test_a_table_has_a_column_for_each_checkpoint_and_one_of_unseen_images() -> None:
    columns = {
        "best [a]": {"fid": Spread.of([1.0, 3.0]), "intra_fid/3": Spread.of([2.0])},
        "last": {"fid": Spread.of([4.0]), "kid": Spread.of([0.5])},
    }
    table = evaluate.value_table("TITLE", columns, {"fid": 0.123456, "other": 1.0})
    assert table.title == "TITLE"
    heads = [str(column.header) for column in table.columns]
    assert heads == ["metric", r"best \[a]", "last", "unseen reals"]
    assert [column.justify for column in table.columns] == ["left", *["right"] * 3]
    assert [column.no_wrap for column in table.columns] == [True, *[False] * 3]
    cells = [[str(cell) for cell in column.cells] for column in table.columns]
    assert cells == [["fid", "kid"], ["2 ± 1.4", ""], ["4", "0.5"], ["0.1235", ""]]


def test_columns_have_the_step_of_their_checkpoint() -> None:
    table = evaluate._table({"best": [record(0, fid=1.0), record(1, fid=3.0)]}, {"fid": 0.5})
    assert str(table.columns[1].header) == "best (step 5)"
    assert table.title == "mean ± standard deviation over sampling seeds"
    assert [*table.columns[1].cells] == ["2 ± 1.4"]
    assert evaluate._head(record()) == "best (step 5)"
    source = record()
    source.step = 0
    assert evaluate._head(source) == "best"


def test_a_table_of_classes_has_a_row_for_each_class() -> None:
    game: Any = SimpleNamespace(class_names=SimpleNamespace(name=lambda k: f"[class {k}]"))
    values = {"fid": 1.0, "fid/0": 2.0, "fid/10": 3.0, "is/10": 4.0}
    table = evaluate._class_table([record(0, "w", "p", **values)], game)
    assert table is not None
    assert table.title == "best, within each class"
    assert [str(column.header) for column in table.columns] == ["class", "fid", "is"]
    cells = [[str(cell) for cell in column.cells] for column in table.columns]
    assert cells == [[r"\[class 0]", r"\[class 10]"], ["2", "3"], ["", "4"]]
    assert evaluate._class_table([record(0, fid=1.0)], game) is None


def test_the_line_of_a_protocol() -> None:
    line = "protocol p: domain 01234567, 9 fakes against 8 of digits/train, resize none"
    assert evaluate.protocol_line("p", STAMP) == line
    averaged = evaluate.protocol_line("p", {**STAMP, "weights": "averaged"})
    assert averaged == f"{line}, averaged weights"
    assert evaluate.protocol_line("p", {**STAMP, "psi": 0.5}) != line


@pytest.mark.parametrize("name", ["truncation", "psi", "standing"])
def test_a_run_that_translates_has_no_latents(name: str) -> None:
    evaluate._refuse_sampling(EvaluateOptions())
    with pytest.raises(InputError, match=f"{name}=2: the run translates"):
        evaluate._refuse_sampling(EvaluateOptions(**{name: 2}))  # type: ignore[arg-type]


def test_the_backbone_of_a_run_unless_another_is_named() -> None:
    target = "gan.backbones.squeezenet.SqueezeNetBackbone"
    run = {"w": "OLD", "b": {"_target_": target, "weights": "${w}", "weights_hash": "H"}}
    stored = OmegaConf.create(run).b
    kept = evaluate.compose_protocol(EvaluateOptions(metrics=["kid"]), "CACHE", stored)
    assert dict(kept.backbone) == {"_target_": target, "weights": "OLD", "weights_hash": "H"}
    assert ([*kept.metrics], kept.cache_dir) == (["kid"], "CACHE")
    own = EvaluateOptions(metrics=["kid"], weights="NEW")
    found = evaluate.compose_protocol(own, "CACHE", stored)
    assert dict(found.backbone) == {"_target_": target, "weights": "NEW"}
    named = EvaluateOptions(backbone="domain")
    every = evaluate.compose_protocol(named, "CACHE", stored)
    assert every.backbone._target_ == "gan.backbones.domain.DomainBackbone"
    assert "fid" in every.metrics
    assert "coverage" not in every.metrics


def test_an_evaluation_takes_the_settings_of_the_command() -> None:
    given = {"batch_size": 7, "min_fakes": 5, "bfloat16": True, "split": "test"}
    options = EvaluateOptions(metrics=["fid", "ppl"], backbone="domain", **given)  # type: ignore[arg-type]
    config = evaluate.compose_protocol(options, "CACHE")
    evaluation = evaluate.make_evaluation(options, config, evaluate._metrics_of(config), 6)
    assert [*evaluation.metrics] == ["fid"]
    assert not evaluation.model_metrics
    assert (evaluation.num_fakes, evaluation.every) == (6, 0)
    assert (evaluation.batch_size, evaluation.min_fakes) == (7, 5)
    assert evaluation.backbone.in_bfloat16
    assert (evaluation.cache, evaluation.split) == (Path("CACHE"), "test")
    assert evaluation.monitor == "domain/None"


def test_checkpoints_that_exist_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan.runs.checkpoints.load_game", lambda run, name: f"game {name}")
    options = EvaluateOptions(checkpoints=["last", "best", "last"])
    for there, expected in (({"last"}, ["last"]), ({"last", "best"}, ["last", "best"])):
        run: Any = SimpleNamespace(
            existing=lambda names, there=there: [n for n in names if n in there]
        )
        assert evaluate._games(run, options) == {name: f"game {name}" for name in expected}
    run = SimpleNamespace(existing=lambda names: [])
    assert [*evaluate._games(run, options)] == ["last", "best"]


class Metric:
    """A stand-in of a metric of the model.

    Args:
        absent: why it cannot be computed, or ``None``.
        refusal: of its check, or ``None``.
    """

    def __init__(self, absent: str | None = None, refusal: str | None = None) -> None:
        self.absent, self.refusal, self.checked = absent, refusal, False

    def absence(self, game: Any, dataset: Any) -> str | None:
        return self.absent

    def check(self, game: Any, dataset: Any) -> None:
        if self.refusal is not None:
            raise InputError(self.refusal)

    def check_backbone(self, dataset: Any, backbone: Any) -> None:
        self.checked = True

    def stamp(self) -> dict[str, Any]:
        return {"own": 1}

    def measure(self, game: Any, dataset: Any, backbone: Any, seed: int) -> dict[str, float]:
        return {"value": float(seed)}


class Scripted:
    """A stand-in of an evaluation by features.

    Args:
        metrics: by name.
    """

    backbone, split, batch_size, num_fakes = "BACKBONE", "train", 2, 3

    def __init__(self, **metrics: Any) -> None:
        self.metrics, self.prepared = metrics, list[Any]()

    def drop_incompatible(self, dataset: Any, labelled: bool) -> dict[str, str]:
        return {"per_class": "no labels"}

    def prepare(self, dataset: Any, device: Any, labelled: bool = False) -> None:
        self.prepared.append((dataset, device, labelled))

    def stamp(self) -> dict[str, Any]:
        return {"num_fakes": 3}

    def protocols(self, stamp: Any) -> dict[str, str]:
        return {"fid": "f"}

    def measure(self, batches: Any, share: Any = None) -> dict[str, float]:
        return {"fid": 1.0}


CPU = torch.device("cpu")


def assess(folder: Path, evaluation: Any, dataset: Any = "DATA", **metrics: Any) -> Assessment:
    """Return the assessment of a run in a folder, with metrics of the model by name."""
    return Assessment(folder, dataset, evaluation, metrics, CPU, Sampling(psi=0.5))


@pytest.mark.parametrize(("classes", "labelled"), [(0, False), (1, True), (10, True)])
def test_metrics_that_cannot_be_computed_are_left_out(
    classes: int, labelled: bool, tmp_path: Path
) -> None:
    game: Any = SimpleNamespace(generator=SimpleNamespace(num_classes=classes))
    scripted, kept = Scripted(), Metric()
    gone = {"a": Metric("no encoder"), "b": Metric(refusal="b: too few"), "c": kept}
    found = assess(tmp_path, scripted, **gone)
    reasons = ["per_class: no labels", "a: a: no encoder: leave it out", "b: too few"]
    reasons[1] = "a: no encoder: leave it out"
    assert found.prepare(game, drop=True) == reasons
    assert [*found.model_metrics] == ["c"]
    assert kept.checked
    assert scripted.prepared == [("DATA", CPU, labelled)]


@pytest.mark.parametrize(
    ("metric", "words"),
    [(Metric("no encoder"), "^m: no encoder: leave"), (Metric(refusal="too few"), "^too few$")],
)
def test_metrics_that_are_asked_for_are_refused(metric: Metric, words: str, tmp_path: Path) -> None:
    game: Any = SimpleNamespace(generator=SimpleNamespace(num_classes=0))
    with pytest.raises(InputError, match=words):
        assess(tmp_path, Scripted(), m=metric).prepare(game, drop=False)
    assert assess(tmp_path, Scripted(), m=Metric()).prepare(game, drop=False) == []


@pytest.mark.parametrize("judged", [True, False])
def test_a_record_is_measured_once(judged: bool, tmp_path: Path, clock: None) -> None:
    game: Any = SimpleNamespace(
        averaged=nn.Linear(1, 1), judges=[nn.Linear(1, 1)] * judged, clock=SimpleNamespace(step=7)
    )
    found = assess(tmp_path, Scripted(), m=Metric())
    first = found.record(game, "best", 3)
    assert first.seconds == 2
    assert first.stamp == {
        "num_fakes": 3,
        "weights": "averaged",
        "sample_seed": 3,
        "psi": 0.5,
        "own": 1,
    }
    assert first.values == {"value": 3.0}  # without metrics of features
    assert first.protocols == {"fid": "f", "value": first.protocol}
    assert (first.step, first.checkpoint, first.seed, len(first.weights)) == (7, "best", 3, 16)
    assert found.record(game, "last", 3) is first
    if judged:
        game.judges[0].weight.data += 1
    else:
        game.averaged.weight.data += 1
    assert found.record(game, "best", 3) is not first
    assert len(assess(tmp_path, Scripted()).evaluations.records) == 2


@pytest.mark.parametrize("seed", [0, 1])
def test_suspects_of_the_first_seed_stand_above_their_real_images(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures: list[Any] = []
    monkeypatch.setattr(assessment, "picture", lambda images, columns: (images, columns))
    monkeypatch.setattr(assessment, "save_grid", lambda *given: pictures.append(given))
    metric = Memorisation()
    metric.suspects = [(2 * k, k, 0.5) for k in range(40)]

    def level(values: Any) -> torch.Tensor:
        return torch.as_tensor([*values], dtype=torch.float64).view(-1, 1, 1, 1)

    game: Any = SimpleNamespace(
        generator=SimpleNamespace(num_classes=0), generate=lambda s, rows, y: level(rows)
    )
    data = SimpleNamespace(batch=lambda split, rows: (level((-rows).tolist()).float(), None))
    found = assess(tmp_path, Scripted(other=Metric(), memorisation=metric), data)
    found._save_suspects(Fakes(game, None, seed, 2), "best")
    assert len(pictures) == (seed == 0)
    for (shown, columns), path in pictures:
        assert (columns, path) == (10, tmp_path / "nearest_best.png")
        levels = shown.flatten().view(6, 10)
        assert levels[::2].flatten().tolist() == [2.0 * k for k in range(30)]
        assert levels[1::2].flatten().tolist() == [-1.0 * k for k in range(30)]


def test_labels_of_fakes_repeat_where_there_are_fewer() -> None:
    asked: list[Any] = []
    game: Any = SimpleNamespace(
        generator=SimpleNamespace(num_classes=2), generate=lambda *given: asked.append(given)
    )
    labels = torch.tensor([5, 6, 7])
    fakes = Fakes(game, labels, 1, 2)
    drawn = [y for _, y in fakes.batches(7)]
    assert [rows for _, rows, _ in asked] == [range(0, 2), range(2, 4), range(4, 6), range(6, 7)]
    both = torch.cat([y for y in drawn if y is not None]).tolist()
    assert sorted(both[:3]) == [5, 6, 7]
    assert both == (both[:3] * 3)[:7]
    assert [seed for seed, *_ in asked] == [1] * 4
    assert Fakes(game, None, 1, 2).batch(range(2))[1] is None


def test_records_of_translations(tmp_path: Path, clock: None) -> None:
    scripted: Any = Scripted()
    scripted.references = lambda: {"input": {"ab": 1}, "bicubic": {"ab": 2}}
    scripted.translations = lambda game: {"ab": 3}
    scripted.prepare = lambda data, game, device, drop: {"psnr": f"{data} {game} {device} {drop}"}
    found = translation_assessment.TranslationAssessment(tmp_path, "DATA", scripted, CPU)
    assert found.prepare("GAME", True) == ["psnr: DATA GAME cpu True"]  # type: ignore[arg-type]
    first, second = found.references()
    assert [(r.checkpoint, r.step, r.weights) for r in (first, second)] == [
        ("input", 0, "input"),
        ("bicubic", 0, "bicubic"),
    ]
    game: Any = SimpleNamespace(averaged=nn.Linear(1, 1), clock=SimpleNamespace(step=7))
    last = found.record(game, "last")
    assert (last.checkpoint, last.step, last.seed, len(last.weights)) == ("last", 7, 0, 16)
    assert last.stamp == {"num_fakes": 3, "weights": "averaged", "sample_seed": 0}
    assert (last.seconds, last.values, last.protocols) == (2, {"fid": 1.0}, {"fid": "f"})
    assert found.record(game, "best") is last
    assert found.references()[0] is first


@pytest.mark.parametrize(("fakes", "batches"), [(6, 3), (7, 4), (1, 1)])
def test_all_batches_are_of_one_process(fakes: int, batches: int) -> None:
    part = SimpleNamespace(num_fakes=fakes, batch_size=2)
    assert translation_assessment._all_batches(part) == (range(batches), 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("resolution", [None, 8])
def test_values_of_a_set_of_images(
    resolution: int | None,
    clock: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    scripted: Any = Scripted()
    scripted.stamp, scripted.baseline = lambda: STAMP, lambda: None
    asked: list[Any] = []
    fakes: Any = SimpleNamespace(
        reals=lambda *given: asked.append(given), fingerprint=lambda split: f"print of {split}"
    )
    options = EvaluateOptions(real="R", fake="F", resolution=resolution, device="cpu")
    found = comparison._measure(options, scripted, "REALS", fakes)  # type: ignore[arg-type]
    assert scripted.prepared == [("REALS", CPU, False)]
    assert asked == [("train", 2)]
    own = {} if resolution is None else {"images": "resized to 8 pixels"}
    assert found.stamp == STAMP | own
    assert (found.real, found.fake, found.fake_fingerprint) == ("R", "F", "print of train")
    assert (found.seconds, found.baseline, found.values) == (2, {}, {"fid": 1.0})
    comparison._show(found)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "against R"
    assert any(line.strip("│ ").split() == ["fid", "│", "1"] for line in lines)
    assert lines[-1].startswith(f"protocol {found.protocol}: domain 01234567")


@pytest.mark.parametrize("given", [{}, {"resolution": 8}, {"data_root": "~/digits"}])
def test_sets_of_images_of_a_comparison(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "build", lambda node: node)
    monkeypatch.setenv("HOME", "/home/me")
    options = EvaluateOptions(real="mnist", fake="x/fakes.npz", **given)
    real, fake = comparison._named(options)
    size = given.get("resolution")
    assert real.resolution == (size or 32)
    assert dict(fake) == {  # type: ignore[call-overload]
        "_target_": "datamodules.image_set.ArraySet",
        "root": "x/fakes.npz",
        "resolution": real.resolution,
        "channels": 1,
        "exact": size is None,
    }
    if "data_root" in given:
        assert real.root == "/home/me/digits"  # type: ignore[attr-defined]
    monkeypatch.setattr(
        comparison,
        "_images",
        lambda *named: SimpleNamespace(resolution=named[1] or 20, named=named),
    )
    options = EvaluateOptions(real="reals", fake="fakes", **given)
    one, other = comparison._unnamed(options)
    assert other.named == ("fakes", size, 3, size is None)  # type: ignore[attr-defined]
    assert one.named == ("reals", size or 20, 3, size is None)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("count", "refused"), [(4, True), (5, False)])
def test_as_many_images_as_are_asked_for(
    count: int, refused: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class EnoughError(Exception):
        """Ends the command where its images are enough."""

    def enough(*_: Any) -> None:
        raise EnoughError

    fakes = SimpleNamespace(split=lambda name: range(count))
    monkeypatch.setattr(comparison, "_unnamed", lambda options: ("REALS", fakes))
    monkeypatch.setattr(comparison, "make_evaluation", enough)
    place = str(tmp_path)
    options = EvaluateOptions(
        real=place, fake=place, min_fakes=5, metrics=["fid"], backbone="inception", resolution=1
    )
    with pytest.raises(InputError if refused else EnoughError):
        comparison.compare(options)


@pytest.fixture
def run() -> Any:
    """Return a stand-in of a run."""
    return SimpleNamespace(
        config=SimpleNamespace(cache_dir="CACHE", backbone=None), path=Path("RUN"), data=str
    )


class Assessed:
    """A stand-in of an assessment.

    Args:
        given: what it is made of.
    """

    made: tuple[Any, ...] = ()

    def __init__(self, *given: Any) -> None:
        Assessed.made = given
        self.evaluation = SimpleNamespace(baseline=lambda: None)
        self.evaluations = self.records = SimpleNamespace(path="PATH")
        self.asked: list[bool] = []

    def apply_sampling(self, game: Any) -> Any:
        return game

    def prepare(self, game: Any, drop: bool) -> list[str]:
        return [f"x: {drop}"]

    def record(self, game: Any, name: str, seed: int = 0) -> Any:
        found = record(seed, "w", "p", **{"fid": float(seed), "fid/0": 2.0})
        found.checkpoint, found.seconds, found.stamp = name, 2.6, STAMP
        return found

    def references(self) -> list[Any]:
        return [self.record(None, "input")]


@pytest.mark.parametrize("metrics", [None, ["fid"]])
def test_what_is_printed_of_checkpoints(
    metrics: list[str] | None,
    run: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(evaluate, "_assessment", Assessed)
    game: Any = SimpleNamespace(class_names=SimpleNamespace(name=lambda k: f"class {k}"))
    options = EvaluateOptions("RUN", seeds=2, metrics=metrics)
    evaluate._evaluate(options, run, {"best": game, "last": game})
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    steps = [f"{name} seed {seed}: 3 s" for name in ("best", "last") for seed in (0, 1)]
    assert lines[:5] == [f"left out: x: {metrics is None}", *steps]
    assert any(line.startswith("best, within each") for line in lines)
    assert "mean ± standard deviation over sampling seeds" in lines
    assert any("best (step 5)" in line and "last (step 5)" in line for line in lines)
    assert lines[-2:] == [evaluate.protocol_line("p", STAMP), "written: PATH"]


@pytest.mark.parametrize("references", [True, False])
def test_what_is_printed_of_translations(
    references: bool,
    run: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Evaluation:
        def __init__(self, evaluations: dict[str, Any]) -> None:
            self.directions = [*evaluations]

        def baseline(self) -> dict[str, float]:
            return {"fid": 0.25}

    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(translation_assessment, "TranslationAssessment", Assessed)
    monkeypatch.setattr("gan.metrics.translation_evaluation.TranslationEvaluation", Evaluation)
    monkeypatch.setattr(evaluate, "make_evaluation", lambda *given: given[-1])
    if not references:
        monkeypatch.setattr(Assessed, "references", lambda self: [])
    game: Any = SimpleNamespace(directions=("ab", "ba"), to=lambda device: device)
    options = EvaluateOptions("RUN", metrics=["fid"], data_root="ROOT", device="cpu")
    evaluate._evaluate_translations(options, run, {"last": game})
    folder, data, evaluation, device = Assessed.made
    assert (folder, data, device) == (Path("RUN"), "ROOT", CPU)
    assert evaluation.directions == ["ab", "ba"]
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == ["left out: x: False", "held-out sources"]
    assert any("last (step 5)" in line for line in lines)
    assert any("0.25" in line for line in lines)
    assert lines[-2:] == [evaluate.protocol_line("p", STAMP), "written: PATH"]


@pytest.mark.parametrize("named", [True, False])
def test_slow_metrics_of_the_model_are_measured_where_they_are_named(
    named: bool, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(ModelMetric):
        in_training = False

    class Fast(ModelMetric):
        in_training = True

    for kind in (Slow, Fast):
        kind.__abstractmethods__ = frozenset()
    metrics: dict[str, Any] = {"slow": Slow(), "fast": Fast(), "fid": "FID"}  # type: ignore[abstract]
    asked: list[Any] = []
    monkeypatch.setattr(evaluate, "_metrics_of", lambda config: metrics)
    monkeypatch.setattr(evaluate, "make_evaluation", lambda *given: asked.append(given))
    monkeypatch.setattr(assessment, "Assessment", lambda *given: given)
    options = EvaluateOptions(
        "RUN", n=9, metrics=["fid"] if named else None, data_root="ROOT", device="cpu"
    )
    options.truncation, options.standing, options.psi = 0.5, 2, 0.7
    found: Any = evaluate._assessment(run, options)
    path, data, _, model_metrics, device, sampling = found
    assert (path, data, device) == (Path("RUN"), "ROOT", CPU)
    assert [*model_metrics] == (["slow", "fast"] if named else ["fast"])
    assert sampling == Sampling(0.5, 2, 0.7)
    ((_, _, given, count),) = asked
    assert (given, count) == (metrics, 9)
