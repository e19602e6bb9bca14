from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
import torch
from PIL import Image

from gan.algorithms.styles import Styles, layer_range, mix
from gan.commands.main import dispatch
from gan.errors import InputError
from gan.networks.style import StyleGenerator
from gan.runs.checkpoints import load
from tests.commands.test_cli import MLP, TINY, cli

STYLED = ["model=stylegan2", "data=digits", "metrics=[]", "accelerator=cpu", "prior.dim=8"]
STYLED += ["model.generator.capacity=64", "model.discriminator.capacity=64"]
STYLED += ["model.generator.style_dim=8", "model.generator.depth=2", "batch_size=4", "steps=2"]
TOLD = "conditioning=projection"


@cache
def trained(place: Path, *given: str) -> Path:
    """Return the folder of a run below a place, the same for all tests that ask for it."""
    run = Path(mkdtemp(dir=place)) / "run"
    assert cli(*given, f"hydra.run.dir={run}") == 0
    return run


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


def by_hand(run: Path, latents: list[int], labels: list[int | None], layers: range) -> torch.Tensor:
    """Return the image of one latent's styles with those of another at some layers."""
    game = load(run)
    generator = game.averaged
    assert isinstance(generator, StyleGenerator)
    with torch.no_grad():
        one, other = (
            generator.styles(
                game.prior.sample_each(5, range(k, k + 1)),
                None if label is None else torch.tensor([label]),
            )[0]
            for k, label in zip(latents, labels, strict=True)
        )
        rows = [other[k] if k in layers else one[k] for k in range(generator.layers)]
        images: torch.Tensor = generator.synthesise(torch.stack(rows)[None])
    return images[0]


def test_a_picture(styled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dispatch(["mix", f"run={styled}", "rows=2", "columns=3"])
    out = styled / "mixing.png"
    assert capsys.readouterr().out.strip() == str(out)
    with Image.open(out) as picture:
        # images of 16 pixels between bars of 2
        factor = picture.width // (4 * 18 + 2)
        assert picture.size == (factor * (4 * 18 + 2), factor * (3 * 18 + 2))
        assert picture.crop((0, 0, factor * 18, factor * 18)).getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize(
    ("layers", "copied"), [(None, range(3, 6)), ([0, 1], range(2)), ([4, 4], range(4, 5))]
)
def test_cells_mix_the_styles_of_row_and_column(
    styled: Path, layers: list[int] | None, copied: range
) -> None:
    game = load(styled)
    grid = mix(game, [0, 1], [2, 3, 4], layers, seed=5)
    assert grid.shape == (3, 4, 1, 16, 16)
    samples = game.decode(game.latents(5, seed=5))
    assert (grid[0, 0] == 1).all()
    torch.testing.assert_close(grid[1:, 0], samples[:2])
    torch.testing.assert_close(grid[0, 1:], samples[2:])
    for row in range(2):
        for column in range(3):
            expected = by_hand(styled, [row, 2 + column], [None, None], copied)
            torch.testing.assert_close(grid[1 + row, 1 + column], expected)
    assert (grid[1, 1] - grid[1, 2]).abs().max() > 1e-5
    assert (grid[1, 1] - grid[2, 1]).abs().max() > 1e-5


@pytest.mark.parametrize(("labels", "expected"), [(None, [4, 1]), ([7], [7, 7]), ([2, 3], [2, 3])])
def test_sources_are_samples_with_their_labels(
    told: Path, labels: list[int] | None, expected: list[int | None]
) -> None:
    game = load(told)
    grid = mix(game, [14], [1], seed=5, labels=labels)
    torch.testing.assert_close(grid[1, 1], by_hand(told, [14, 1], expected, range(3, 6)))
    if labels is None:
        torch.testing.assert_close(grid[1, 0], game.decode(game.latents(15, seed=5))[14])


def test_styles_of_many_images(styled: Path) -> None:
    game = load(styled)
    styles = Styles(game).sample(3, range(130), None)
    game.train()
    images = Styles(game).images(styles.view(13, 10, *styles.shape[1:]))
    torch.testing.assert_close(images.flatten(0, 1), game.decode(game.latents(130, seed=3)))
    assert game.averaged.training


def test_layers_in_order() -> None:
    assert layer_range(None, 6, 3) == slice(3, 6)
    assert layer_range([0, 5], 6, 3) == slice(0, 6)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("rows=0", "rows=0 and columns=7 must be 1 or more"),
        ("columns=-1", "columns=-1"),
        ("seed=-1", "seed=-1"),
        ("sources=[1,2]", r"sources=\[1, 2\]: give 12 numbers"),
        ("rows=1 columns=1 sources=[1,-2]", "give 2 numbers from 0"),
        ("layers=[1]", r"layers=\[1\]: give the first and the last of 0\.\.5"),
        ("layers=[3,2]", "first and the last"),
        ("layers=[0,6]", "first and the last"),
        ("layers=[-1,2]", "first and the last"),
        ("labels=[1]", "unconditional"),
        ("out=mix.jpg", r"out=mix\.jpg.*\.png"),
        ("row=1", "did you mean 'rows'"),
    ],
)
def test_impossible_pictures(styled: Path, given: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dispatch(["mix", f"run={styled}", *given.split()])


@pytest.mark.parametrize("command", ["mix", "truncate", "directions", "interpolate styles=true"])
def test_a_run_without_styles(plain: Path, command: str) -> None:
    name, *given = command.split()
    with pytest.raises(InputError, match=r"its \w+ has no styles: .* model=stylegan"):
        dispatch([name, f"run={plain}", *given])
