"""What is measured: the chosen split, reals as they are stored, and images of their seed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.evaluation import MetricsCallback
from gan.callbacks.translation_metrics import TranslationMetrics
from gan.metrics.evaluation import OTHER, Evaluation
from gan.metrics.feature_metric import Role
from gan.metrics.frechet import FrechetDistance
from gan.metrics.memorisation import Memorisation
from gan.settings.trust import build
from tests.algorithms.translating import conditional
from tests.callbacks.stage import Scripted, game, place
from tests.conftest import Compose
from tests.golden import cases, formula
from tests.metrics.tiny_data import Corners, TinyDataset, stripes

SPLITS = {"train": 90, "validation": 80, "test": 70}  # images of each


@pytest.fixture
def three() -> TinyDataset:
    """Return a data set of three splits."""
    return TinyDataset({name: stripes(n, 1, seed=n) for name, n in SPLITS.items()})


def evaluation(cache: Path, split: str | None) -> Evaluation:
    return Evaluation(
        Corners(),
        {"fid": FrechetDistance(), "memorisation": Memorisation()},
        every=0,
        num_fakes=70,
        cache=str(cache),
        split=split,
        min_fakes=2,
    )


@pytest.mark.parametrize("split", [None, *SPLITS])
def test_reals_are_those_of_the_chosen_split(
    tmp_path: Path, three: TinyDataset, split: str | None
) -> None:
    measured = evaluation(tmp_path, split)
    measured.prepare(three, torch.device("cpu"))
    chosen = split or "validation"  # where there is one
    assert three.passes == [chosen, OTHER[chosen]]
    assert measured.split == measured.stamp()["real_split"] == chosen
    assert measured.stamp()["real_count"] == SPLITS[chosen]
    fid = measured.metrics["fid"]
    assert isinstance(fid, FrechetDistance)
    features = Corners().extract(three.split(chosen).pixels)[0].double()
    assert torch.allclose(fid.moments(Role.REAL)[0], features.mean(0))


class Labelled:
    """A split whose label k is that of image k; its pictures cannot be read."""

    labels = torch.arange(1437)

    def __len__(self) -> int:
        return len(self.labels)


def chosen(split: str, count: int, seed: int = 0) -> Tensor:
    """Return the labels of the fakes of an evaluation: the numbers of real images of a split."""
    players, told = game(num_classes=10, seed=seed), list[Tensor]()

    def noted(seed: int, indices: range, labels: Tensor) -> Tensor:
        assert seed == players.seed
        told.append(labels)
        return torch.tensor(indices)

    players.generate = noted  # type: ignore[assignment,method-assign]
    data = SimpleNamespace(split={split: Labelled()}.__getitem__)
    where: Any = SimpleNamespace(global_rank=0, world_size=1, datamodule=data)
    protocol: Any = SimpleNamespace(split=split, num_fakes=count, batch_size=10)
    fakes = list(MetricsCallback(protocol)._fakes(where, players))
    assert torch.cat([images for images, _ in fakes]).tolist() == list(range(count))
    assert [y.tolist() for _, y in fakes if y is not None] == [y.tolist() for y in told]
    return torch.cat(told)


@pytest.mark.parametrize("split", ["train", "test"])
def test_fakes_get_labels_of_the_chosen_split(split: str) -> None:
    assert len(chosen(split, 25)) == 25


def test_their_labels_are_those_of_reals_drawn_by_the_seed() -> None:
    """The first images of a stored split may be of few classes."""
    total, count = len(Labelled()), 200
    one, same, other = (chosen("train", count, seed) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len(set(one.tolist())) == count
    deviation = (12 * count) ** -0.5
    assert one.float().mean().item() / total == pytest.approx(0.5, abs=4 * deviation)


@pytest.mark.parametrize("data", ["digits", "synthetic", "ring"])
def test_measured_reals_are_never_flipped(config: Compose, data: str) -> None:
    node = config(f"data={data}", "data.flip=true", "model=mlp")
    module = build(node.data)
    for split in module.splits:
        stored = module.split(split)
        few = torch.arange(8)
        expected = stored.to_float(stored.images(few))
        assert torch.equal(module.batch(split, few)[0], expected)
        assert torch.equal(next(iter(module.reals(split, 8)))[0], expected)


def styled(model: str) -> LatentGame:
    players: TwoPlayerGame[Any] = build(cases.config(f"model/{model}", "seed=5").model)
    assert isinstance(players, LatentGame)
    formula.fill(players)
    for module in players.scheduled:
        module.set_progress(10**9)
    return players


@pytest.mark.parametrize("model", ["stylegan", "stylegan2"])
def test_pixel_noise_follows_seed_and_number_of_the_image(model: str) -> None:
    players = styled(model)
    z = players.latents(1, seed=1).expand(6, -1)
    images = players.decode(z, seed=2)
    assert not any(torch.allclose(images[0], image, atol=1e-3) for image in images[1:])
    assert torch.allclose(players.decode(z[:2], seed=2, first=3), images[3:5], atol=1e-5)
    assert not torch.allclose(players.decode(z, seed=3), images, atol=1e-3)
    fixed = players.decode(z)
    assert torch.allclose(fixed, fixed[:1].expand_as(fixed), atol=1e-5)


@pytest.mark.parametrize("model", ["stylegan", "stylegan2"])
def test_measured_images_are_those_of_the_seed(model: str) -> None:
    players = styled(model)
    real = torch.zeros(3, 3, 32, 32)
    batches = [players.validation_step((real, None), k)["fake"] for k in (0, 1)]
    assert torch.allclose(torch.cat(batches), players.sample(6, seed=5), atol=1e-5)


def test_images_without_labels_are_of_the_classes_in_turn() -> None:
    players = game(num_classes=3)
    alike = players.generate(1, range(4, 8)), players.sample(8, seed=1)[4:]
    assert torch.allclose(*alike, atol=1e-6)
    told = players.generate(1, range(4, 8), torch.tensor([1, 2, 0, 1]))
    assert torch.equal(alike[0], told)
    assert not torch.allclose(told, players.generate(1, range(4, 8), torch.zeros(4).long()))


@pytest.mark.parametrize(("count", "lines"), [(24, ["24 images of a/test are measured"]), (25, [])])
def test_fewer_sources_than_asked_for_are_reported(
    count: int, lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    class Sources(list[int]):
        source = SimpleNamespace(name="a/test")

    translation: Any = SimpleNamespace(evaluations={"ab": Scripted()}, prepare=lambda *_: {})
    translation.sources = {"ab": Sources(range(count))}
    place: Any = SimpleNamespace(datamodule=None, strategy=SimpleNamespace(root_device="cpu"))
    TranslationMetrics(translation).setup(place, conditional(), "fit")
    assert [record.getMessage() for record in caplog.records] == lines


def translating() -> tuple[TranslationMetrics, MagicMock]:
    """Return what evaluates translations in one direction, and its evaluation."""
    translation = MagicMock(evaluations={"ab": Scripted()}, sources={})
    return TranslationMetrics(translation), translation


def test_what_is_prepared_of_translations() -> None:
    callback, translation = translating()
    players, data = conditional(seed=6), object()
    callback.setup(place(datamodule=data), players, "fit")
    translation.prepare.assert_called_once_with(data, players, torch.device("cpu"))
    assert callback.seed == 6


def test_values_of_translations_are_those_of_all_directions() -> None:
    callback, translation = translating()
    translation.stamp.return_value = {"source": "a"}
    translation.baseline.return_value = {"fid": 1.0}
    assert callback.stamp == {"weights": "averaged", "sample_seed": 0, "source": "a"}
    assert callback.ranking is translation.ranking
    assert callback.per_class is translation.per_class
    assert callback.protocols is translation.protocols.return_value
    translation.protocols.assert_called_once_with(callback.stamp)
    assert callback.baseline == {"fid": 1.0}


def test_translations_and_their_references_are_measured_in_shares() -> None:
    callback, translation = translating()
    players, trainer = conditional(), place(global_rank=1, world_size=2)
    translation.measure.side_effect = lambda outputs, share: {outputs: share(Scripted())}
    translation.translations.return_value = "own"
    translation.references.return_value = {"blurred": "theirs"}
    second: Any = (range(1, 3), 10)
    found: Any = callback._measure(trainer, players)
    others: Any = callback.references(trainer)
    assert found == {"own": second}
    assert others == {"blurred": {"theirs": second}}
    translation.translations.assert_called_once_with(players)


def test_measuring_of_translations_counts_as_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("gan.callbacks.evaluation.time.perf_counter", lambda: now[0])

    def wait(*_: object) -> dict[str, float]:
        now[0] += 1
        return {}

    callback, translation = translating()
    translation.prepare = translation.baseline = translation.references = wait
    callback.setup(place(), conditional(), "fit")
    assert (callback.baseline, callback.references(place())) == ({}, {})
    assert callback.seconds == 3
