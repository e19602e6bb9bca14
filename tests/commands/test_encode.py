import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan.commands.main import dispatch
from gan.errors import InputError
from gan.metrics.probes import accuracies
from gan.runs.checkpoints import load
from gan.runs.folder import Run
from tests.commands.test_cli import MLP, TINY, cli, weights
from tests.commands.test_mix import STYLED, trained

SMALL = [f"model.{part}.hidden=16" for part in ("generator", "encoder", "discriminator")]
BIGAN = [*TINY, "model=bigan", *SMALL, "steps=2"]


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with an encoder."""
    return trained(tmp_path_factory.getbasetemp(), *BIGAN)


@pytest.fixture
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run without one."""
    return trained(tmp_path_factory.getbasetemp(), *TINY, *MLP, "steps=1")


def pictures(folder: Path, count: int) -> Path:
    """Write noisy pictures."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for k in range(count):
        Image.fromarray(random.integers(0, 255, (16, 16), dtype=np.uint8)).save(folder / f"{k}.png")
    return folder


def real(run: Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images in [-1, 1] and labels of a split of a run's data."""
    data = Run(run).data().split(split)
    return data.images(torch.arange(len(data))) / 127.5 - 1, data.labels


def test_the_latents_of_a_split(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "z.npz"
    dispatch(["encode", f"run={run}", f"out={out}", "map=20"])
    printed = capsys.readouterr().out.splitlines()
    game, (images, labels), (known, classes) = load(run), real(run, "test"), real(run, "train")
    with np.load(out) as arrays:
        latents = torch.from_numpy(arrays["latents"])
        assert arrays["labels"].tolist() == labels.tolist()
        assert arrays["names"].tolist() == [str(k) for k in range(len(labels))]
    torch.testing.assert_close(latents, game.encode(images))
    values = accuracies(game.encode(known), classes, latents, labels)
    content = json.loads(out.with_suffix(".json").read_text())
    assert content == {"images": len(labels), "dim": 50, "step": 2, **values}
    assert f"nearest_neighbour: {values['nearest_neighbour']:.2%}" in printed
    assert printed[-3:] == [str(out.with_suffix(suffix)) for suffix in (".npz", ".json", ".png")]
    assert out.with_suffix(".png").stat().st_size > 1000


def test_the_latents_of_pictures(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = pictures(tmp_path / "in", 3), tmp_path / "z.npz"
    dispatch(["encode", f"run={run}", f"images={folder}", f"out={out}", "n=2"])
    with np.load(out) as arrays:
        assert set(arrays) == {"latents", "names"}
        assert arrays["names"].tolist() == ["0.png", "1.png"]
        found = torch.from_numpy(arrays["latents"])
    with Image.open(folder / "1.png") as opened:
        image = torch.from_numpy(np.array(opened))[None, None] / 127.5 - 1
    torch.testing.assert_close(found[1:], load(run).encode(image))
    assert not out.with_suffix(".png").exists()  # two points are no map


def test_the_styles_of_a_style_generator(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    run, out = trained(tmp_path_factory.getbasetemp(), *STYLED), tmp_path / "w.npz"
    dispatch(["encode", f"run={run}", f"out={out}", "n=2", "steps=1"])
    with np.load(out) as arrays:
        assert arrays["latents"].shape == (2, 8)
        assert len(arrays["labels"]) == 2
    assert set(json.loads(out.with_suffix(".json").read_text())) == {"images", "dim", "step"}


def test_reconstructions(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "r.png"
    dispatch(["reconstruct", f"run={run}", "indices=[4,2,7]", "columns=2", f"out={out}"])
    path, line = capsys.readouterr().out.splitlines()
    images = real(run, "test")[0][[4, 2, 7]]
    error = (load(run).reconstruct(images) - images).square().mean((1, 2, 3))
    expected = float((10 * (4 / error).log10()).mean())
    assert (path, line) == (str(out), f"PSNR {expected:.2f} dB, mean of 3")
    with Image.open(out) as picture:
        factor = picture.width // (2 * 18 + 2)
        assert picture.size == (factor * (2 * 18 + 2), factor * (4 * 18 + 2))


def test_a_walk_between_real_images(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "way.png"
    given = ["indices=[4,2,7,1]", "steps=3", "gif=false", f"out={out}"]
    dispatch(["interpolate", f"run={run}", *given])
    images = real(run, "test")[0][[4, 2, 7, 1]]
    game = load(run)
    z = game.encode(images)
    middle = game.decode(torch.lerp(z[0], z[1], 0.5)[None])
    row = [images[:1], game.decode(z[:1]), middle, game.decode(z[1:2]), images[1:2]]
    with Image.open(out) as picture:
        levels = np.array(picture)[..., 0]
    factor = levels.shape[1] // (5 * 18 + 2)
    assert levels.shape == (factor * (2 * 18 + 2), factor * (5 * 18 + 2))
    for column, image in enumerate(row):
        left = 2 + 18 * column
        shown = levels[::factor, ::factor][2:18, left : left + 16]
        expected = ((image[0, 0] + 1) * 127.5).numpy()
        assert np.abs(shown - expected).max() <= 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("encode out=z.csv", r"out=z\.csv.*\.npz"),
        ("encode out=z.npz map=-1", "map=-1"),
        ("encode out=z.npz images=nowhere", "images=nowhere: no such"),
        ("encode out=z.npz split=half", "split=half: give train, test, validation"),
        ("encode out=z.npz split=validation", "digits has none"),
        ("encode out=z.npz n=0", "n=0"),
        ("reconstruct images=. split=test", "leave split or images out"),
        ("reconstruct indices=[99999]", r"digits are 0\.\."),
        ("reconstruct indices=[]", "give one or more"),
        ("reconstruct columns=0", "columns=0"),
        ("interpolate indices=[1]", "give two or more"),
        ("interpolate indices=[1,2] styles=true", "leave styles out"),
    ],
)
def test_what_is_refused(run: Path, given: str, words: str) -> None:
    name, *settings = given.split()
    with pytest.raises(InputError, match=words):
        dispatch([name, f"run={run}", *settings])


@pytest.mark.parametrize("name", ["encode out=z.npz", "reconstruct", "interpolate split=test"])
def test_a_model_without_an_encoder(plain: Path, name: str) -> None:
    command, *settings = name.split()
    with pytest.raises(InputError, match=r"has no encoder.*train model=bigan"):
        dispatch([command, f"run={plain}", *settings])


def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path: Path) -> None:
    """The encoder draws; it is trained, averaged and restored with the generator."""
    widths = [f"model.{part}.width=4" for part in ("generator", "encoder", "discriminator")]
    given = [*TINY, "model=ali", *widths, "model.discriminator.hidden=8", "callbacks=[checkpoints]"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert cli(*given, "steps=3", f"hydra.run.dir={whole}") == 0
    assert cli(*given, "steps=1", f"hydra.run.dir={cut}") == 0
    before = weights(cut)
    assert cli(f"resume={cut}", "steps=3") == 0
    expected, found = weights(whole), weights(cut)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    for network in ("encoder.", "averaged_encoder."):
        moved = [key for key in found if key.startswith(network) and key.endswith("weight")]
        assert moved
        assert not any(torch.equal(before[key], found[key]) for key in moved)
