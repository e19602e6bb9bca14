import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from gan.backbones.pixels import to_uint8
from gan.commands.main import dispatch
from gan.errors import InputError
from gan.metrics.plane import principal_plane
from gan.runs.checkpoints import load
from gan.runs.folder import Run
from tests.commands.test_cli import MLP, TINY, cli
from tests.commands.test_translate import PIX2PIX, trained

COMMANDS = ("nearest", "embed", "spectrum")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of a conditional model."""
    folder = tmp_path_factory.mktemp("beside") / "run"
    given = [*TINY, *MLP, "conditioning=projection", "steps=1"]
    assert cli(*given, f"hydra.run.dir={folder}") == 0
    return folder


def as_pixels(images: torch.Tensor) -> torch.Tensor:
    return to_uint8(images).flatten(1).double() / 255


def test_the_nearest_images_are_those_of_a_search_by_hand(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dispatch(["nearest", f"run={run}", "pixels=true", "n=3", "k=2", "columns=2", "seed=5"])
    content = json.loads((run / "figures" / "nearest.json").read_text())
    data = Run(run).data()
    indices = torch.arange(len(data.split("train")))
    real = as_pixels(data.batch("train", indices)[0])
    samples = as_pixels(load(run).sample(3, seed=5))
    distances = torch.cdist(samples, real)
    expected = distances.topk(2, largest=False)
    assert content["indices"] == expected.indices.tolist()
    torch.testing.assert_close(
        torch.tensor(content["distances"]), expected.values.float(), rtol=1e-4, atol=1e-4
    )
    test = as_pixels(data.batch("test", torch.arange(len(data.split("test"))))[0])
    usual = torch.cdist(test, real).amin(1).median()
    assert content["medians"]["unseen real images"] == pytest.approx(float(usual), rel=1e-4)
    assert "median distance to the nearest, generated" in capsys.readouterr().out
    with Image.open(run / "figures" / "nearest.png") as picture:
        # two blocks of three rows, with a white row between them, of images of 16 pixels
        factor = picture.width // (2 * 18 + 2)
        assert picture.size == (factor * (2 * 18 + 2), factor * (7 * 18 + 2))


def test_a_training_image_is_its_own_nearest(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, game = Run(run).data(), type(load(run))
    copies = data.batch("train", torch.tensor([7, 2]))[0]
    monkeypatch.setattr(game, "generate", lambda self, seed, indices: copies[: len(indices)])
    dispatch(["nearest", f"run={run}", "pixels=true", "n=2", "k=1"])
    content = json.loads((run / "figures" / "nearest.json").read_text())
    assert content["indices"] == [[7], [2]]
    assert content["distances"] == [[0.0], [0.0]]


def test_spectrum_of_the_data_and_of_samples(run: Path) -> None:
    pytest.importorskip("matplotlib")
    dispatch(["spectrum", f"run={run}", "n=30", "split=test"])
    content = json.loads((run / "figures" / "spectrum.json").read_text())
    assert content["frequencies"] == list(range(9))
    assert content["real_images"] == content["generated_images"] == 30
    # frequency 0: H W times the squared mean of an image
    samples = to_uint8(load(run).sample(30)).double() / 127.5 - 1
    expected = 256 * samples.mean((1, 2, 3)).square().mean()
    assert content["generated"][0] == pytest.approx(float(expected), rel=1e-4)
    with Image.open(run / "figures" / "spectrum.png") as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize("linear", ["true", pytest.param("false", marks=pytest.mark.slow)])
def test_a_map_has_a_point_of_either_colour(run: Path, linear: str) -> None:
    dispatch(["embed", f"run={run}", "pixels=true", "n=20", f"linear={linear}"])
    with Image.open(run / "figures" / "embedding.png") as picture:
        colours = {c: n for n, c in picture.convert("RGB").getcolors(1 << 20) or []}
    assert colours[(31, 119, 180)] > 50
    assert colours[(255, 127, 14)] > 50


def test_principal_plane_keeps_distances_within_a_plane() -> None:
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(12, 2, generator=generator) * torch.tensor([3.0, 1.0])
    frame, _ = torch.linalg.qr(torch.randn(6, 2, generator=generator))
    points = principal_plane(flat @ frame.T + 4)
    assert points.abs().max() == pytest.approx(1.0)
    ratio = torch.pdist(points) / torch.pdist(flat)
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-4, atol=0)
    assert torch.equal(principal_plane(torch.ones(4, 1)), torch.zeros(4, 2))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nearest n=0", "n=0 must be 1 or more"),
        ("embed n=0", "n=0 must be 1 or more"),
        ("spectrum n=0", "n=0 must be 1 or more"),
        ("spectrum seed=-1", "seed=-1"),
        ("embed split=tset", "give train, test, validation"),
        ("spectrum split=validation", "validation.*has none"),
        ("nearest direction=ab", "draws from latents"),
        ("nearest out=figure.jpg", r"ends in \.png"),
        ("nearest k=0", "k=0"),
        ("nearest k=100000", "lower it"),
        ("nearest pixels=true backbone=inception", "leave one out"),
        ("embed backbone=incepton", "did you mean 'inception'"),
        ("embed n=2", "needs 3 images"),
    ],
)
def test_refused(run: Path, line: str, words: str) -> None:
    name, *given = line.split()
    with pytest.raises(InputError, match=words):
        dispatch([name, f"run={run}", *given])


@pytest.mark.slow
def test_points_have_no_pixels(tmp_path: Path) -> None:
    given = ["data=ring", *MLP, "metrics=[]", "accelerator=cpu", "steps=1", "batch_size=8"]
    assert cli(*given, f"hydra.run.dir={tmp_path / 'run'}") == 0
    for command in COMMANDS:
        with pytest.raises(InputError, match="it draws points"):
            dispatch([command, f"run={tmp_path / 'run'}"])


@pytest.mark.slow
def test_translations_beside_images_of_their_domain(tmp_path: Path) -> None:
    run = trained(tmp_path, *PIX2PIX, "task=denoise")
    for command in COMMANDS:
        pixels = [] if command == "spectrum" else ["pixels=true"]
        dispatch([command, f"run={run}", "n=12", *pixels])
    content = json.loads((run / "figures" / "spectrum.json").read_text())
    data = Run(run).data()
    held_out = data.domains["a"].batch("test", torch.arange(12))[0]
    images = to_uint8(load(run).translate(held_out)).double() / 127.5 - 1
    expected = 256 * images.mean((1, 2, 3)).square().mean()
    assert content["generated"][0] == pytest.approx(float(expected), rel=1e-4)
    with pytest.raises(InputError, match="translates ab"):
        dispatch(["spectrum", f"run={run}", "direction=ba"])
    with pytest.raises(InputError, match="sources to translate: lower it"):
        dispatch(["nearest", f"run={run}", "n=100000", "pixels=true"])
