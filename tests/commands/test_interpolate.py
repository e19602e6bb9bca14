from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from gan.algorithms.interpolation import interpolate, walk
from gan.algorithms.styles import Styles, truncating
from gan.commands.main import dispatch
from gan.commands.real_images import ImageSource
from gan.errors import InputError
from gan.networks.style import StyleGenerator
from gan.runs.checkpoints import load
from tests.callbacks.stage import game
from tests.commands.test_cli import MLP, TINY, cli
from tests.commands.test_mix import STYLED, TOLD, trained


@pytest.fixture(scope="module")
def conditional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of a model that knows ten classes."""
    run = tmp_path_factory.mktemp("interpolate") / "run"
    given = [*TINY, *MLP, "conditioning=projection", "steps=1"]
    assert cli(*given, f"hydra.run.dir={run}") == 0
    return run


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of an unconditional model."""
    run = tmp_path_factory.mktemp("interpolate") / "run"
    assert cli(*TINY, *MLP, "steps=1", f"hydra.run.dir={run}") == 0
    return run


def test_a_row_between_real_images_has_the_label_of_its_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[Any] = []

    class Opened(list[int]):
        labels: torch.Tensor | None = torch.tensor([3, 1, 4, 1, 5])

        def read(self, rows: slice) -> torch.Tensor:
            return torch.zeros(len(self[rows]), 1, 8, 8)

    def walk(*values: Any) -> torch.Tensor:
        given.append(values[-1])
        return torch.zeros(2, 3, 1, 8, 8)

    monkeypatch.setattr("gan.commands.interpolate.check_run", lambda *_: None)
    monkeypatch.setattr("gan.runs.folder.Run", lambda *_: None)
    monkeypatch.setattr("gan.runs.encoding.load_autoencoder", lambda *_: game(num_classes=10))
    monkeypatch.setattr("gan.algorithms.interpolation.interpolate_images", walk)
    monkeypatch.setattr(ImageSource, "open", lambda self, run: Opened(range(5)))
    common = ["interpolate", "run=x", "rows=2", "split=test", "gif=false"]
    for labels in ([], ["labels=[7,8]"]):
        dispatch([*common, f"out={tmp_path / 'way.png'}", *labels])
    assert [labels.tolist() for labels in given] == [[3, 4], [7, 8]]
    monkeypatch.setattr(Opened, "labels", None)
    dispatch([*common, f"out={tmp_path / 'way.png'}"])  # pictures have none
    assert given[-1].tolist() == [0, 1]


def test_a_picture_and_an_animation(
    conditional: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "way.png"
    dispatch(["interpolate", f"run={conditional}", "rows=3", "steps=5", f"out={out}"])
    assert capsys.readouterr().out.split() == [str(out), str(out.with_suffix(".gif"))]
    with Image.open(out) as picture:
        assert picture.format == "PNG"
        # images of 16 pixels between bars of 2
        factor = picture.width // (5 * 18 + 2)
        assert picture.size == (factor * (5 * 18 + 2), factor * (3 * 18 + 2))
    with Image.open(out.with_suffix(".gif")) as film:
        assert film.format == "GIF"
        assert film.n_frames == 2 * 16  # type: ignore[attr-defined]
        assert film.info["loop"] == 0


def test_they_lie_in_the_run_folder_by_default(
    plain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dispatch(["interpolate", f"run={plain}", "rows=1", "steps=2", "gif=false"])
    assert capsys.readouterr().out.strip() == str(plain / "interpolation.png")
    assert (plain / "interpolation.png").is_file()
    assert not (plain / "interpolation.gif").exists()


def test_rows_lead_from_sample_to_sample(plain: Path) -> None:
    game = load(plain)
    images = interpolate(game, rows=3, steps=6, seed=4)
    assert images.shape == (3, 6, 1, 16, 16)
    samples = game.sample(6, seed=4)
    torch.testing.assert_close(images[:, 0], samples[::2])
    torch.testing.assert_close(images[:, -1], samples[1::2])
    z = game.prior.sample_each(4, range(2))
    middle = game.prior.interpolate(z[0], z[1], torch.tensor([0.4]))
    torch.testing.assert_close(images[0, 2], game.decode(middle[None])[0])
    assert (images[:, 0] - images[:, 2]).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("labels", "expected"), [(None, [0, 1, 2]), ([7], [7, 7, 7]), ([3, 1, 3], [3, 1, 3])]
)
def test_the_label_is_the_same_all_along_a_row(
    conditional: Path, labels: list[int] | None, expected: list[int]
) -> None:
    game = load(conditional)
    images = interpolate(game, rows=3, steps=4, labels=labels)
    z = game.prior.sample_each(0, range(6))
    t = torch.linspace(0, 1, 4)[:, None]
    for row, label in enumerate(expected):
        latents = game.prior.interpolate(z[2 * row], z[2 * row + 1], t)
        torch.testing.assert_close(images[row], game.decode(latents, [label]))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("rows=0", "rows=0 must be 1 or more"),
        ("steps=1", "steps=1 2 or more"),
        ("seed=-1", "seed=-1"),
        ("out=way.jpg", r"out=way\.jpg.*\.png"),
        ("labels=[1,2]", "2 given for rows=8"),
        ("labels=[10]", r"0\.\.9"),
        ("checkpoint=best", "has no best.ckpt"),
        ("row=1", "did you mean 'rows'"),
    ],
)
def test_impossible_pictures(conditional: Path, given: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dispatch(["interpolate", f"run={conditional}", given])


def test_labels_of_a_model_without_classes(plain: Path) -> None:
    with pytest.raises(InputError, match="unconditional"):
        dispatch(["interpolate", f"run={plain}", "labels=[1]"])


@pytest.mark.parametrize("given", ["plain", "conditional"])
def test_decoding_the_latents_of_samples_gives_the_samples(
    given: str, request: pytest.FixtureRequest
) -> None:
    game = load(request.getfixturevalue(given))
    modes: list[bool] = []
    game.averaged.register_forward_pre_hook(lambda network, _: modes.append(network.training))
    game.train()
    images = game.decode(game.prior.sample_each(2, range(250)))
    assert torch.equal(images, game.sample(250, seed=2))
    torch.testing.assert_close(images[100:], game.generate(2, range(100, 250)))
    assert images.dtype == torch.float32
    assert not images.requires_grad
    assert game.averaged.training
    assert not any(modes)


def test_latents_that_do_not_fit(plain: Path) -> None:
    with pytest.raises(InputError, match=r"latents of shape \(2, 3\): give \(n, \d+\)"):
        load(plain).decode(torch.zeros(2, 3))


@pytest.fixture(params=[[], [TOLD]], ids=["unconditional", "conditional"])
def styled(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Return the folder of a run of a style generator."""
    return trained(tmp_path_factory.getbasetemp(), *STYLED, *request.param)


def test_straight_lines_between_styles(styled: Path) -> None:
    game = load(styled)
    generator = game.averaged
    assert isinstance(generator, StyleGenerator)
    images = interpolate(game, rows=2, steps=5, seed=4)
    labels = torch.tensor([0, 1]) if game.generator.num_classes else None
    with torch.no_grad():
        z = game.prior.sample_each(4, range(4))
        a, b = (generator.styles(end, labels) for end in (z[::2], z[1::2]))
        for column, t in enumerate([0.0, 0.25, 0.5, 0.75, 1.0]):
            expected = generator.synthesise((1 - t) * a + t * b)
            torch.testing.assert_close(images[:, column], expected, atol=1e-5, rtol=1e-4)


def test_the_priors_way_for_a_style_generator(styled: Path) -> None:
    game = load(styled)
    straight, bent = (interpolate(game, 2, 5, seed=4, styles=styles) for styles in (None, False))
    torch.testing.assert_close(straight[:, [0, 4]], bent[:, [0, 4]])
    assert (straight[:, 2] - bent[:, 2]).abs().max() > 1e-4
    z = game.prior.sample_each(4, range(2))
    middle = game.prior.interpolate(z[:1], z[1:], torch.tensor([[0.5]]))
    torch.testing.assert_close(bent[0, 2], game.decode(middle)[0])


def test_a_run_without_styles_takes_the_priors_way(plain: Path) -> None:
    game = load(plain)
    first, second = (interpolate(game, 1, 3, styles=styles) for styles in (None, False))
    assert torch.equal(first, second)


def test_a_walk_leads_from_latent_to_latent(conditional: Path) -> None:
    game = load(conditional)
    z, y = game.prior.sample_each(3, range(3)), torch.tensor([7, 2, 2])
    images = walk(game, z, y, steps=5)
    assert images.shape == (2, 5, 1, 16, 16)
    torch.testing.assert_close(images[:, 0], game.decode(z[:2], y[:2]))
    torch.testing.assert_close(images[:, -1], game.decode(z[1:], y[1:]))
    between = game.prior.interpolate(z[0], z[1], torch.tensor([[0.5], [0.75]]))
    torch.testing.assert_close(images[0, 2:4], game.decode(between, torch.tensor([7, 2])))


def test_a_walk_between_styles_of_two_classes_truncated(styled: Path) -> None:
    game = load(styled)
    generator, classes = game.averaged, game.generator.num_classes
    assert isinstance(generator, StyleGenerator)
    z, y = game.prior.sample_each(1, range(2)), torch.tensor([4, 1]) if classes else None
    generator.w_mean.fill_(0.3)
    with truncating(generator, 0.5):
        images = walk(game, z, y, steps=3)
    assert generator.psi == 1
    w = torch.lerp(generator.w_mean, Styles(game).of(z, y), 0.5)
    expected = Styles(game).images(torch.stack([w[0], (w[0] + w[1]) / 2, w[1]]))
    torch.testing.assert_close(images[0], expected)
    assert (images[0, 0] - images[0, 2]).abs().max() > 1e-5
