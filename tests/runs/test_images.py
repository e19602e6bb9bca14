"""Images that a run draws, reads, encodes or classifies, in batches and with their progress."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor

from gan.algorithms.class_names import ClassNames
from gan.conditioning.auxiliary import Auxiliary
from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.latents import keyed_generator
from gan.runs import classification, encoding, generated, observation, pictures, real_images
from gan.runs.classification import Predictions, RunClassifier
from gan.runs.encoding import Encoding, LearnedEncoding, SearchedStyles, encoding_of
from gan.runs.generated import Samples, Translated, real_batches, real_indices
from gan.runs.observation import Source, read_problem
from gan.runs.real_images import ImagesOfFiles, ImagesOfSplit, images_of_files, images_of_split
from tests.algorithms import test_acgan
from tests.algorithms.translating import conditional, cycle
from tests.calls import noting, noting_all


class Data:
    """Images whose pixels are their numbers.

    Args:
        count: of the images of the split "test".
        labelled: label k mod 3 of image k.
    """

    name, channels, resolution, num_classes = "digits", 1, 8, 3

    def __init__(self, count: int, labelled: bool = True) -> None:
        self.count, self.labels = count, torch.arange(count) % 3 if labelled else None
        self.asked: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        return self.count

    def split(self, name: str) -> "Data":
        if name != "test":
            raise ValueError(name)
        return self

    def images(self, rows: Tensor) -> Tensor:
        return rows.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)

    def batch(self, split: str, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        assert split == "test"
        return self.images(rows).float(), None

    def reals(self, split: str, size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        for rows in torch.split(torch.arange(self.count), size):
            yield self.batch(split, rows)


class Files:
    """Pictures of files whose pixels are the numbers in their names."""

    found = ("cropped",)

    def __init__(self, *names: str) -> None:
        self.names = names

    def read(self, name: str) -> Tensor:
        number = int("".join(filter(str.isdigit, name)))
        return torch.full((1, 8, 8), number, dtype=torch.uint8)


def run_of(data: Data, **given: Any) -> Any:
    """Return a run with that data."""
    found = SimpleNamespace(path=Path("run"), allow_targets=["mine"], **given)
    found.data = noting(data.asked, data)
    found.config = OmegaConf.create({"data": {"resolution": 8, "channels": 1}})
    return found


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """Return each bar of progress that was shown, its total, unit and what was counted."""
    found: dict[str, list[Any]] = {}

    class Bar:
        def __init__(self, name: str, total: int, unit: str) -> None:
            self.counts = found[name] = [total, unit]

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: int) -> None:
            self.counts.append(count)

    for module in (generated, encoding, classification):
        monkeypatch.setattr(module, "bar", Bar)
    return found


class Numbers(generated.Generated):
    """Images that are their numbers.

    Args:
        most: how many there are.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most

    @property
    def most(self) -> int | None:
        return self._most

    def images(self, indices: range) -> Tensor:
        return torch.tensor(indices)


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (100, [100]), (250, [100, 100, 50])])
def test_generated_images_in_batches(count: int, sizes: list[int], shown: dict[str, Any]) -> None:
    parts = [*Numbers(250).batches(count)]
    assert [len(part) for part in parts] == sizes
    assert [int(k) for part in parts for k in part] == [*range(count)]
    assert shown["generated images"] == [count, "img", *sizes]
    assert len([*Numbers(None).batches(count)]) == len(sizes)
    with pytest.raises(InputError, match=r"^n=251: the run has 250 sources to translate"):
        next(Numbers(250).batches(251))


def test_real_images_in_batches(shown: dict[str, Any]) -> None:
    indices = torch.arange(150, 0, -1)
    data: Any = Data(200)
    parts = [*real_batches(data, "test", indices)]
    assert [len(part) for part in parts] == [100, 50]
    assert torch.equal(torch.cat(parts)[:, 0, 0, 0], indices.float())
    assert shown["real images"] == [150, "img", 100, 50]


@pytest.mark.parametrize(("count", "drawn"), [(None, False), (20, False), (21, False), (19, True)])
def test_indices_of_real_images(count: int | None, drawn: bool) -> None:
    data: Any = Data(20)
    found = real_indices(data, "test", count, seed=5)
    if drawn:
        order = torch.randperm(20, generator=keyed_generator(5, 0, 7))
        assert torch.equal(found, order[:19])
        assert not torch.equal(found, real_indices(data, "test", count, seed=6))
    else:
        assert torch.equal(found, torch.arange(20))
    with pytest.raises(InputError, match="split=train: digits has none: give another"):
        real_indices(data, "train", count, seed=5)


def test_images_of_a_game() -> None:
    game, data = test_acgan.game(Auxiliary(3)), Data(5)
    found = generated.generated(game, data, 7, None)
    assert isinstance(found, Samples)
    kept: Any = (found.game, found.real, found.seed, found.most)
    assert kept == (game, data, 7, None)
    images = found.images(range(2, 4))
    assert (images.dtype, images.device.type) == (torch.float32, "cpu")
    torch.testing.assert_close(images, game.generate(7, range(2, 4)).float())
    with pytest.raises(InputError, match="direction=ab: the run draws from latents: leave it out"):
        generated.generated(game, data, 7, "ab")
    points: Any = SimpleNamespace(channels=2, resolution=1)
    with pytest.raises(InputError, match="it draws points"):
        generated.generated(game, points, 7, None)
    with pytest.raises(InputError, match="its model is no game of this project"):
        generated.generated(object(), data, 7, None)


def test_translations_of_a_game() -> None:
    both: Any = SimpleNamespace(domains={"a": Data(4), "b": Data(6)}, paired=True, task=None)
    game = cycle()
    for direction, target, count in ((None, "b", 4), ("ab", "b", 4), ("ba", "a", 6)):
        found = generated.generated(game, both, 0, direction)
        assert isinstance(found, Translated)
        assert (found.real, found.most) == (both.domains[target], count)
        sources = Data(9).batch("test", torch.tensor([1, 2]))[0]
        expected = game.translate(sources, direction or "ab")
        torch.testing.assert_close(found.images(range(1, 3)), expected)
    with pytest.raises(InputError, match="direction"):
        generated.generated(conditional(), both, 0, "ba")


def test_images_of_a_split() -> None:
    data = Data(10)
    found = images_of_split(run_of(data), "test", [7, 2, 5], 2, "/here")
    assert data.asked == [("/here",)]
    assert isinstance(found, ImagesOfSplit)
    assert (found.names, len(found)) == (["7", "2"], 2)
    assert found.labels is not None
    assert found.labels.tolist() == [1, 2]
    assert [part[:, 0, 0, 0].tolist() for part in found.batches(1)] == [[7], [2]]
    first = images_of_split(run_of(data), "test", None, 3, None)
    assert first.names == ["0", "1", "2"]
    assert len(images_of_split(run_of(data), "test", None, None, None)) == 10
    assert (
        images_of_split(run_of(Data(4, labelled=False)), "test", [0, 3], None, None).labels is None
    )
    for wrong in ([10], [-1], [0, 10]):
        with pytest.raises(InputError, match=r"^indices=.*: the test images of digits are 0\.\.9"):
            images_of_split(run_of(data), "test", wrong, None, None)
    with pytest.raises(InputError, match="split=train: digits has none: give another, or images="):
        images_of_split(run_of(data), "train", None, None, None)


def test_images_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    files = Files("a0.png", "b255.png", "c9.png")
    monkeypatch.setattr(real_images, "find_pictures", noting(asked, files))
    run = run_of(Data(1))
    found = images_of_files(run, Path("x"), 2)
    assert asked == [(run.config, Path("x"), 8)]
    assert isinstance(found, ImagesOfFiles)
    assert (found.names, found.labels, found.found) == (["a0.png", "b255.png"], None, ("cropped",))
    (images,) = found.batches(5)
    assert images[:, 0, 0, 0].tolist() == [-1.0, 1.0]
    assert len(images_of_files(run, Path("x"), None)) == 3


class Doubled(Encoding):
    """Twice the first pixel of an image, and its label.

    Args:
        size: of a batch.
    """

    title = "encoding"

    def __init__(self, size: int) -> None:
        self._size = size

    @property
    def batch(self) -> int:
        return self._size

    def encode(self, images: Tensor, labels: Tensor | None) -> Tensor:
        first = 2 * images[:, 0, 0, :1]
        return first if labels is None else torch.cat([first, labels[:, None].float()], 1)


@pytest.mark.parametrize("labelled", [True, False])
def test_all_images_are_encoded_with_their_labels(labelled: bool, shown: dict[str, Any]) -> None:
    images = ImagesOfSplit(Data(9, labelled), "test", torch.tensor([1, 3, 8, 2, 4]))
    found = Doubled(2).encode_all(images)
    assert found[:, 0].tolist() == [2, 6, 16, 4, 8]
    assert not labelled or found[:, 1].tolist() == [1, 0, 2, 2, 1]
    assert shown["encoding"] == [5, "img", 2, 2, 1]


def test_the_encoding_of_a_game(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    example = torch.ones(1, 1, 8, 8)
    game: Any = SimpleNamespace(encode=noting(tried, example), averaged=None)
    found = encoding_of(game, example, 3, 4)
    assert isinstance(found, LearnedEncoding)
    assert (found.batch, found.encode(example, None) is example, len(tried)) == (100, True, 2)
    monkeypatch.setattr(encoding, "StyleGenerator", type(None))
    searched = encoding_of(game, example, 3, 4)
    assert isinstance(searched, SearchedStyles)
    assert (searched.batch, searched.seed, searched.search.steps) == (1, 4, 3)


@pytest.mark.parametrize("classes", [0, 3])
def test_a_search_for_styles(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(encoding, "latent_space", noting_all(asked, "space"))
    game: Any = SimpleNamespace(
        generator=SimpleNamespace(num_classes=classes), device=torch.device("cpu")
    )
    styles = SearchedStyles(game, 3, 4)
    seen: list[Any] = []

    def path(space: str, found: Any) -> Iterator[Tensor]:
        seen.append((space, found))
        yield torch.zeros(1, 2, 3)
        yield torch.ones(1, 2, 3, dtype=torch.float64)

    monkeypatch.setattr(styles.search, "path", path)
    image, labels = torch.rand(1, 2, 8, 8), torch.tensor([2])
    latent = styles.encode(image, labels)
    assert torch.equal(latent, torch.ones(1, 6))
    assert latent.dtype == torch.float32
    (((given, y, seed), named),) = asked
    assert (given, seed, named) == (game, 4, {"extended": False})
    assert (y is None) if not classes else torch.equal(y, labels)
    ((space, found),) = seen
    assert space == "space"
    assert torch.equal(found.image, image)
    assert torch.equal(found.known, torch.ones(1, 1, 8, 8))
    if classes:
        with pytest.raises(InputError, match="the model is conditional, and files have no labels"):
            styles.encode(image, None)
    else:
        assert styles.encode(image, None).shape == (1, 6)


class Classifying:
    """A classifier that takes images of pixel k for class k mod 3, with growing certainty."""

    num_classified, classifier_name = 3, "the discriminator"
    class_names = ClassNames(("cat", "dog", "owl"))

    def to(self, device: Any) -> "Classifying":
        return self

    def classify(self, images: Tensor) -> Tensor:
        k = images[:, 0, 0, 0].round()
        chosen = torch.nn.functional.one_hot(k.long() % 3, 3)
        return chosen * (1 + k[:, None] / 100)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what is loaded in the place of a run."""
    asked: list[Any] = []
    monkeypatch.setattr(classification, "load", noting(asked, Classifying()))
    return asked


def test_predictions_for_a_split(loaded: list[Any], shown: dict[str, Any]) -> None:
    data = Data(130)
    classifier = RunClassifier(run_of(data), "last", torch.device("cpu"))
    assert loaded[0][:3] == (Path("run"), "last", ["mine"])
    found = classifier.classify_split("test", "/root")
    assert data.asked == [("/root",)]
    assert found.files == [f"test/{k}" for k in range(130)]
    assert found.classes.tolist() == [k % 3 for k in range(130)]
    assert found.labels is data.labels
    assert found.names == ["cat", "dog", "owl"]
    assert (found.classifier, found.found) == ("the discriminator", ())
    logits = torch.tensor([0.0, 1.01, 0.0]).softmax(0)
    assert found.probabilities[1].item() == pytest.approx(logits[1].item())
    assert [*found.rows()][1] == ("test/1", "dog", f"{logits[1].item():.6f}")
    assert shown["images"] == [130, "img", 100, 30]
    with pytest.raises(InputError, match="split=train: digits has none"):
        classifier.classify_split("train")


@pytest.mark.usefixtures("loaded")
def test_predictions_for_pictures(monkeypatch: pytest.MonkeyPatch, shown: dict[str, Any]) -> None:
    files = Files(*(f"{('cat', 'dog')[k % 2]}/{k}.png" for k in range(120)))
    asked: list[Any] = []
    monkeypatch.setattr(classification, "find_pictures", noting(asked, files))
    run = run_of(Data(1))
    seen: list[Tensor] = []

    def classify(self: Classifying, images: Tensor) -> Tensor:
        seen.append(images)
        return torch.zeros(len(images), 3)

    monkeypatch.setattr(Classifying, "classify", classify)
    found = RunClassifier(run, None, torch.device("cpu")).classify_pictures(Path("x"))
    assert asked == [(run.config, Path("x"), 8)]
    assert (found.files, found.found) == ([*files.names], ("cropped",))
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1] * 60
    assert [len(images) for images in seen] == [100, 20]
    torch.testing.assert_close(seen[1][3, 0, 0, 0].item(), 103 / 127.5 - 1)
    assert shown["images"] == [120, "img", 100, 20]


def test_a_run_without_a_classifier(loaded: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Classifying, "num_classified", 0)
    with pytest.raises(InputError, match="its Classifying has no classifier: train model=acgan"):
        RunClassifier(run_of(Data(1)), None, torch.device("cpu"))
    assert len(loaded) == 1


def test_predictions_must_fit() -> None:
    one = torch.zeros(1)
    with pytest.raises(ValueError, match="shorter"):
        list(Predictions(["a", "b"], one.long(), one, None, ["x"], "it").rows())


def known(**given: Any) -> Tensor:
    return Source(**given).known(torch.Size((3, 4, 6)))


@pytest.mark.parametrize(
    ("hole", "inside"),
    [
        ([0, 0, 1, 1], True),
        ([1, 2, 3, 4], True),
        ([0, 0, 4, 5], True),
        ([0, 1, 5, 1], False),
        ([0, 1, 1, 6], False),
        ([-1, 0, 2, 2], False),
        ([0, -1, 2, 2], False),
        ([0, 0, 0, 2], False),
        ([0, 0, 2, 0], False),
        ([3, 0, 2, 2], False),
        ([0, 5, 2, 2], False),
    ],
)
def test_a_hole_lies_within_the_image(hole: list[int], inside: bool) -> None:
    if not inside:
        with pytest.raises(InputError, match=r"give \[top,left,height,width\] within 4x6"):
            known(hole=hole)
        return
    top, left, height, width = hole
    expected = torch.ones(1, 1, 4, 6)
    expected[0, 0, top : top + height, left : left + width] = 0
    assert torch.equal(known(hole=hole), expected)


def test_known_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch.equal(known(), torch.ones(1, 1, 4, 6))
    asked: list[Any] = []
    levels = torch.linspace(-1, 1, 24).view(1, 1, 4, 6)
    monkeypatch.setattr(observation, "read_picture", noting(asked, levels))
    assert torch.equal(known(mask="m"), (levels > 0).float())
    assert asked == [("mask", "m", torch.Size((1, 4, 6)))]
    blank = torch.zeros(1, 1, 4, 6)
    monkeypatch.setattr(observation, "read_picture", lambda *given: blank)
    for given in ({"mask": "m"}, {"hole": [0, 0, 4, 6]}):
        with pytest.raises(InputError, match="it leaves no pixel: white is what is known"):
            known(**given)


def test_an_image_of_the_test_split(monkeypatch: pytest.MonkeyPatch) -> None:
    data, shape = Data(10), torch.Size((1, 8, 8))
    image, label = Source(index=7, data_root="/r").read(run_of(data), shape)
    assert data.asked == [("/r",)]
    assert (image.shape, label) == ((1, 1, 8, 8), 1)
    torch.testing.assert_close(image[0, 0, 0, 0].item(), 7 / 127.5 - 1)
    assert Source(index=0).read(run_of(Data(2, labelled=False)), shape)[1] is None
    assert Source(index=9).read(run_of(data), shape)[1] == 0
    for index in (-1, 10):
        with pytest.raises(InputError, match=rf"index={index}: .* of digits are 0\.\.9"):
            Source(index=index).read(run_of(data), shape)
    monkeypatch.setattr(observation, "read_picture", lambda *given: given)
    read: Any = Source(image="a").read(run_of(data), shape)
    assert read == (("image", "a", shape), None)


@pytest.mark.parametrize(
    ("classes", "label", "own", "expected"),
    [(0, None, 2, None), (3, None, 2, 2), (3, 1, 2, 1), (3, "1", None, 1), (3, None, None, "add")],
)
def test_the_label_of_a_problem(
    classes: int, label: Any, own: int | None, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = test_acgan.game(Auxiliary(classes) if classes else Unconditional())
    drawn = torch.rand(1, 1, 8, 8)
    monkeypatch.setattr(Source, "read", lambda self, run, shape: (drawn, own))
    source, run = Source(hole=[0, 0, 2, 2]), run_of(Data(1))
    if expected == "add":
        with pytest.raises(InputError, match="label: the model of run knows classes: add label=K"):
            read_problem(run, game, source, label=label)
        return
    problem, y = read_problem(run, game, source, 0.5, True, label, seed=3)
    assert (None if y is None else y.tolist()) == (None if expected is None else [expected])
    assert torch.equal(problem.image, drawn)
    again, other = (read_problem(run, game, source, 0.5, True, label, k)[0] for k in (3, 4))
    assert torch.equal(problem.observation.image, again.observation.image)
    assert not torch.equal(problem.observation.image, other.observation.image)
    plain = read_problem(run, game, source, 0.5, label=label)[0]
    assert torch.equal(plain.observation.image, drawn)
    assert (
        plain.observation.noise,
        read_problem(run, game, source, label=label)[0].observation.noise,
    ) == (0.5, 0)
    assert plain.observation.known.sum() == 60


def test_points_are_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    game: Any = SimpleNamespace(sample=lambda n: torch.zeros(n, 2, 1, 1))
    with pytest.raises(InputError, match="run=run: it draws points"):
        read_problem(run_of(Data(1)), game, Source(index=0))


@pytest.mark.parametrize("domain", ["", "a", "c"])
def test_pictures_are_read_as_data(domain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Any] = []
    monkeypatch.setattr(pictures, "build", noting(built))
    data = {"channels": 3, "crop": "none", "a": {"crop": "centre", "background": "white"}}
    config = OmegaConf.create({"data": data})
    pictures.find_pictures(config, Path("x"), 8 if domain else None, domain)
    like = {"crop": "centre", "background": "white"} if domain == "a" else {"crop": "none"}
    target = "datamodules.picture_files.PictureFiles"
    fixed = {"_target_": target, "root": "x", "channels": 3, "resolution": 8 if domain else None}
    assert built == [({**fixed, **like},)]
