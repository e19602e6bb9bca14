"""What commands hand on to the functions that do the work: each setting in its place."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.commands import generated, project
from gan.commands.embed import EmbedOptions
from gan.commands.generated import check_space
from gan.commands.main import COMMANDS, dispatch
from gan.commands.real_images import ImageSource
from gan.errors import InputError

FRAME = (1, 4, 4)
RUNS = [name for name in COMMANDS if name not in ("train", "film", "evaluate")]
RUNS = [n for n in RUNS if n not in ("report", "leaderboard", "dashboard", "models", "import")]
NEEDED = {
    "project": ["index=0"],
    "encode": ["out=z.npz"],
    "classify": ["split=test", "out=new"],
    "translate": ["images=.", "out=../new"],
    "restore": ["images=.", "out=../new"],
}


class EndError(Exception):
    """Ends a command where its settings have been handed on."""


class Calls(list[tuple[Any, ...]]):
    """Arguments of calls."""

    def answering(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that keeps its arguments and answers."""

        def call(*given: Any, **named: Any) -> Any:
            self.append((*given, named) if named else given)
            return answer(*given, **named)

        return call


def stop(*_: Any, **__: Any) -> None:
    raise EndError


@pytest.mark.parametrize("name", RUNS)
def test_the_run_is_checked_by_its_checkpoint_and_packages(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    calls, module = Calls(), "export" if name == "export" else name
    monkeypatch.setattr(f"gan.commands.{module}.check_run", calls.answering(stop))
    given = ["run=RUN", "checkpoint=last", "allow_targets=[mine]", *NEEDED.get(name, [])]
    with pytest.raises(EndError):
        dispatch([name, *given])
    assert calls == [("RUN", "last", ["mine"])]


def images(*shape: int) -> Tensor:
    """Return images that all differ."""
    count = int(np.prod(shape))
    return torch.linspace(-1, 1, count * 16).view(*shape, *FRAME)


@pytest.fixture
def game() -> Any:
    """Return a stand-in of a game that draws its numbers of samples."""
    return SimpleNamespace(
        to=lambda device: "moved",
        generator=SimpleNamespace(num_classes=0),
    )


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, game: Any) -> dict[str, Tensor]:
    """Let commands read no run, and return the pictures and animations that they write, by name."""
    found: dict[str, Tensor] = {}
    for name in RUNS:
        monkeypatch.setattr(f"gan.commands.{name}.check_run", lambda *_: None)
    loaded = Calls()
    monkeypatch.setattr("gan.runs.checkpoints.load", loaded.answering(lambda *_: game))
    for kind in ("save_grid", "save_animation"):
        monkeypatch.setattr(
            f"gan.pictures.{kind}", lambda film, path: found.update({path.name: film})
        )
    monkeypatch.setattr("gan.pictures.picture", lambda images, columns: (images, columns))
    found["loaded"] = loaded  # type: ignore[assignment]
    return found


COMMON = ["run=RUN", "checkpoint=last", "allow_targets=[mine]", "seed=4", "labels=[7]"]
WALKS = [
    (
        "traverse",
        "traversal.traverse",
        ["rows=2", "columns=3", "extent=1.5"],
        (2, 3, 1.5, 4, ["7"]),
    ),
    ("mix", "styles.mix", ["rows=1", "columns=2"], ([0], [1, 2], None, 4, ["7"])),
    (
        "mix",
        "styles.mix",
        ["rows=2", "columns=1", "sources=[5,0,3]", "layers=[1,2]"],
        ([5, 0], [3], [1, 2], 4, ["7"]),
    ),
    ("truncate", "styles.truncate", ["psis=[0.5,1]", "rows=3"], ([0.5, 1.0], 3, 4, ["7"])),
    (
        "interpolate",
        "interpolation.interpolate",
        ["rows=2", "steps=3", "styles=false", "gif=false"],
        (2, 3, 4, ["7"], False),
    ),
]


@pytest.mark.parametrize(("name", "function", "given", "expected"), WALKS)
def test_settings_of_a_picture_reach_the_algorithm(
    name: str,
    function: str,
    given: list[str],
    expected: tuple[Any, ...],
    written: dict[str, Any],
    game: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = Calls()
    drawn = {
        "traverse": lambda *_: [images(2, 3), images(2, 4)],
        "interpolate": lambda *_: images(2, 3),
    }
    answer = drawn.get(name, lambda *_: images(3, 2))
    monkeypatch.setattr(f"gan.algorithms.{function}", calls.answering(answer))
    dispatch([name, *COMMON, *given])
    assert written["loaded"] == [("RUN", "last", ["mine"], LatentGame)]
    assert calls == [(game, *expected)]
    pictures = [value for key, value in written.items() if key.endswith(".png")]
    columns = {"traverse": 4, "interpolate": 3, "truncate": 2}
    mixed = len(expected[1]) + 1 if name == "mix" else 0
    assert [shown[1] for shown in pictures] == [columns.get(name, mixed)]


def test_frames_of_an_animation_are_four_a_step_there_and_back(
    written: dict[str, Any], monkeypatch: pytest.MonkeyPatch, game: Any
) -> None:
    steps = Calls()

    class Walks:
        def __init__(self, *given: Any) -> None:
            steps.append(given)

        def images(self, number: int, columns: int) -> Tensor:
            steps.append((number, columns))
            return images(2, columns) + number

    monkeypatch.setattr("gan.algorithms.directions.Walks", Walks)
    given = ["count=2", "extent=1.5", "rows=2", "columns=3", "layers=[1,2]"]
    dispatch(["directions", *COMMON, *given])
    assert steps == [(game, 2, 1.5, 2, [1, 2], 4, ["7"]), (0, 3), (1, 3), (0, 9)]
    assert written["directions.gif"].shape == (16, 2, *FRAME)
    torch.testing.assert_close(written["directions.gif"][0], images(2, 9)[:, 0])
    blocks, columns = written["directions.png"]
    assert (len(blocks), columns) == (2 * 3 + 3 + 2 * 3, 3)
    calls = Calls()
    drawn = calls.answering(lambda game, rows, n, *_: images(rows, n))
    monkeypatch.setattr("gan.algorithms.interpolation.interpolate", drawn)
    dispatch(["interpolate", *COMMON, "rows=2", "steps=3"])
    assert [call[2] for call in calls] == [3, 9]
    assert written["interpolation.gif"].shape == (16, 2, *FRAME)
    shown, columns = written["interpolation.png"]
    assert torch.equal(shown, images(2, 3).flatten(0, 1))


def test_samples_are_asked_for_by_number_seed_and_labels(
    written: dict[str, Any], monkeypatch: pytest.MonkeyPatch, game: Any
) -> None:
    calls, changes = Calls(), Calls()
    moved = SimpleNamespace(labels_for=lambda n, labels: (n, labels))
    monkeypatch.setattr(
        "gan.algorithms.sampling.apply_sampling", changes.answering(lambda *_: moved)
    )
    batches = SimpleNamespace(
        batches=lambda: iter([(range(2), images(2)), (range(2, 3), images(1))])
    )
    monkeypatch.setattr("gan.algorithms.samples.Samples", calls.answering(lambda *_: batches))
    dispatch(["sample", *COMMON, "n=3", "columns=2", "psi=0.5", "standing=2", "truncation=0.7"])
    ((changed, sampling),) = changes
    assert changed == "moved"
    assert (sampling.truncation, sampling.standing, sampling.psi) == (0.7, 2, 0.5)
    assert written["samples.png"][1] == 2
    dispatch(["sample", *COMMON, "n=3", "langevin=5", "langevin_step=0.25", "columns=3"])
    (plain, chained) = calls
    assert plain == (moved, 3, 4, (3, ["7"]), None)
    assert (chained[-1].steps, chained[-1].step_size) == (5, 0.25)
    shown, columns = written["samples.png"]
    assert (len(shown), columns) == (3, 3)


class Generated:
    """A stand-in of images that a run makes, of which there are five, and eight real ones.

    Attributes:
        asked: numbers of images that were asked for.
    """

    most: int | None = 5

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.real = SimpleNamespace(
            name="digits",
            batch=lambda split, rows: (images(8)[rows], None),
            split=lambda name: SimpleNamespace(__len__=lambda: 8),
        )

    def batches(self, count: int) -> Sequence[Tensor]:
        """Return the first images in two batches."""
        self.asked.append(count)
        return [-images(count)[:1], -images(count)[1:]]


class Space:
    """A stand-in of a space of features: the pixels."""

    name = "SPACE"

    def gather(self, batches: Sequence[Tensor]) -> Tensor:
        """Return the vectors of images in batches."""
        return torch.cat([*batches]).flatten(1)

    def vectors(self, images: Tensor) -> Tensor:
        """Return the vectors of images."""
        return images.flatten(1)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, written: dict[str, Any]) -> Generated:
    """Let commands take real images 0 to 7 and generated images that are their opposites."""
    found = Generated()
    for name in ("nearest", "embed", "spectrum"):
        monkeypatch.setattr(f"gan.commands.{name}.open_generated", lambda _: ("RUN", found))
    for name in ("nearest", "embed"):
        monkeypatch.setattr(f"gan.commands.{name}.open_space", lambda *_: Space())
    first = lambda real, split, n, seed: torch.arange(8)[:n]  # noqa: E731
    monkeypatch.setattr("gan.runs.generated.real_indices", first)
    monkeypatch.setattr(
        "gan.runs.generated.real_batches", lambda real, split, rows: [images(8)[rows]]
    )
    monkeypatch.setattr("gan.backbones.dataset.has_split", lambda real, name: name == "test")
    return found


@pytest.mark.parametrize("name", ["embed", "spectrum"])
@pytest.mark.parametrize(("n", "most", "count"), [(4, 5, 4), (7, 5, 5), (6, None, 6)])
def test_no_more_images_are_made_than_there_are(
    name: str,
    n: int,
    most: int | None,
    count: int,
    made: Generated,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made.most = most
    monkeypatch.setattr("gan.plots.require_matplotlib", lambda: None)
    monkeypatch.setattr("gan.plots.save_spectra", lambda *_: None)
    linear = ["linear=true"] * (name == "embed")
    dispatch([name, "run=x", f"n={n}", f"out={tmp_path / 'a.png'}", *linear])
    assert made.asked == [count]


@pytest.mark.parametrize("linear", ["true", "false"])
def test_a_map_is_of_the_vectors_of_both_kinds(
    linear: str,
    made: Generated,
    written: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seeds: list[int] = []

    def plane(vectors: Tensor, seed: int = -1) -> Tensor:
        seeds.append(seed)
        return vectors[:, :2]

    mapped = Calls()
    monkeypatch.setattr("gan.metrics.plane.plane", plane)
    monkeypatch.setattr("gan.metrics.plane.principal_plane", plane)
    monkeypatch.setattr("gan.pictures.class_map", mapped.answering(lambda *_: torch.zeros(3, 1, 1)))
    dispatch(["embed", "run=RUN", "n=5", "seed=3", f"linear={linear}"])
    assert seeds == [-1 if linear == "true" else 3]
    ((points, kinds, names),) = mapped
    assert names == ["real", "generated"]
    assert kinds.dtype == torch.int64
    assert kinds.tolist() != sorted(kinds.tolist())  # none covers the other
    real = {tuple(row) for row in images(8).flatten(1)[:5, :2].tolist()}
    assert [tuple(row) in real for row in points.tolist()] == [kind == 0 for kind in kinds.tolist()]
    assert len({tuple(row) for row in points.tolist()}) == 10
    line = "5 real and 5 generated images, SPACE"
    assert capsys.readouterr().out.splitlines() == [line, "RUN/figures/embedding.png"]


def test_a_grid_of_the_nearest_and_their_distances(
    made: Generated, written: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.batches = lambda count: [images(8)[[6, 2]], images(8)[[4]] + 0.01]  # type: ignore[method-assign]
    out = tmp_path / "near.png"
    dispatch(["nearest", "run=RUN", "n=3", "k=2", "columns=2", f"out={out}"])
    grid, columns = written["near.png"]
    assert columns == 2
    # two blocks of two columns: generated, nearest, second; a white row between them
    assert torch.equal(grid[:4], images(8)[[6, 2, 6, 2]])
    assert (grid[6:8] == 1).all()
    assert torch.equal(grid[8], images(8)[4] + 0.01)
    content = json.loads(out.with_suffix(".json").read_text())
    assert [row[0] for row in content["indices"]] == [6, 2, 4]
    assert content["space"] == "SPACE"
    middle = sorted(row[0] for row in content["distances"])[1]
    assert content["medians"] == {"generated": middle, "unseen real images": 0}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"median distance to the nearest, generated: {middle:.4g} (SPACE)"
    assert lines[2].startswith("first row of each block")
    assert lines[3:] == [str(out), str(out.with_suffix(".json"))]
    dispatch(["nearest", "run=RUN", "n=3", "k=8", "columns=9", f"out={out}"])
    assert written["near.png"][1] == 3
    with pytest.raises(InputError, match="train has 8 images: lower it"):
        dispatch(["nearest", "run=RUN", "n=3", "k=9"])


def test_distances_of_unseen_images_where_there_is_another_split(
    made: Generated, written: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.batches = lambda count: [images(8)[:3]]  # type: ignore[method-assign]
    given = ["run=RUN", "n=3", "k=1", "split=test", f"out={tmp_path / 'near.png'}"]
    dispatch(["nearest", *given])
    assert list(json.loads((tmp_path / "near.json").read_text())["medians"]) == ["generated"]
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_numbers_of_a_spectrum(
    made: Generated,
    written: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Power:
        """Powers at five frequencies."""

        def __init__(self, count: int, mean: list[float]) -> None:
            self.profiles, self.mean = [0] * count, torch.tensor(mean)

        @classmethod
        def of(cls, batches: Sequence[Tensor]) -> "Power":
            count = sum(map(len, batches))
            real = [1.0, 1, 1, 1, 1]
            return cls(count, real if count == 8 else [1.0, 1e-3, 1, 10, 100])

    plotted = Calls()
    monkeypatch.setattr("gan.metrics.spectra.Spectrum", Power)
    monkeypatch.setattr("gan.plots.require_matplotlib", lambda: None)
    monkeypatch.setattr("gan.plots.save_spectra", plotted.answering(lambda *_: None))
    out = tmp_path / "power.png"
    dispatch(["spectrum", "run=RUN", "n=8", f"out={out}"])
    ((real, generated_, path),) = plotted
    assert (len(real.profiles), len(generated_.profiles), path) == (8, 5, out)
    content = json.loads(out.with_suffix(".json").read_text())
    assert content["frequencies"] == [0, 1, 2, 3, 4]
    assert (content["real_images"], content["generated_images"]) == (8, 5)
    assert content["real"] == [1.0] * 5
    assert capsys.readouterr().out.splitlines() == [
        "generated / real, mean of the upper half of the frequencies: +10.0 dB",
        "largest difference: -30.0 dB, at 1",
        str(out),
        str(out.with_suffix(".json")),
    ]


def test_the_protocol_of_a_space_of_features() -> None:
    given = {"backbone": "squeezenet", "weights": "w.pth", "allow_targets": ["mine"]}
    found = generated._protocol(EmbedOptions("RUN", **given))  # type: ignore[arg-type]
    assert found.metrics == ["fid"]
    assert {name: getattr(found, name) for name in given} == given
    check_space(EmbedOptions("RUN", pixels=True))
    for name in ("backbone", "weights"):
        with pytest.raises(InputError, match=f"^{name}: pixels"):
            check_space(EmbedOptions("RUN", pixels=True, **{name: "inception"}))  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "chosen"), [(1, [0]), (3, [0, 1, 2]), (60, range(60))])
def test_a_film_of_a_search_has_each_of_few_latents(count: int, chosen: Sequence[int]) -> None:
    film = search(count)
    assert film[:, 1].flatten(1)[:, 0].tolist() == [float(k) for k in chosen]
    assert (film[:, 0] == -1).all()


def test_a_film_of_a_long_search_has_sixty_frames_spread_evenly() -> None:
    shown = search(201)[:, 1].flatten(1)[:, 0].tolist()
    assert len(shown) == 60
    assert (shown[0], shown[-1]) == (0, 200)
    assert shown == [float(round(k * 200 / 59)) for k in range(60)]


def search(count: int) -> Tensor:
    """Return the film of a search whose image k has the level k."""
    problem: Any = SimpleNamespace(observed=torch.full((1, *FRAME), -1.0))

    def compute(space: object, latent: Tensor) -> Tensor:
        return latent.expand(1, *FRAME)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gan.algorithms.reconstruction.compute_images", compute)
        latents = [torch.tensor(float(k)) for k in range(count)]
        return project._film(None, problem, latents)  # type: ignore[arg-type]


def test_a_search_is_tracked_and_its_image_and_latent_are_written(
    written: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tracked, spaces, searches = Calls(), Calls(), Calls()
    space = SimpleNamespace(inputs=lambda latent: latent[None])
    problem = SimpleNamespace(
        observation="SEEN",
        observed=torch.full((1, *FRAME), -1.0),
        sheet=lambda image: torch.cat([image, image, -image]),
        errors=lambda image: [f"error {float(image.mean()):.1f}"],
    )

    class Projection:
        def __init__(self, *given: int) -> None:
            searches.append(given)

        def path(self, *given: Any) -> list[Tensor]:
            searches.append(given)
            return [torch.tensor([k / 4]) for k in range(4)]

    monkeypatch.setattr(project, "_problem", lambda options: ("GAME", problem, "LABEL"))
    monkeypatch.setattr("gan.algorithms.projection.Projection", Projection)
    latent_space = spaces.answering(lambda *_: space)
    monkeypatch.setattr("gan.algorithms.reconstruction.latent_space", latent_space)
    compute = lambda space, latent: latent.expand(1, *FRAME)  # noqa: E731
    monkeypatch.setattr("gan.algorithms.reconstruction.compute_images", compute)
    monkeypatch.setattr("gan.progress.track", tracked.answering(lambda path, *_: path))
    out = tmp_path / "found.png"
    given = ["run=RUN", "index=3", "steps=3", "seed=4", "extended=true", f"out={out}"]
    dispatch(["project", *given])
    assert spaces == [("GAME", "LABEL", 4, True)]
    assert searches == [(3, 4), (space, "SEEN")]
    assert [call[1:] for call in tracked] == [("projection", 4)]
    sheet, columns = written["found.png"]
    assert (columns, sheet[:, 0, 0, 0].tolist()) == (3, [0.75, 0.75, -0.75])
    assert torch.load(out.with_suffix(".pt"), weights_only=True).tolist() == [[0.75]]
    assert written["found.gif"].shape == (4, 2, *FRAME)
    places = [str(out.with_suffix(kind)) for kind in (".png", ".pt", ".gif")]
    assert capsys.readouterr().out.splitlines() == [*places, "steps: 3", "error 0.8"]


def test_the_image_of_a_search_is_read_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, sources, asked = Calls(), Calls(), Calls()
    game = SimpleNamespace(to=lambda device: ("GAME", str(device)))
    monkeypatch.setattr("gan.runs.checkpoints.load", loaded.answering(lambda *_: game))
    monkeypatch.setattr("gan.runs.folder.open_run", lambda *given: given)
    monkeypatch.setattr("gan.runs.observation.Source", sources.answering(lambda *_: "SOURCE"))
    read = asked.answering(lambda *_: ("PROBLEM", "Y"))
    monkeypatch.setattr("gan.runs.observation.read_problem", read)
    options = project.ProjectOptions(
        "RUN", "i.png", 3, "m.png", [1, 2, 3, 4], 0.5, True, 7, seed=4, data_root="ROOT"
    )
    options.checkpoint, options.allow_targets, options.device = "last", ["mine"], "cpu"
    found: Any = project._problem(options)
    assert found == (("GAME", "cpu"), "PROBLEM", "Y")
    assert loaded == [("RUN", "last", ["mine"], LatentGame)]
    assert sources == [("i.png", 3, "m.png", [1, 2, 3, 4], "ROOT")]
    assert asked == [(("RUN", ["mine"]), found[0], "SOURCE", 0.5, True, "7", 4)]
    options.label = None
    project._problem(options)
    assert asked[-1][-2] is None


@pytest.fixture
def translated(monkeypatch: pytest.MonkeyPatch, written: dict[str, Any]) -> Calls:
    """Let commands on pictures read no run; return the calls that they make."""
    calls = Calls()

    class Translation:
        def __init__(self, *given: Any) -> None:
            calls.append(given)

        def in_tiles(self, *given: Any) -> Callable[[Tensor], Tensor]:
            calls.append(given)
            return lambda image: -image

        def pictures(self, *given: Any, **named: bool) -> str:
            calls.append((*given, *named.values()))
            return "PICTURES"

        def degrading(self, seed: int) -> Callable[[int, Tensor], tuple[Tensor, Tensor]]:
            calls.append((seed,))
            return lambda number, image: (image + number, image / 2)

    monkeypatch.setattr("gan.runs.folder.open_run", lambda *given: given)
    monkeypatch.setattr("gan.runs.translation.RunTranslation", Translation)
    kept = calls.answering(lambda *_: None)
    monkeypatch.setattr("gan.commands.translations.write_translations", kept)
    return calls


PICTURES = ["run=RUN", "checkpoint=last", "allow_targets=[mine]", "device=cpu"]
RUN, CPU = ("RUN", ["mine"]), torch.device("cpu")


@pytest.mark.parametrize(
    ("given", "resize", "tiles"),
    [([], True, (None, None)), (["resize=false", "tile=8", "overlap=2"], False, (8, 2))],
)
def test_pictures_are_translated_in_a_direction(
    given: list[str], resize: bool, tiles: tuple[int, int], translated: Calls, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    out = tmp_path / "out"
    places = [f"images={tmp_path / 'in'}", f"out={out}"]
    dispatch(["translate", *PICTURES, *places, "direction=ba", *given])
    made, tiled, read, (written_to, pictures, convert) = translated
    assert made == (RUN, "last", "ba", CPU)
    assert (tiled, read) == (tiles, (tmp_path / "in", resize))
    assert (written_to, pictures) == (out, "PICTURES")
    stages = convert(3, images(2))
    assert len(stages) == 2
    assert torch.equal(stages[0], images(2))
    assert torch.equal(stages[1], -images(2))


@pytest.mark.parametrize("degrade", [True, False])
def test_pictures_are_restored_or_degraded_before(
    degrade: bool, translated: Calls, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    places = [f"images={tmp_path / 'in'}", f"out={tmp_path / 'out'}", "seed=5"]
    dispatch(["restore", *PICTURES, *places, f"degrade={degrade}", "tile=8", "overlap=2"])
    made, tiled, *seed, read, (_, _, convert) = translated
    assert (made, tiled) == ((RUN, "last", "ab", CPU), (8, 2))
    assert seed == [(5,)] * degrade
    assert read == (tmp_path / "in", False)
    stages, one = convert(3, images(2)), images(2)
    expected = [one + 3, one / 2, -one / 2] if degrade else [one, -one]
    for stage, image in zip(stages, expected, strict=True):
        assert torch.equal(stage, image)


@pytest.mark.parametrize("given", [["split=test"], ["images={}"]])
def test_pictures_are_classified(
    given: list[str], written: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls()

    class Classifier:
        def __init__(self, *given: Any) -> None:
            calls.append(given)

        def classify_pictures(self, *given: Any) -> str:
            calls.append(given)
            return "PICTURES"

        def classify_split(self, *given: Any) -> str:
            calls.append(given)
            return "SPLIT"

    monkeypatch.setattr("gan.runs.folder.open_run", lambda *given: given)
    monkeypatch.setattr("gan.runs.classification.RunClassifier", Classifier)
    monkeypatch.setattr("gan.commands.classify._write", calls.answering(lambda *_: None))
    (tmp_path / "in").mkdir()
    run = tmp_path / "run"
    common = [f"run={run}", "checkpoint=last", "allow_targets=[mine]", "device=cpu"]
    dispatch(["classify", *common, *(text.format(tmp_path / "in") for text in given)])
    made, asked, wrote = calls
    assert made == ((str(run), ["mine"]), "last", CPU)
    split = given == ["split=test"]
    assert asked == (("test", None) if split else (tmp_path / "in",))
    assert wrote == (run / "classes", "SPLIT" if split else "PICTURES")
    if split:
        dispatch(["classify", *common, "split=train", "data.root=ROOT", f"out={tmp_path / 'new'}"])
        assert calls[-2:] == [("train", "ROOT"), (tmp_path / "new", "SPLIT")]


@pytest.mark.parametrize("classes", [0, 10])
@pytest.mark.parametrize("labels", [None, [7]])
def test_images_are_reconstructed_with_their_labels(
    classes: int,
    labels: list[int] | None,
    written: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = Calls()
    real, own = images(3), torch.tensor([1, 2, 3])
    game = SimpleNamespace(
        generator=SimpleNamespace(num_classes=classes),
        reconstruct=calls.answering(lambda images, labels: images + 0.2),
    )
    opened = SimpleNamespace(labels=own, found=["cropped"], read=lambda rows: real[rows])
    loaded, sources = Calls(), Calls()
    found = loaded.answering(lambda *_: game)
    monkeypatch.setattr("gan.runs.encoding.load_autoencoder", found)
    monkeypatch.setattr("gan.runs.folder.open_run", lambda *given: given)

    def open_images(source: ImageSource, run: Any) -> Any:
        sources.append((source, run))
        return opened

    monkeypatch.setattr(ImageSource, "open", open_images)
    given = [f"labels={labels}"] * (labels is not None)
    root = ["split=train", "data.root=ROOT", "indices=[4,5,6]", "n=9"]
    common = ["run=RUN", "checkpoint=last", "allow_targets=[mine]"]
    dispatch(["reconstruct", *common, *given, *root])
    assert loaded == [("RUN", "last", ["mine"])]
    assert sources == [(ImageSource(None, "train", [4, 5, 6], 9, "ROOT"), RUN)]
    ((encoded, told),) = calls
    assert torch.equal(encoded, real)
    if labels is not None:
        assert told == ["7"]
    else:
        assert told is (own if classes else None)
    shown, columns = written["reconstruction.png"]
    assert (columns, torch.equal(shown[:3], real)) == (3, True)
    lines = ["cropped", "RUN/reconstruction.png", "PSNR 20.00 dB, mean of 3"]
    assert capsys.readouterr().out.splitlines() == lines
    dispatch(["reconstruct", *common, *given, *root, "columns=2"])
    assert written["reconstruction.png"][1] == 2


def test_real_images_are_read_of_files_or_of_a_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls()
    for name in ("images_of_files", "images_of_split"):
        kept = calls.answering(lambda *_: None)
        monkeypatch.setattr(f"gan.runs.real_images.{name}", kept)
    run: Any = "RUN"
    ImageSource(str(tmp_path), n=3).open(run)
    ImageSource(indices=[1], n=2, data_root="ROOT").open(run)
    ImageSource(split="train").open(run)
    assert calls == [
        ("RUN", tmp_path, 3),
        ("RUN", "test", [1], 2, "ROOT"),
        ("RUN", "train", None, None, None),
    ]


def test_rows_lead_between_pairs_of_real_images(
    written: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, sources = Calls(), Calls()
    real = images(5)

    class Opened(list[int]):
        labels = None

        def read(self, rows: slice) -> Tensor:
            return real[rows]

    game = SimpleNamespace(
        generator=SimpleNamespace(num_classes=0), labels_for=lambda *given: given
    )
    walk = calls.answering(lambda game, images, n, labels: torch.zeros(2, n, *FRAME))
    monkeypatch.setattr("gan.runs.encoding.load_autoencoder", lambda *_: game)
    monkeypatch.setattr("gan.runs.folder.open_run", lambda *given: given)
    monkeypatch.setattr("gan.algorithms.interpolation.interpolate_images", walk)

    def open_images(source: ImageSource, run: Any) -> Opened:
        sources.append((source, run))
        return Opened(range(5))

    monkeypatch.setattr(ImageSource, "open", open_images)
    given = ["split=train", "rows=3", "steps=2", "data.root=ROOT"]
    dispatch(["interpolate", "run=RUN", *given])
    assert sources == [(ImageSource(None, "train", None, 6, "ROOT"), ("RUN", []))]
    first, second = calls
    assert torch.equal(first[1], real[:4])
    assert (first[2:], second[2:]) == ((2, (2, None)), (5, (2, None)))
    shown, columns = written["interpolation.png"]
    assert columns == 4
    assert torch.equal(shown[[0, 3, 4, 7]], real[:4])
    assert (shown[[1, 2, 5, 6]] == 0).all()


@pytest.mark.parametrize("pixels", [True, False])
def test_the_run_and_the_space_of_generated_images(
    pixels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls()
    game = SimpleNamespace(to=lambda device: ("GAME", device))
    run: Any = SimpleNamespace(
        data=lambda root: ("DATA", root),
        config=SimpleNamespace(cache_dir="CACHE", backbone="STORED"),
    )
    monkeypatch.setattr("gan.runs.folder.open_run", calls.answering(lambda *_: run))
    monkeypatch.setattr("gan.runs.checkpoints.load_game", calls.answering(lambda *_: game))
    made = calls.answering(lambda *_: SimpleNamespace(real="REAL"))
    monkeypatch.setattr("gan.runs.generated.generated", made)
    options = EmbedOptions("RUN", pixels=pixels, seed=4, direction="ba", checkpoint="last")
    options.allow_targets, options.device, options.data_root = ["mine"], "cpu", "ROOT"
    found: Any = generated.open_generated(options)
    assert found == (run, SimpleNamespace(real="REAL"))
    assert calls == [RUN, (run, "last"), (("GAME", CPU), ("DATA", "ROOT"), 4, "ba")]
    calls.clear()
    config = SimpleNamespace(backbone="CONFIG")
    monkeypatch.setattr(generated, "compose_protocol", calls.answering(lambda *_: config))
    monkeypatch.setattr(generated, "build", calls.answering(lambda *_: "BACKBONE"))
    monkeypatch.setattr("gan.metrics.feature_space.BackboneSpace", lambda *given: given)
    images_: Any = SimpleNamespace(real="REAL")
    space: Any = generated.open_space(options, run, images_)
    if pixels:
        assert calls == []
    else:
        assert space == ("BACKBONE", "REAL", CPU)
        assert calls[0][1:] == ("CACHE", "STORED")
        assert calls[1] == ("CONFIG", ["mine"])
