import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor

import gan
from gan.algorithms.cyclegan import CycleGAN
from gan.algorithms.latent import LatentGame
from gan.algorithms.pix2pix import Pix2Pix
from gan.algorithms.tiles import TiledTranslation
from gan.algorithms.translation import TranslationGame
from gan.backbones.pixels import to_uint8
from gan.commands.main import dispatch, main
from gan.commands.train import train
from gan.errors import InputError
from gan.runs.folder import Run
from gan.runs.translation import Degrading
from gan.runs.uses import first_commands
from gan.settings.trust import build
from tests.conftest import composing

WIDTHS = ["size=tiny", "model.discriminator.width=4"]
PIX2PIX = ["model=pix2pix", "data=digits", *WIDTHS, "model.generator.width=4"]
CYCLEGAN = ["model=cyclegan", "data=digits", "task=denoise", "size=tiny", "batch_size=4"]
NARROW = [f"model.generator.ab.{name}" for name in ("width=4", "blocks=1")]
NARROW.append("model.discriminator.a.width=4")
ODD = (21, 37)  # width and height of a picture that no tile of 16 pixels fits


def trained(place: Path, *given: str) -> Path:
    with composing(place) as config:
        train(config(*given))
    return place / "run"


@pytest.fixture(scope="module")
def denoiser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that removes noise, from A to B alone."""
    return trained(tmp_path_factory.mktemp("denoiser"), *PIX2PIX, "task=denoise")


@pytest.fixture(scope="module")
def enlarger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that doubles the resolution, 8 to 16 pixels."""
    return trained(tmp_path_factory.mktemp("enlarger"), *PIX2PIX, "task=superresolve")


@pytest.fixture(scope="module")
def cycle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that translates both ways."""
    return trained(tmp_path_factory.mktemp("cycle"), *CYCLEGAN, *NARROW)


@pytest.fixture(scope="module")
def latent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of a game on latents."""
    small = ["model=mlp", "model.generator.hidden=[16]", "model.discriminator.units=[8]"]
    return trained(tmp_path_factory.mktemp("latent"), *small, "data=digits", "steps=1")


def draw(path: Path, size: tuple[int, int] = (16, 16), mode: str = "L") -> Path:
    """Write a picture whose levels depend on its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = np.random.default_rng(len(path.name)).integers(256, size=(*size[::-1], 3))
    Image.fromarray(levels.astype(np.uint8)).convert(mode).save(path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder with two gray pictures of 16 pixels and a colour one of an odd size."""
    draw(tmp_path / "in" / "b.png")
    draw(tmp_path / "in" / "sub" / "c.tiff")
    draw(tmp_path / "in" / "odd.a.jpg", ODD, "RGB")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    return tmp_path / "in"


def read(path: Path) -> Tensor:
    """Return a gray picture (1, H, W) in [-1, 1]."""
    with Image.open(path) as opened:
        return torch.from_numpy(np.array(opened.convert("L")))[None] / 127.5 - 1


def levels(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        assert (opened.format, opened.mode) == ("PNG", "L")
        return np.array(opened)


def expected(image: Tensor) -> np.ndarray:
    return to_uint8(image)[0].numpy()


def written(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def sheet_rows(path: Path, cell: int, columns: int) -> int:
    """Return how many rows of cells a sheet has."""
    with Image.open(path) as sheet:
        factor = sheet.width // (columns * (cell + 2) + 2)
        assert sheet.width == factor * (columns * (cell + 2) + 2)
        rows, rest = divmod(sheet.height // factor - 2, cell + 2)
    assert rest == 0
    return rows


def test_restored_pictures_keep_names_and_sizes(
    denoiser: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "restored"
    dispatch(["restore", f"run={denoiser}", f"images={pictures}", f"out={out}"])
    sheet = tmp_path / "new" / "restored_before_after.png"
    assert capsys.readouterr().out.splitlines() == [str(out), str(sheet)]
    assert written(tmp_path / "new") == [
        *(f"restored/{name}" for name in ("b.png", "odd.a.png", "sub/c.png")),
        "restored_before_after.png",
    ]
    game = gan.load(denoiser)
    for name, new in (("b.png", "b.png"), ("sub/c.tiff", "sub/c.png")):
        image = read(pictures / name)
        assert np.array_equal(levels(out / new), expected(game.restore(image[None])[0]))
    odd = TiledTranslation(game.restore, 16, 8)(read(pictures / "odd.a.jpg"))
    assert np.array_equal(levels(out / "odd.a.png"), expected(odd))
    assert sheet_rows(sheet, 37, columns=3) == 2


def test_the_sheet_shows_before_and_after(denoiser: Path, tmp_path: Path) -> None:
    draw(tmp_path / "in" / "0.png")
    out = tmp_path / "out"
    dispatch(["restore", f"run={denoiser}", f"images={tmp_path / 'in'}", f"out={out}"])
    with Image.open(tmp_path / "out_before_after.png") as sheet:
        factor = sheet.width // 20
        cells = np.array(sheet)[factor // 2 :: factor, factor // 2 :: factor]
    assert cells.shape == (2 * 18 + 2, 18 + 2, 3)
    before, after = cells[2:18, 2:18, 0], cells[20:36, 2:18, 0]
    assert np.array_equal(before, expected(read(tmp_path / "in" / "0.png")))
    assert np.array_equal(after, levels(out / "0.png"))


def test_the_sheet_has_the_first_pictures(denoiser: Path, tmp_path: Path) -> None:
    for k in range(11):
        draw(tmp_path / "in" / f"{k:02}.png")
    out = tmp_path / "out"
    dispatch(["restore", f"run={denoiser}", f"images={tmp_path / 'in'}", f"out={out}"])
    assert len(written(out)) == 11
    assert sheet_rows(tmp_path / "out_before_after.png", 16, columns=8) == 2


def test_pictures_are_resized_for_translation_or_keep_their_size(
    denoiser: Path, pictures: Path, tmp_path: Path
) -> None:
    game, given = gan.load(denoiser), [f"run={denoiser}", f"images={pictures}"]
    dispatch(["translate", *given, f"out={tmp_path / 'resized'}"])
    with Image.open(pictures / "odd.a.jpg") as opened:
        square = opened.convert("L").crop((0, 8, 21, 29)).resize((16, 16), Image.Resampling.LANCZOS)
    image = torch.from_numpy(np.array(square))[None, None] / 127.5 - 1
    found = levels(tmp_path / "resized" / "odd.a.png")
    assert np.array_equal(found, expected(game.translate(image)[0]))
    tiles = ["resize=false", "tile=32", "overlap=4"]
    dispatch(["translate", *given, *tiles, f"out={tmp_path / 'kept'}"])
    tiled = TiledTranslation(game.translate, 32, 4)(read(pictures / "odd.a.jpg"))
    assert np.array_equal(levels(tmp_path / "kept" / "odd.a.png"), expected(tiled))


def test_both_directions(cycle: Path, pictures: Path, tmp_path: Path) -> None:
    game, image = gan.load(cycle, kind=CycleGAN), read(pictures / "b.png")
    for direction in ("ab", "ba"):
        out = tmp_path / direction
        given = [f"run={cycle}", f"images={pictures / 'b.png'}", f"direction={direction}"]
        dispatch(["translate", *given, f"out={out}"])
        assert np.array_equal(levels(out / "b.png"), expected(game(image[None], direction)[0]))
    assert not np.array_equal(levels(tmp_path / "ab/b.png"), levels(tmp_path / "ba/b.png"))


def test_degraded_pictures_are_restored(denoiser: Path, tmp_path: Path) -> None:
    images = torch.stack([read(draw(tmp_path / "in" / name)) for name in ("a.png", "bb.png")])
    given = [f"run={denoiser}", f"images={tmp_path / 'in'}", "degrade=true"]
    dispatch(["restore", *given, f"out={tmp_path / 'out'}", "seed=3"])
    task, game = build(Run(denoiser).config.task), gan.load(denoiser)
    restored = game.restore(task(images, [(3, 0), (3, 1)]))
    for k, name in enumerate(("a.png", "bb.png")):
        assert np.array_equal(levels(tmp_path / "out" / name), expected(restored[k]))
    assert sheet_rows(tmp_path / "out_before_after.png", 16, columns=2) == 3
    dispatch(["restore", *given, f"out={tmp_path / 'other'}"])
    assert not np.array_equal(levels(tmp_path / "out/a.png"), levels(tmp_path / "other/a.png"))


@pytest.mark.parametrize(
    ("command", "shape"),
    [("restore", (74, 42)), ("restore degrade=true", (36, 20)), ("translate", (16, 16))],
)
def test_the_size_that_a_model_gives(
    enlarger: Path, pictures: Path, tmp_path: Path, command: str, shape: tuple[int, int]
) -> None:
    name, *settings = command.split()
    images, out = pictures / "odd.a.jpg", tmp_path / "out"
    dispatch([name, f"run={enlarger}", f"images={images}", f"out={out}", *settings])
    assert levels(out / "odd.a.png").shape == shape


def test_images_are_cut_to_what_can_be_reduced(enlarger: Path) -> None:
    task, image = build(Run(enlarger).config.task), torch.rand(1, 21, 37)
    clean, degraded = Degrading(task, seed=0)(0, image)
    assert torch.equal(clean, image[:, :20, :36])
    assert torch.equal(degraded, task(clean[None], [(0, 0)])[0])


def test_a_model_that_enlarges(enlarger: Path, tmp_path: Path) -> None:
    translated = gan.load(enlarger).translate(read(draw(tmp_path / "8.png", (8, 8)))[None])[0]
    given = [f"run={enlarger}", f"images={tmp_path / '8.png'}"]
    dispatch(["translate", *given, f"out={tmp_path / 'eight'}"])
    assert np.array_equal(levels(tmp_path / "eight" / "8.png"), expected(translated))


def test_a_zip_file_and_a_single_picture(denoiser: Path, pictures: Path, tmp_path: Path) -> None:
    single = draw(tmp_path / "b.png")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(pictures / "b.png", "deep/b.png")
    for images, name in ((tmp_path / "in.zip", "deep/b.png"), (single, "b.png")):
        out = tmp_path / f"from_{images.suffix[1:]}"
        dispatch(["restore", f"run={denoiser}", f"images={images}", f"out={out}"])
        assert written(out) == [name]
        restored = gan.load(denoiser).restore(read(pictures / "b.png")[None])[0]
        assert np.array_equal(levels(out / name), expected(restored))


def test_what_is_done_to_pixels_is_told(
    denoiser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "in"
    draw(place / "a.png")
    clear = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    clear.save(place / "clear.png")
    Image.new("L", (16, 16), 255).save(place / "white.png")
    Image.fromarray(np.full((16, 16), 2**16 - 1, np.uint16)).save(place / "deep.png")
    frames = [Image.new("L", (16, 16), level) for level in (255, 0)]
    frames[0].save(place / "film.gif", save_all=True, append_images=frames[1:])
    out = tmp_path / "out"
    dispatch(["restore", f"run={denoiser}", f"images={place}", f"out={out}"])
    assert capsys.readouterr().out.splitlines()[:-2] == [
        "1 of 5 files transparent, put on white",
        "1 of 5 files of 16 bits a channel, scaled to 8",
        "1 of 5 files animated, of which the first frame is taken",
    ]
    for name in ("clear.png", "deep.png", "film.png"):
        assert np.array_equal(levels(out / name), levels(out / "white.png"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("restore images=in", "out is not set"),
        ("restore out=out", "images is not set"),
        ("restore images=nowhere out=out", "images=nowhere: no such folder, zip file or picture"),
        ("restore images=in out=full", "out=full: files are in it already"),
        ("restore images=in out=in/b.png", "out=in/b.png: it is there already"),
        ("restore images=in out=in/new", "out=in/new: it lies in images=in"),
        ("restore images=x_before_after.png out=x", "its sheet would replace images="),
        ("restore images=in out=y", "y_before_after.png is a folder"),
        ("restore images=empty out=out", "empty: has no images"),
        ("restore images=text out=out", "text/0.png: is not an image"),
        ("restore images=text.zip out=out", "text.zip: cannot be read"),
        ("restore images=twice out=out", r"a\.jpg and a\.png would both be a\.png: rename one"),
        ("restore images=in out=out tile=20", r"tile=20: the networks do not take it .*give 16"),
        ("restore images=in out=out tile=0", "tile=0"),
        ("restore images=in out=out overlap=16", "overlap=16: .* below tile=16"),
        ("restore images=in out=out seed=-1", "seed=-1"),
        ("restore images=in out=out device=abacus", "device=abacus"),
        ("restore images=in out=out checkpoint=frist", "no frist.ckpt"),
        ("translate images=in out=out direction=aa", "direction=aa: give ab or ba"),
        ("translate images=in out=out direction=ba", "direction=ba: this model translates ab"),
        ("translate images=in out=out tile=32", "tile: .* add resize=false"),
        ("translate images=in out=out overlap=3", "overlap: .* add resize=false"),
    ],
)
def test_impossible_pictures_leave_nothing(
    denoiser: Path,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: str,
    words: str,
) -> None:
    place = pictures.parent
    monkeypatch.chdir(place)
    for name in ("full/0.png", "twice/a.jpg", "twice/a.png", "x_before_after.png"):
        draw(place / name)
    for folder in ("empty", "y_before_after.png", "text"):
        (place / folder).mkdir()
    for name in ("text/0.png", "text.zip"):
        (place / name).write_text("no picture")
    before = written(place)
    command, *settings = given.split()
    with pytest.raises(SystemExit) as end:
        main([command, f"run={denoiser}", *settings])
    (line,) = capsys.readouterr().err.splitlines()
    assert (end.value.code, line[:10]) == (2, "ganymede: ")
    assert re.search(words, line), line
    assert written(place) == before


def test_a_broken_picture_leaves_nothing(denoiser: Path, pictures: Path, tmp_path: Path) -> None:
    path = draw(pictures / "z.png", (64, 64))
    path.write_bytes(path.read_bytes()[:-2000])
    given = [f"run={denoiser}", f"images={pictures}", f"out={tmp_path / 'out'}"]
    with pytest.raises(ValueError, match=r"z\.png: cannot be read"):
        dispatch(["restore", *given])
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_picture_that_is_too_small_to_be_degraded(enlarger: Path, tmp_path: Path) -> None:
    given = [f"images={draw(tmp_path / '0.png', (1, 9))}", f"out={tmp_path / 'out'}"]
    with pytest.raises(InputError, match="degrade: a picture has fewer than 2 pixels a side"):
        dispatch(["restore", f"run={enlarger}", *given, "degrade=true"])


def test_a_run_without_a_degradation(denoiser: Path, pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(denoiser, run)
    settings = OmegaConf.load(run / ".hydra" / "config.yaml")
    settings.task = {}
    OmegaConf.save(settings, run / ".hydra" / "config.yaml")
    given = [f"run={run}", f"images={pictures}", f"out={tmp_path / 'out'}"]
    with pytest.raises(InputError, match="degrade: the run has no task"):
        dispatch(["restore", *given, "degrade=true"])
    dispatch(["restore", *given])
    assert len(written(tmp_path / "out")) == 3


@pytest.mark.parametrize(
    "command",
    ["sample", "interpolate", "traverse", "mix", "truncate", "directions", "project"],
)
def test_commands_on_latents_refuse_a_run_on_images(denoiser: Path, command: str) -> None:
    settings = {"project": ["index=0"]}.get(command, [])
    with pytest.raises(InputError, match=r"its Pix2Pix .*: use ganymede translate or restore"):
        dispatch([command, f"run={denoiser}", *settings])


@pytest.mark.parametrize("command", ["translate", "restore"])
def test_commands_on_images_refuse_a_run_on_latents(
    latent: Path, pictures: Path, tmp_path: Path, command: str
) -> None:
    given = [f"run={latent}", f"images={pictures}", f"out={tmp_path / 'out'}"]
    with pytest.raises(InputError, match=r"its GAN .*: use ganymede sample"):
        dispatch([command, *given])
    assert not (tmp_path / "out").exists()


def test_any_run_is_loaded(denoiser: Path, cycle: Path, latent: Path) -> None:
    kinds = [(denoiser, Pix2Pix), (cycle, CycleGAN), (latent, LatentGame)]
    for run, kind in kinds:
        game = gan.load(run)
        assert isinstance(game, kind)
        assert not game.training
    with pytest.raises(InputError, match="use ganymede translate or restore"):
        gan.load(denoiser, kind=LatentGame)
    with pytest.raises(InputError, match="use ganymede sample"):
        gan.load(latent, kind=TranslationGame)


def test_commands_to_go_on_with(denoiser: Path, cycle: Path, latent: Path) -> None:
    def names(run: Path, restores: bool) -> Sequence[str]:
        return [name for name, _ in first_commands(gan.load(run), restores)]

    assert names(denoiser, restores=True) == ["restore"]
    assert names(denoiser, restores=False) == ["translate"]
    assert names(cycle, restores=True) == ["restore", "translate"]
    assert names(latent, restores=False) == ["sample"]


def test_a_run_names_its_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(tmp_path, *PIX2PIX, "task=denoise", "steps=1")
    (line,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("next:"))
    assert line.endswith(f" restore run={run} images=FOLDER out=restored")
