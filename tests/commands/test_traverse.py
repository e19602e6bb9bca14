from pathlib import Path

import pytest
import torch
from PIL import Image

from gan.algorithms.traversal import traverse
from gan.commands.main import dispatch
from gan.errors import InputError
from gan.latents import Codes
from gan.pictures import stack_blocks
from gan.runs.checkpoints import load
from tests.commands.test_cli import MLP, TINY, cli

CODES = ["prior=codes", "prior.dim=20", "prior.categories=[3,12]", "prior.continuous=2"]


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a conditional run whose prior has codes."""
    run = tmp_path_factory.mktemp("traverse") / "run"
    given = [*TINY, *MLP, *CODES, "conditioning=projection", "steps=1"]
    assert cli(*given, f"hydra.run.dir={run}") == 0
    return run


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run whose prior has none."""
    run = tmp_path_factory.mktemp("traverse") / "run"
    assert cli(*TINY, *MLP, "steps=1", f"hydra.run.dir={run}") == 0
    return run


def test_a_picture_of_blocks(coded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dispatch(["traverse", f"run={coded}", "rows=2"])
    out = coded / "traversal.png"
    assert capsys.readouterr().out.strip() == str(out)
    with Image.open(out) as picture:
        assert picture.format == "PNG"
        # twelve columns; four blocks of two rows and three white rows, 16 pixels between bars of 2
        factor = picture.width // (12 * 18 + 2)
        assert picture.size == (factor * (12 * 18 + 2), factor * (11 * 18 + 2))


@pytest.mark.parametrize(("labels", "expected"), [(None, [0, 1, 2]), ([7], [7, 7, 7])])
def test_only_the_code_of_its_block_changes(
    coded: Path, labels: list[int] | None, expected: list[int]
) -> None:
    game = load(coded)
    found = traverse(game, rows=3, columns=4, seed=5, labels=labels)
    assert [block.shape for block in found] == [(3, k, 1, 16, 16) for k in (3, 12, 4, 4)]
    z = game.prior.sample_each(5, range(3))
    for block, (start, width) in zip(found, [(3, 3), (6, 12), (18, 1), (19, 1)], strict=True):
        for column in range(block.shape[1]):
            varied = z.clone()
            value = 2 * (2 * column / 3 - 1)
            varied[:, start : start + width] = torch.eye(width)[column] if width > 1 else value
            torch.testing.assert_close(block[:, column], game.decode(varied, expected))
        assert (block[:, 0] - block[:, -1]).abs().max() > 1e-4


def test_the_extent(coded: Path) -> None:
    game = load(coded)
    found = traverse(game, rows=5, columns=3, extent=0.5)[-1]
    z = game.prior.sample_each(0, range(5))
    z[:, -1] = -0.5
    torch.testing.assert_close(found[:, 0], game.decode(z, range(5)))


def test_codes_of_one_sort_alone() -> None:
    (only,) = Codes(5, [4], continuous=0).traverse(torch.rand(2, 5), torch.zeros(3))
    assert torch.equal(only[..., 1:], torch.eye(4).expand(2, 4, 4))
    (only,) = Codes(5, [], continuous=1).traverse(torch.rand(2, 5), torch.tensor([7.0, 8, 9]))
    assert torch.equal(only[..., 4], torch.tensor([7.0, 8, 9]).expand(2, 3))


def test_blocks_are_stacked_on_white() -> None:
    wide, narrow = torch.full((2, 3, 1, 1, 1), 0.2), torch.full((1, 2, 1, 1, 1), 0.4)
    grid = stack_blocks([wide, narrow]).view(-1, 3)
    expected = [[0.2, 0.2, 0.2], [0.2, 0.2, 0.2], [1, 1, 1], [0.4, 0.4, 1]]
    torch.testing.assert_close(grid, torch.tensor(expected))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("rows=0", "rows=0 must be 1 or more"),
        ("columns=1", "columns=1 2 or more"),
        ("extent=0", r"extent=0\.0"),
        ("seed=-1", "seed=-1"),
        ("out=way.jpg", r"out=way\.jpg.*\.png"),
        ("labels=[1,2]", "2 given for n=5"),
        ("labels=[10]", r"0\.\.9"),
        ("row=1", "did you mean 'rows'"),
    ],
)
def test_impossible_pictures(coded: Path, given: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dispatch(["traverse", f"run={coded}", given])


def test_a_prior_without_codes(plain: Path) -> None:
    words = "its Gaussian prior has no codes .* prior=codes, such as one of model=infogan"
    with pytest.raises(InputError, match=words):
        dispatch(["traverse", f"run={plain}"])


def test_points_have_no_grid(tmp_path: Path) -> None:
    run = tmp_path / "run"
    given = ["experiment=ring", "metrics=[]", "accelerator=cpu", *CODES, "steps=1"]
    assert cli(*given, f"hydra.run.dir={run}") == 0
    with pytest.raises(InputError, match="draws points"):
        dispatch(["traverse", f"run={run}"])
