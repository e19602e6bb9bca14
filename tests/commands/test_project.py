import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.algorithms.projection import LatentSpace, Observation, StyleSpace
from gan.algorithms.reconstruction import Problem, compute_images, latent_space
from gan.commands.main import dispatch
from gan.errors import InputError
from gan.networks.style import StyleGenerator
from gan.pictures import read_picture
from gan.runs.checkpoints import load
from gan.runs.folder import Run
from gan.runs.observation import Source, read_problem
from gan.settings.trust import build
from tests.commands.test_cli import MLP, TINY, cli
from tests.commands.test_mix import STYLED, TOLD, trained
from tests.configs import thinned

SHAPE = torch.Size((1, 16, 16))


@pytest.fixture
def styled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of a style generator."""
    return trained(tmp_path_factory.getbasetemp(), *STYLED)


@pytest.fixture
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of a style generator that knows ten classes."""
    return trained(tmp_path_factory.getbasetemp(), *STYLED, TOLD)


@pytest.fixture
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run whose generator has no styles."""
    return trained(tmp_path_factory.getbasetemp(), *TINY, *MLP, "steps=1")


def drawing(path: Path, side: int = 16, mode: str = "L") -> Path:
    """Write a ramp of gray levels."""
    levels = np.arange(side * side).reshape(side, side) % 256
    Image.fromarray(levels.astype(np.uint8)).convert(mode).save(path)
    return path


def real(run: Path, index: int) -> tuple[Tensor, int]:
    """Return an image of the run's test split and its label."""
    split = build(Run(run).config.data).split("test")
    return split.images(torch.tensor([index])).float() / 127.5 - 1, int(split.labels[index])


def clipped(game: LatentGame, styles: Tensor) -> Tensor:
    assert isinstance(game.averaged, StyleGenerator)
    with torch.no_grad():
        found: Tensor = game.averaged.synthesise(styles)
    return found


@pytest.mark.parametrize("extended", [False, True])
def test_what_the_command_leaves(
    styled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], extended: bool
) -> None:
    out = tmp_path / "deep" / "found.png"
    given = [f"run={styled}", "index=3", "steps=12", f"extended={extended}", f"out={out}"]
    dispatch(["project", *given])
    *paths, steps, line = capsys.readouterr().out.splitlines()
    assert paths == [str(out.with_suffix(suffix)) for suffix in (".png", ".pt", ".gif")]
    assert steps == "steps: 12"
    game, (image, _) = load(styled), real(styled, 3)
    styles = torch.load(out.with_suffix(".pt"), weights_only=True)
    assert styles.shape == (1, 6, 8)
    assert torch.equal(styles[0, 0], styles[0, 5]) is not extended
    error = float((clipped(game, styles) - image).square().mean())
    ratio = 10 * math.log10(4 / error)
    assert line == f"known pixels: mean squared error {error:.4g}, PSNR {ratio:.1f} dB"
    with Image.open(out) as picture:
        # image, projection and error
        factor = picture.width // (3 * 18 + 2)
        assert picture.size == (factor * (3 * 18 + 2), factor * (18 + 2))
    with Image.open(out.with_suffix(".gif")) as film:
        assert 1 < film.n_frames <= 13  # type: ignore[attr-defined]
        assert film.width > film.height


def test_it_lies_in_the_run_folder_by_default(
    styled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dispatch(["project", f"run={styled}", "index=0", "steps=1", "gif=false"])
    assert capsys.readouterr().out.splitlines()[0] == str(styled / "projection.png")
    assert (styled / "projection.pt").is_file()
    assert not (styled / "projection.gif").exists()


def test_a_search_comes_nearer(styled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    errors = []
    for steps in (1, 100):
        dispatch(["project", f"run={styled}", "index=1", f"steps={steps}", "gif=false"])
        errors.append(float(capsys.readouterr().out.split("error ")[1].split(",")[0]))
    assert errors[1] < 0.9 * errors[0]


def test_plain_latents(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.png"
    dispatch(["project", f"run={plain}", "index=3", "steps=2", f"out={out}"])
    z = torch.load(out.with_suffix(".pt"), weights_only=True)
    game = load(plain)
    assert z.shape == (1, game.prior.dim)
    assert isinstance(latent_space(game, None, 0, False), LatentSpace)


def test_a_hole_is_painted_in(styled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["index=3", "hole=[2,4,5,6]", "steps=3", "gif=false"]
    dispatch(["project", f"run={styled}", *given])
    lines = capsys.readouterr().out.splitlines()[-2:]
    styles = torch.load(styled / "projection.pt", weights_only=True)
    squares = (clipped(load(styled), styles) - real(styled, 3)[0]).square()
    hole = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    hole[:, :, 2:7, 4:10] = True
    for line, part in zip(lines, (~hole, hole), strict=True):
        assert f"mean squared error {float(squares[part].mean()):.4g}" in line
    with Image.open(styled / "projection.png") as picture:
        factor = picture.width // (5 * 18 + 2)
        assert picture.size == (factor * (5 * 18 + 2), factor * (18 + 2))


def test_a_mask_is_white_where_pixels_are_known(styled: Path, tmp_path: Path) -> None:
    levels = np.full((16, 16, 3), 255, dtype=np.uint8)
    levels[2:7, 4:10] = 0
    Image.fromarray(levels).save(tmp_path / "mask.png")
    game = load(styled)
    given = [{"mask": str(tmp_path / "mask.png")}, {"hole": [2, 4, 5, 6]}]
    sources = [Source(index=3, **g) for g in given]  # type: ignore[arg-type]
    known, other = (read_problem(Run(styled), game, s)[0].observation.known for s in sources)
    assert torch.equal(known, other)
    assert known.sum() == 256 - 30
    assert not known[:, :, 2:7, 4:10].any()


def test_the_sheet_of_an_inpainting() -> None:
    image, projection = torch.full((1, 1, 2, 2), 0.5), torch.full((1, 1, 2, 2), -0.25)
    known = torch.tensor([[[[1.0, 0], [1, 1]]]])
    first, seen, found, pasted, error = Problem(image, Observation(image, known)).sheet(projection)
    assert torch.equal(first, image[0])
    assert torch.equal(found, projection[0])
    assert torch.equal(seen, torch.tensor([[[0.5, 0], [0.5, 0.5]]]))
    assert torch.equal(pasted, torch.tensor([[[0.5, -0.25], [0.5, 0.5]]]))
    assert torch.equal(error, torch.full((1, 2, 2), -0.25))


def test_noise_that_is_put_on(styled: Path) -> None:
    given = {"noise": 0.5, "corrupt": True, "seed": 1}
    task, label = read_problem(Run(styled), load(styled), Source(index=3), **given)  # type: ignore[arg-type]
    clean = real(styled, 3)[0]
    assert label is None
    torch.testing.assert_close(task.image, clean)
    assert task.observation.noise == 0.5
    assert float((task.observation.image - clean).std()) == pytest.approx(0.5, rel=0.15)
    assert len(task.sheet(clean)) == 4
    lines = list(task.errors(clean))
    assert [line.split(":")[0] for line in lines] == ["known pixels", "known pixels before noise"]
    assert lines[1].endswith("PSNR inf dB")


def test_noise_that_is_there_already(styled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task, _ = read_problem(Run(styled), load(styled), Source(index=3), noise=0.5)
    assert torch.equal(task.observation.image, task.image)
    assert task.observation.noise == 0.5
    # so much of it accounts for everything
    dispatch(["project", f"run={styled}", "index=3", "noise=2", "gif=false"])
    assert "steps: 0\n" in capsys.readouterr().out


@pytest.mark.parametrize(("label", "expected"), [(None, None), (4, 4)])
def test_the_label(told: Path, tmp_path: Path, label: int | None, expected: int | None) -> None:
    game, run, drawn = load(told), Run(told), Source(str(drawing(tmp_path / "0.png")))
    _, found = read_problem(run, game, Source(index=3), label=label)
    assert found is not None
    assert found.tolist() == [real(told, 3)[1] if expected is None else expected]
    space = latent_space(game, found, 0, False)
    assert isinstance(space, StyleSpace)
    if label is None:
        with pytest.raises(InputError, match="knows classes: add label=K"):
            read_problem(run, game, drawn)
    else:
        _, found = read_problem(run, game, drawn, label=label)
        assert found is not None
        assert found.tolist() == [4]


def test_a_picture_as_an_image(tmp_path: Path) -> None:
    path = str(drawing(tmp_path / "0.png"))
    found = read_picture("image", path, SHAPE)
    expected = torch.arange(256.0).view(1, *SHAPE) / 127.5 - 1
    torch.testing.assert_close(found, expected)
    colours = read_picture("image", path, torch.Size((3, 16, 16)))
    torch.testing.assert_close(colours, expected.expand(1, 3, 16, 16))
    levels = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    Image.fromarray(levels).save(path)
    colours = read_picture("image", path, torch.Size((3, 16, 16)))
    expected = torch.from_numpy(levels).permute(2, 0, 1)[None] / 127.5 - 1
    torch.testing.assert_close(colours, expected)


def test_an_image_of_the_run_is_found(styled: Path) -> None:
    game = load(styled)
    space = latent_space(game, None, 0, False)
    found = compute_images(space, space.candidates())
    assert found.shape == (1, *SHAPE)
    assert not found.requires_grad
    assert float(found.abs().max()) <= 1


@pytest.mark.parametrize(
    ("given", "words"),
    thinned(
        [
            ("", "image: name a picture, or by index=K"),
            ("index=1 image=0.png", "image: name a picture, or"),
            ("index=400", r"index=400: the test images of digits are 0\.\.359"),
            ("index=-1", "index=-1"),
            ("image=nowhere.png", "image=nowhere.png: there is no such file"),
            ("image={place}/text.png", "text.png: no whole picture"),
            ("image={place}/cut.png", "cut.png: no whole picture"),
            ("image={place}/deep.png", "deep.png: more than 8 bits"),
            ("image={place}/20.png", "20x20 pixels, but the run draws 16x16"),
            ("index=1 mask=nowhere.png", "mask=nowhere.png: there is no such file"),
            ("index=1 mask={place}/20.png", "mask=.*20x20 pixels"),
            ("index=1 mask={place}/black.png", "leaves no pixel"),
            ("index=1 mask={place}/20.png hole=[1,1,2,2]", "one of the two"),
            ("index=1 hole=[1,1,2]", r"hole=\[1, 1, 2\]: give \[top,left,height,width\]"),
            ("index=1 hole=[12,0,5,4]", "within 16x16"),
            ("index=1 hole=[0,0,0,4]", "within 16x16"),
            ("index=1 hole=[0,0,16,16]", "leaves no pixel"),
            ("index=1 noise=-1", r"noise=-1\.0"),
            ("index=1 noise=inf", "noise=inf"),
            ("index=1 corrupt=true", "corrupt: there is no noise"),
            ("index=1 steps=0", "steps=0 must be 1 or more"),
            ("index=1 seed=-1", "seed=-1"),
            ("index=1 label=2", "unconditional"),
            ("index=1 device=abacus", "device=abacus"),
            ("index=1 out=way.jpg", r"out=way\.jpg.*\.png"),
        ],
        keep=4,
    ),
)
def test_impossible_searches(styled: Path, tmp_path: Path, given: str, words: str) -> None:
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.png").write_bytes(drawing(tmp_path / "0.png").read_bytes()[:-40])
    Image.fromarray(np.zeros((16, 16), dtype=np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(np.zeros((16, 16), dtype=np.uint8)).save(tmp_path / "black.png")
    drawing(tmp_path / "20.png", side=20)
    with pytest.raises(InputError, match=words):
        dispatch(["project", f"run={styled}", *given.format(place=tmp_path).split()])


def test_layers_of_a_run_without_styles(plain: Path) -> None:
    with pytest.raises(InputError, match=r"extended: the \w+ of .* has no styles"):
        dispatch(["project", f"run={plain}", "index=1", "extended=true"])


def test_a_label_that_is_not_known(told: Path) -> None:
    with pytest.raises(InputError, match=r"0\.\.9"):
        dispatch(["project", f"run={told}", "index=1", "label=10"])


def test_points_are_no_image(tmp_path: Path) -> None:
    run = tmp_path / "run"
    given = ["experiment=ring", "metrics=[]", "accelerator=cpu", "steps=1"]
    assert cli(*given, f"hydra.run.dir={run}") == 0
    with pytest.raises(InputError, match="draws points"):
        dispatch(["project", f"run={run}", "index=1"])
