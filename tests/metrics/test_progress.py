"""What long computations of metrics show of their progress."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from gan import processes
from gan.metrics import distances, frechet_infinity, kernel
from gan.metrics.feature_metric import Role
from gan.metrics.feature_pass import FeaturePass
from gan.metrics.frechet_infinity import FrechetInfinity
from gan.metrics.kernel import KernelDistance
from gan.metrics.labelled_images import generate
from gan.metrics.path_length import PerceptualPathLength
from gan.progress import Lines
from tests.metrics.generators import StripeGenerator, stripe_game
from tests.metrics.tiny_data import Corners, measured

PLACES = ("distances", "feature_pass", "labelled_images", "path_length")


def pool(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))


def pass_of(count: int) -> None:
    batches = [(torch.zeros(count, 1, 8, 8), None)]
    features = FeaturePass(Corners(), torch.device("cpu"), 32)
    assert features.update([], Role.FAKE, batches, count, "fakes") == count


def steps(count: int) -> None:
    game = stripe_game(StripeGenerator())
    assert len(PerceptualPathLength(count=count).lengths(game, Corners(), 0)) == count


BARS: dict[str, tuple[Callable[[], object], tuple[Any, ...]]] = {
    "distances": (lambda: [*distances.distances(pool(7), pool(3), 2, "n")], ("n", 7, "row", 2.0)),
    "nearest": (lambda: distances.nearest(pool(7), pool(3), 1, 2), ("neighbours", 7, "row", 2.0)),
    "features": (lambda: pass_of(70), ("fakes", 70, "img", 0)),
    "fakes": (
        lambda: generate(stripe_game(StripeGenerator()), torch.arange(130) % 3, 0),
        ("labelled fakes", 130, "img", 0),
    ),
    "path": (lambda: steps(130), ("path length", 130, "step", 0)),
}


@pytest.mark.parametrize("name", BARS)
def test_all_units_are_counted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Lines, float]] = []

    def bar(title: str, total: int, unit: str = "step", *, delay: float = 0) -> Lines:
        made.append((Lines(title, total, unit), delay))
        return made[-1][0]

    for place in PLACES:
        monkeypatch.setattr(f"gan.metrics.{place}.bar", bar)
    work, expected = BARS[name]
    work()
    ((lines, delay),) = made
    assert (lines.name, lines.total, lines.unit, delay) == expected
    assert lines.count == lines.total


TRACKS: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "kid": (kernel, lambda: KernelDistance(6, 5), ("subsets", 6, "subset", 2.0)),
    "fid_infinity": (frechet_infinity, lambda: FrechetInfinity(4), ("points", 4, "point", 2.0)),
}


@pytest.mark.parametrize("name", TRACKS)
def test_all_items_are_tracked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, metric, expected = TRACKS[name]
    seen: list[tuple[Any, ...]] = []

    def track(items: Any, *values: Any) -> Iterator[Any]:
        seen.append((len(items), *values))
        return iter(items)

    monkeypatch.setattr(module, "track", track)
    measured(metric(), pool(20), real=pool(20, 1))
    assert seen == [(expected[1], *expected)]


def test_a_process_shows_its_own_share(monkeypatch: pytest.MonkeyPatch) -> None:
    totals: list[int] = []

    def bar(title: str, total: int, unit: str) -> Lines:
        totals.append(total)
        return Lines(title, total, unit)

    monkeypatch.setattr("gan.metrics.feature_pass.bar", bar)
    monkeypatch.setattr(processes, "world_size", lambda: 4)
    features = FeaturePass(Corners(), torch.device("cpu"), 32)
    assert features.update([], Role.FAKE, [(torch.zeros(9, 1, 8, 8), None)], 41, "fakes") == 9
    assert totals == [10]
