from pathlib import Path

import pytest
import torch
from PIL import Image

from gan.algorithms.styles import truncate
from gan.commands.main import dispatch
from gan.errors import InputError
from gan.networks.style import StyleGenerator
from gan.runs.checkpoints import load
from tests.commands.test_mix import STYLED, TOLD, trained


@pytest.fixture(params=[[], [TOLD]], ids=["unconditional", "conditional"])
def styled(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Return the folder of a run of a style generator."""
    return trained(tmp_path_factory.getbasetemp(), *STYLED, *request.param)


def test_a_picture(styled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dispatch(["truncate", f"run={styled}", "rows=2", "psis=[0,0.5,1]"])
    out = styled / "truncation.png"
    assert capsys.readouterr().out.strip() == str(out)
    with Image.open(out) as picture:
        factor = picture.width // (3 * 18 + 2)
        assert picture.size == (factor * (3 * 18 + 2), factor * (2 * 18 + 2))


def test_from_the_mean_to_the_samples(styled: Path) -> None:
    game = load(styled)
    generator = game.averaged
    assert isinstance(generator, StyleGenerator)
    grid = truncate(game, [0.0, 0.3, 1.0, -1.0], rows=4, seed=2)
    assert grid.shape == (4, 4, 1, 16, 16)
    mean = generator.w_mean.expand(1, generator.layers, -1)
    with torch.no_grad():
        middle = generator.synthesise(mean)[0]
    for row in range(4):
        torch.testing.assert_close(grid[row, 0], middle)
    for column, psi in ((1, 0.3), (2, 1.0), (3, -1.0)):
        generator.psi = psi
        torch.testing.assert_close(grid[:, column], game.decode(game.latents(4, seed=2)))
    assert (grid[0, 2] - grid[1, 2]).abs().max() > 1e-5
    assert (grid[:, 1] - grid[:, 2]).abs().max() > 1e-5


@pytest.mark.parametrize("styled", [[TOLD]], indirect=True)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("rows=0", "rows=0 must be 1 or more"),
        ("seed=-1", "seed=-1 0 or more"),
        ("psis=[]", r"psis=\[\]: give one number or more"),
        ("psis=[0,inf]", "psis="),
        ("labels=[11]", r"labels"),
        ("out=way.jpg", r"out=way\.jpg.*\.png"),
    ],
)
def test_impossible_pictures(styled: Path, given: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dispatch(["truncate", f"run={styled}", given])
