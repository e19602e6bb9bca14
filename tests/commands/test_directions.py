from pathlib import Path

import pytest
import torch
from PIL import Image

from gan.algorithms.directions import Walks, affine_maps
from gan.algorithms.projection import population
from gan.commands.main import dispatch
from gan.errors import InputError
from gan.networks.style import StyleGenerator
from gan.runs.checkpoints import load
from tests.commands.test_mix import STYLED, TOLD, trained


@pytest.fixture(params=[[], [TOLD]], ids=["unconditional", "conditional"])
def styled(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Return the folder of a run of a style generator."""
    return trained(tmp_path_factory.getbasetemp(), *STYLED, *request.param)


def test_a_picture_and_an_animation(
    styled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ways.png"
    given = ["count=2", "rows=2", "columns=3", f"out={out}"]
    dispatch(["directions", f"run={styled}", *given])
    assert capsys.readouterr().out.split() == [str(out), str(out.with_suffix(".gif"))]
    with Image.open(out) as picture:
        # two blocks of two rows and a white row between
        factor = picture.width // (3 * 18 + 2)
        assert picture.size == (factor * (3 * 18 + 2), factor * (5 * 18 + 2))
    with Image.open(out.with_suffix(".gif")) as film:
        assert 1 < film.n_frames <= 2 * 8  # type: ignore[attr-defined]
    (tmp_path / "ways.gif").unlink()
    dispatch(["directions", f"run={styled}", *given, "gif=false"])
    assert [path.name for path in tmp_path.iterdir()] == ["ways.png"]


@pytest.mark.parametrize(("layers", "chosen"), [(None, range(6)), ([2, 3], range(2, 4))])
def test_walks_along_singular_vectors(
    styled: Path, layers: list[int] | None, chosen: range
) -> None:
    game = load(styled)
    generator = game.averaged
    assert isinstance(generator, StyleGenerator)
    walks = Walks(game, count=2, extent=2.5, rows=3, layers=layers, seed=4)
    a = torch.cat([weight for layer, weight in affine_maps(generator) if layer in chosen])
    _, _, vh = torch.linalg.svd(a)
    labels = game.labels_for(10, None)
    w = population(generator, game.prior, labels, 4)
    for number in range(2):
        images = walks.images(number, 5)
        assert images.shape == (3, 5, 1, 16, 16)
        torch.testing.assert_close(images[:, 2], game.decode(game.latents(3, seed=4)))
        sign = torch.sign(vh[number] @ walks.directions[number])
        step = 2.5 * (w @ vh[number]).std() * vh[number] * sign
        with torch.no_grad():
            y = None if labels is None else labels[:3]
            styles = generator.styles(game.prior.sample_each(4, range(3)), y).clone()
            styles[:, chosen.start : chosen.stop] -= step
            expected = generator.synthesise(styles)
        torch.testing.assert_close(images[:, 0], expected, atol=1e-4, rtol=1e-4)
    assert (walks.images(0, 2) - walks.images(1, 2)).abs().max() > 1e-4


@pytest.mark.parametrize("styled", [[TOLD]], indirect=True)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("rows=0", "rows=0 must be 1 or more"),
        ("columns=1", "columns=1 2 or more"),
        ("extent=0", r"extent=0\.0"),
        ("extent=inf", "extent=inf"),
        ("seed=-1", "seed=-1"),
        ("count=0", "count=0: give a number from 1 to 8"),
        ("count=9", "count=9: give a number from 1 to 8"),
        ("layers=[4,9]", r"layers=\[4, 9\]"),
        ("labels=[11]", "labels"),
        ("out=way.jpg", r"out=way\.jpg.*\.png"),
    ],
)
def test_impossible_pictures(styled: Path, given: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dispatch(["directions", f"run={styled}", given])
