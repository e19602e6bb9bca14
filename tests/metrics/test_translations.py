"""Held-out sources, what games make of them, and their evaluation in each direction."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from gan.metrics.evaluation import Evaluation
from gan.metrics.frechet import FrechetDistance
from gan.metrics.inception_score import InceptionScore
from gan.metrics.outputs import Outputs
from gan.metrics.paired import CycleError, SignalNoiseRatio
from gan.metrics.per_class import PerClass
from gan.metrics.translation_evaluation import TranslationEvaluation, _parts
from gan.metrics.translations import Translations
from tests.metrics.tiny_data import Corners, TinyDataset, tiny_dataset

CPU = torch.device("cpu")


class Images(TinyDataset):
    """A domain whose images are read by index."""

    def batch(self, split: str, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        found = self.split(split)
        labels = None if found.labels is None else found.labels[indices]
        return found.pixels[indices].float() / 127.5 - 1, labels


class Halving:
    """A task whose classical restoration is the negative."""

    classical: str | None = "negative"

    def __init__(self) -> None:
        self.settings = {"task": "halve", "factor": 2}

    def baseline(self, sources: Tensor) -> Tensor:
        return -sources


class Scaling:
    """A game that doubles to B and adds a tenth to A."""

    directions: tuple[str, ...] = ("ab", "ba")

    def translate(self, images: Tensor, direction: str) -> Tensor:
        return images * 2 if direction == "ab" else images + 0.1


def pairs(task: Any = None, paired: bool = True) -> Any:
    made = [tiny_dataset(seed=k) for k in (0, 1)]
    domains = {n: Images(d.splits, name=f"tiny {n}") for n, d in zip("ab", made, strict=True)}
    return SimpleNamespace(domains=domains, task=task, paired=paired)


def game(*directions: str) -> Any:
    found = Scaling()
    found.directions = directions
    return found


def test_sources_with_targets_and_labels() -> None:
    data = pairs()
    for direction in ("ab", "ba"):
        sources = Translations(data, direction)
        assert (sources.split, len(sources)) == ("test", 100)
        given = sources.given(range(3, 6))
        source, labels = data.domains[direction[0]].batch("test", torch.tensor([3, 4, 5]))
        target, _ = data.domains[direction[1]].batch("test", torch.tensor([3, 4, 5]))
        for found, expected in zip(given[:4], (source, labels, target, source), strict=True):
            assert found is not None
            assert found.equal(expected)
        assert given.cycle is None
    assert Translations(data, "ab", "train").split == "train"
    assert Translations(pairs(paired=False), "ab").given(range(2)).target is None


def test_sources_of_one_class_or_without_labels_are_not_labelled() -> None:
    data = pairs()
    assert Translations(data, "ab").labelled
    data.domains["a"].num_classes = 1
    assert not Translations(data, "ab").labelled
    assert Translations(data, "ab").given(range(2)).labels is None
    data.domains["b"].splits["test"].labels = None
    assert not Translations(data, "ba").labelled


@pytest.mark.parametrize(
    ("paired", "directions", "expected"),
    [
        (True, ("ab",), {"target"}),
        (False, ("ab", "ba"), {"cycle"}),
        (True, ("ba",), {"target", "cycle"}),
        (False, ("ab",), set()),
    ],
)
def test_what_is_known_of_outputs(
    paired: bool, directions: tuple[str, ...], expected: set[str]
) -> None:
    assert Translations(pairs(paired=paired), "ab").extras(game(*directions)) == expected


def test_translations_there_and_back() -> None:
    data = pairs()
    sources = Translations(data, "ab")
    x, _ = data.domains["a"].batch("test", torch.arange(4))
    both = sources.translations(game("ab", "ba"))(range(4))
    assert both.images.equal(2 * x)
    assert both.cycle is not None
    assert both.cycle.equal(2 * x + 0.1)
    assert both.source is not None
    assert both.source.equal(x)
    assert sources.translated(game("ab"), range(4)).cycle is None


def test_references_of_a_task() -> None:
    assert Translations(pairs(), "ab").references() == {}
    data, task = pairs(Halving()), Halving()
    data.domains["b"].resolution = 16
    found = Translations(data, "ab").references()
    assert list(found) == ["input", "negative"]
    x, _ = data.domains["a"].batch("test", torch.arange(2))
    large = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert found["input"](range(2)).images.equal(large)
    assert found["negative"](range(2)).images.equal(-x)
    task.classical = None
    assert list(Translations(pairs(task), "ab").references()) == ["input"]


def test_the_stamp_has_sources_and_task() -> None:
    data = pairs(Halving())
    sources = {
        "sources": "tiny a/test",
        "sources_fingerprint": data.domains["a"].fingerprint("test"),
    }
    assert Translations(data, "ab").stamp() == {**sources, "task": "halve", "factor": 2}
    assert Translations(pairs(), "ab").stamp() == sources


def evaluations(*directions: str, num_fakes: int = 150) -> dict[str, Evaluation]:
    made = {}
    for direction in directions:
        metrics: Any = {"fid": FrechetDistance(), "classes": PerClass(), "cycle": CycleError()}
        metrics["psnr"] = SignalNoiseRatio()
        made[direction] = Evaluation(Corners(), metrics, 0, num_fakes, "", min_fakes=2)
    return made


@pytest.fixture
def both(tmp_path: Any) -> tuple[TranslationEvaluation, dict[str, str]]:
    """Return a prepared evaluation of both directions, of unpaired data."""
    made = evaluations("ab", "ba")
    for evaluation in made.values():
        evaluation.cache = tmp_path
    found = TranslationEvaluation(made)
    data = pairs(paired=False)
    data.domains["b"].splits["test"].labels = None
    data.domains["b"].reals = data.domains["a"].reals
    left_out = found.prepare(data, game("ab", "ba"), CPU, drop=True)
    return found, left_out


def test_metrics_that_cannot_be_computed_are_dropped_by_direction(
    both: tuple[TranslationEvaluation, dict[str, str]],
) -> None:
    found, left_out = both
    assert left_out.keys() == {"psnr", "classes"}
    assert list(found.evaluations["ab"].metrics) == ["fid", "classes", "cycle"]
    assert list(found.evaluations["ba"].metrics) == ["fid", "cycle"]
    names = ["fid", "intra_fid", "cycle_error"]
    ranked = [f"ab/corners/{name}" for name in names]
    ranked += [f"ba/corners/{name}" for name in ("fid", "cycle_error")]
    assert sorted(found.ranking) == sorted(ranked)
    assert "ab/corners/precision" in found.per_class
    assert [e.num_fakes for e in found.evaluations.values()] == [100, 100]
    stamp = found.stamp()
    assert (stamp["sources"], stamp["ba/sources"]) == ("tiny a/test", "tiny b/test")
    assert (stamp["num_fakes"], stamp["ba/num_fakes"]) == (100, 100)
    assert not any(key.startswith("ab/") for key in stamp)
    assert found.protocols(stamp).keys() == found.ranking.keys()
    baseline = found.baseline()
    assert {key.partition("/")[0] for key in baseline} == {"ab", "ba"}
    with pytest.raises(ValueError, match="psnr: the images have no target"):
        TranslationEvaluation(evaluations("ab")).prepare(pairs(paired=False), game("ab", "ba"), CPU)


def test_one_direction_has_names_without_it() -> None:
    found = TranslationEvaluation(evaluations("ab"), "train")
    assert "corners/fid" in found.ranking
    found.sources["ab"] = Translations(pairs(Halving()), "ab", found.split)
    assert found.sources["ab"].split == "train"
    assert found.references()["negative"].keys() == {"ab"}
    x = found.translations(game("ab"))["ab"](range(2)).images
    assert x.equal(2 * pairs().domains["a"].batch("train", torch.arange(2))[0])


def test_each_evaluation_gets_the_images_of_its_share() -> None:
    asked: list[range] = []

    class Noted:
        """An evaluation that notes its images."""

        num_fakes = 25

        def measure(self, parts: Any, start: int) -> dict[str, float]:
            return {f"start {start}": float(len([*parts]))}

    found = TranslationEvaluation({})
    found.evaluations = cast(Any, {"ab": Noted(), "ba": Noted()})

    def images(rows: range) -> Outputs:
        asked.append(rows)
        return Outputs(torch.zeros(len(rows), 1, 1, 1))

    shares = iter([(range(1, 3), 10), (range(2), 10)])
    values = found.measure({"ab": images, "ba": images}, lambda _: next(shares))
    assert values == {"start 10": 2.0, "start 0": 2.0}
    assert asked == [range(10, 20), range(20, 25), range(10), range(10, 20)]
    assert [len(p.images) for p in _parts(images, range(2), 3, 5)] == [3, 2]


@pytest.mark.parametrize(
    ("metric", "dtypes"),
    [
        (FrechetDistance(), {torch.float64}),
        (InceptionScore(), {torch.float64}),
        (SignalNoiseRatio(), {torch.float64, torch.int64}),
    ],
)
def test_sums_are_exact(metric: Any, dtypes: set[torch.dtype]) -> None:
    """Sums are kept in 64 bits, also before the first batch."""
    held = [value for value in metric._defaults.values() if isinstance(value, Tensor)]
    assert {value.dtype for value in held} == dtypes
