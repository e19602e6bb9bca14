from pathlib import Path

import pytest
import torch
from PIL import Image

from gan.callbacks.samples import Samples
from gan.errors import InputError
from gan.pictures import tile
from tests.callbacks.stage import game, run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_grids_are_written_every_kth_and_the_last_step(tmp_path: Path) -> None:
    notebook = run(game(), 5, Samples(str(tmp_path), every=2, rows=1, columns=2))
    assert names(tmp_path) == [f"step_{step:08d}.png" for step in (2, 4, 5)]
    assert [(key, step) for key, _, step in notebook.pictures] == [
        ("samples", 2),
        ("samples", 4),
        ("samples", 5),
    ]


def test_the_picture_is_that_of_the_first_samples(tmp_path: Path) -> None:
    players = game(seed=3)
    notebook = run(players, 2, Samples(str(tmp_path), every=2, rows=2, columns=3))
    expected = tile(players.sample(6, seed=3), columns=3)
    assert torch.equal(notebook.pictures[0][1], expected)
    with Image.open(tmp_path / "step_00000002.png") as picture:
        assert picture.size == (expected.shape[2], expected.shape[1])
        assert picture.getpixel((40, 40)) == tuple(expected[:, 40, 40].tolist())


def test_the_same_latents_give_the_same_pictures(tmp_path: Path) -> None:
    players = game()
    frozen = {"generator": lambda images: 0.0}
    players.players[0].schedule = frozen["generator"]  # type: ignore[assignment]
    notebook = run(players, 3, Samples(str(tmp_path), every=1, rows=2, columns=2))
    first, *others = [picture for _, picture, _ in notebook.pictures]
    assert all(torch.equal(first, other) for other in others)
    moving = run(game(), 3, Samples(str(tmp_path), every=1, rows=2, columns=2))
    assert not torch.equal(moving.pictures[0][1], moving.pictures[2][1])


def test_each_column_is_a_class(tmp_path: Path) -> None:
    players = game(num_classes=10)
    seen: list[list[int]] = []
    players.averaged.register_forward_hook(lambda _, inputs, __: seen.append(inputs[1].tolist()))
    run(players, 1, Samples(str(tmp_path), rows=3, columns=10))
    assert seen[-1] == [*range(10)] * 3


def test_many_classes_are_cut_to_the_columns(tmp_path: Path) -> None:
    players = game(num_classes=10)
    notebook = run(players, 1, Samples(str(tmp_path), rows=2, columns=4))
    assert torch.equal(notebook.pictures[0][1], tile(players.sample(8), columns=4))


@pytest.mark.parametrize("option", ["every", "rows", "columns"])
def test_nothing_to_show_is_refused(tmp_path: Path, option: str) -> None:
    with pytest.raises(InputError, match=rf"callbacks\.samples\.{option}=0"):
        Samples(str(tmp_path), **{option: 0})


def test_an_early_grid(tmp_path: Path) -> None:
    run(game(), 5, Samples(str(tmp_path), every=10, rows=1, columns=2, first=3))
    assert names(tmp_path) == ["step_00000003.png", "step_00000005.png"]
