"""What the panels of a page answer, without a browser."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image, ImageSequence
from torch import Tensor

from gan.algorithms.directions import Walks
from gan.algorithms.interpolation import interpolate_images, walk
from gan.algorithms.styles import mix, truncate, truncating
from gan.algorithms.traversal import traverse
from gan.backbones.pixels import to_uint8
from gan.demo.model import Model, as_grid
from tests.demo.kinds import FILE, KINDS, SIDE, components, model_of

gr = pytest.importorskip("gradio", reason="the page needs gradio")


def open_panel(kind: Any, model: Model) -> Any:
    """Return a panel of a model that it suits."""
    assert kind.suits(model)
    return kind(model)


def pixels(picture: Image.Image) -> Tensor:
    """Return a gray picture as uint8 (H, W)."""
    return torch.tensor(list(picture.getdata()), dtype=torch.uint8).view(picture.size[::-1])


def check(shown: list[Any], images: Tensor) -> None:
    """Compare pictures of a gallery with images."""
    assert len(shown) == len(images)
    for (picture, _), image in zip(shown, to_uint8(images), strict=True):
        assert pixels(picture).equal(image[0])


@pytest.fixture(scope="module")
def classes() -> Model:
    return model_of("classes")


@pytest.fixture(scope="module")
def styles() -> Model:
    return model_of("styles")


@pytest.mark.parametrize("kind", KINDS)
def test_components_are_those_stored(kind: str) -> None:
    stored = json.loads(FILE.read_text())[kind]
    assert json.loads(json.dumps(components(kind))) == stored, "python -m tests.demo.kinds"


def test_samples_of_a_seed_and_a_class(classes: Model) -> None:
    from gan.demo.samples import SamplePanel

    panel, game = open_panel(SamplePanel, classes), classes.game
    drawn, shown, picked, told, *walks = panel.draw(3, 12, None, 3.0)
    check(shown, game.sample(12, 3))
    assert (picked, told, walks) == ([], "Nothing is picked.", [None, None])
    assert (drawn.seed, drawn.count, drawn.truncation) == (3, 12, 3.0)
    y = torch.full((5,), 7)
    check(panel.draw(2, 5, "7", 3.0)[1], game.sample(5, 2, y))
    check(panel.draw(2, 5, "7", 0.4)[1], game.decode(game.latents(5, 2, 0.4), y, 2))
    assert len(panel.draw(0, 900, None, 3.0)[1]) == 64
    with pytest.raises(gr.Error, match="Seed: give a whole number from 0"):
        panel.draw(1.5, 4, None, 3.0)
    with pytest.raises(gr.Error, match="Images: give a whole number from 1"):
        panel.draw(1, 0, None, 3.0)


def test_samples_of_styles_take_psi(styles: Model) -> None:
    from gan.demo.samples import SamplePanel

    shown = open_panel(SamplePanel, styles).draw(1, 4, None, 0.5)[1]
    with truncating(styles.game.averaged, 0.5):
        expected = styles.game.sample(4, 1)
    full = to_uint8(expected).permute(0, 2, 3, 1).squeeze(-1)
    assert [pixels(picture).tolist() for picture, _ in shown] == full.tolist()


def test_picks_and_the_walk_between_them(classes: Model) -> None:
    from gan.demo.samples import SamplePanel

    panel, game = open_panel(SamplePanel, classes), classes.game
    grid = [(f"{k}.png", None) for k in range(4)]
    drawn = panel.draw(5, 4, "1", 3.0)[0]
    assert panel.show_walk(drawn, [2]) == (None, None)
    picked: list[int] = []
    for number in (2, 0, 3, 2):
        gallery, picked, told = panel.pick(grid, picked, SimpleNamespace(index=number))
    assert (picked, told) == ([0, 3], "Picked: 0, 3")
    assert [entry["caption"] for entry in gallery.value] == ["1", None, None, "2"]
    strip, film = panel.show_walk(drawn, picked)
    z, y = game.latents(4, 5, None)[[0, 3]], torch.ones(2).long()
    rows = walk(game, z, y, 8).flatten(0, 1)
    assert strip.tobytes() == as_grid(rows, 8).tobytes()
    with Image.open(film) as opened:
        assert opened.size == (240, 240)
        frames = [frame.info["duration"] for frame in ImageSequence.Iterator(opened)]
    assert sum(frames) == 60 * (2 * 29 - 2)  # there and back, each end once
    *_, told, strip, film = panel.clear(grid)
    assert (told, strip, film) == ("Nothing is picked.", None, None)


def test_codes() -> None:
    from gan.demo.codes import CodePanel

    model = model_of("codes")
    panel, game = open_panel(CodePanel, model), model.game
    assert panel.names == ["category 1", "continuous 1", "continuous 2"]
    z = game.prior.replace(game.prior.sample_each(4, range(16)), [7], [0.5, -1.0])
    check(panel.draw(4, None, 7, 0.5, -1.0), game.decode(z, None, 4))
    blocks = traverse(game, 5, 10, 2.0, 3, None)
    for name, block in zip(panel.names, blocks, strict=True):
        expected = as_grid(block.flatten(0, 1), block.shape[1])
        assert panel.traverse(name, 3, None).tobytes() == expected.tobytes()


def test_styles(styles: Model) -> None:
    from gan.demo.styles import DirectionPanel, MixingPanel, TruncationPanel

    game, labels = styles.game, [3] * 4
    mixed = mix(game, range(2), range(2, 5), [1, 3], 6, [3] * 5)
    shown = open_panel(MixingPanel, styles).draw(6, "3", 2, 3, 1, 3)
    assert shown.tobytes() == as_grid(mixed.flatten(0, 1), 4).tobytes()
    with pytest.raises(Exception, match="the first, 3, lies above the last, 1"):
        open_panel(MixingPanel, styles).draw(6, "3", 2, 3, 3, 1)
    rows = truncate(game, (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25), 4, 6, labels)
    shown = open_panel(TruncationPanel, styles).draw(6, "3")
    assert shown.tobytes() == as_grid(rows.flatten(0, 1), 7).tobytes()
    walks = Walks(game, 2, 1.5, 4, None, 6, labels).images(1, 7)
    shown = open_panel(DirectionPanel, styles).draw(6, "3", 2, 1.5)
    assert shown.tobytes() == as_grid(walks.flatten(0, 1), 7).tobytes()


def file_of(image: Tensor, path: Path) -> str:
    """Write an image (1, R, R) as a picture, and return its path."""
    Image.fromarray(to_uint8(image[None])[0, 0].numpy()).save(path)
    return str(path)


def test_encoding(tmp_path: Path) -> None:
    from gan.demo.uploads import EncodingPanel

    model = model_of("encoder")
    game = model.game
    images = to_uint8(torch.linspace(-1, 1, 2 * SIDE**2).view(2, 1, SIDE, SIDE)) / 127.5 - 1
    paths = [file_of(image, tmp_path / f"{k}.png") for k, image in enumerate(images)]
    shown, strip, _ = open_panel(EncodingPanel, model).encode(*paths, None)
    found = game.reconstruct(images, None)
    check(shown[::2], images)
    check(shown[1::2], found)
    noise = [(a - b).square().mean() for a, b in zip(found, images, strict=True)]
    told = [name for _, name in shown]
    assert told[::2] == ["picture"] * 2
    assert told[1::2] == [f"PSNR {float(10 * (4 / m).log10()):.1f} dB" for m in noise]
    rows = interpolate_images(game, images, 10, None)[0]
    expected = as_grid(torch.cat([images[:1], rows, images[1:]]), 12)
    assert strip.tobytes() == expected.tobytes()
    shown, strip, _ = open_panel(EncodingPanel, model).encode(paths[0], None, None)
    assert (len(shown), strip) == (2, None)


def test_classifying_and_projecting(tmp_path: Path) -> None:
    from gan.demo.uploads import ClassifyPanel, ProjectionPanel

    model = model_of("classifier")
    image = to_uint8(torch.linspace(-1, 1, SIDE**2).view(1, 1, SIDE, SIDE)) / 127.5 - 1
    path = file_of(image[0], tmp_path / "a.png")
    shown, shares, _ = open_panel(ClassifyPanel, model).classify(path)
    check(shown, image)
    expected = model.game.classify(image).softmax(1)[0].tolist()
    assert shares == pytest.approx({str(k): share for k, share in enumerate(expected)})
    sheet, errors = open_panel(ProjectionPanel, model).project(path, "4", 20, 1, False)
    assert sheet.size == as_grid(image.expand(3, -1, -1, -1), 3).size
    assert sheet.tobytes() != as_grid(image.expand(3, -1, -1, -1), 3).tobytes()
    assert errors


def test_points() -> None:
    from gan.demo.samples import PointPanel, SamplePanel

    model = model_of("points")
    assert not SamplePanel.suits(model)
    assert open_panel(PointPanel, model).draw(0, 100, None).size == (512, 512)
