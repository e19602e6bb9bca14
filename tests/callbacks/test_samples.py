from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from PIL import Image

from gan.algorithms.encoding import EncodingGame
from gan.callbacks.samples import Samples, caption, draw
from gan.errors import InputError
from gan.pictures import alternate_rows, tile
from tests.algorithms.translating import conditional, cycle
from tests.callbacks.stage import Notebook, digits, game, place, run


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


@pytest.mark.parametrize(
    ("step", "last", "stopped", "first", "drawn"),
    [
        (2, False, False, True, False),
        (3, False, False, True, True),
        (10, False, False, True, True),
        (2, True, False, True, True),
        (2, False, True, True, True),
        (10, True, True, False, False),  # another process
    ],
)
def test_when_and_by_whom_a_grid_is_drawn(
    step: int, last: bool, stopped: bool, first: bool, drawn: bool, tmp_path: Path
) -> None:
    players, notebook = game(), Notebook()
    players.clock.step = step
    loggers = [SimpleNamespace(), notebook]  # the first takes no pictures
    trainer = place(should_stop=stopped, is_global_zero=first, loggers=loggers)
    Samples(str(tmp_path), every=10, rows=1, columns=2, first=3).after_step(trainer, players, last)
    assert [path.name for path in tmp_path.iterdir()] == [f"step_{step:08d}.png"] * drawn
    assert len(notebook.pictures) == drawn


class Pictures:
    """Images by their number, in splits of a name and a size."""

    def __init__(self, channels: int = 1, labelled: bool = True, **splits: int) -> None:
        self.channels, self.labelled, self.splits = channels, labelled, splits

    def split(self, name: str) -> range:
        if name not in self.splits:
            raise ValueError(name)
        return range(self.splits[name])

    def batch(self, split: str, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        assert int(chosen.max()) < self.splits[split]
        images = chosen.float().div(100).view(-1, 1, 1, 1).expand(-1, self.channels, 8, 8)
        return images, chosen if self.labelled else None


def encoding(classes: int) -> Any:
    """Return a game whose reconstructions are darker."""
    players = MagicMock(spec=EncodingGame, seed=3)
    players.generator = SimpleNamespace(num_classes=classes)
    players.sample = lambda count, seed: torch.full((count, 1, 8, 8), seed / 10)
    players.told = []
    players.reconstruct = lambda x, y: players.told.append(y) or x - 1
    return players


@pytest.mark.parametrize(
    ("rows", "columns", "classes", "held", "count"),
    [(8, 4, 0, 50, 8), (4, 4, 3, 50, 3), (3, 4, 0, 50, 4), (8, 4, 0, 5, 5), (8, 4, 9, 50, 8)],
)
def test_held_out_images_above_their_reconstructions(
    rows: int, columns: int, classes: int, held: int, count: int
) -> None:
    players, data = encoding(classes), Pictures(train=99, test=held)
    wide = min(classes or columns, columns)
    samples = torch.full((rows * wide, 1, 8, 8), 0.3)
    labels = torch.arange(count)
    images, _ = data.batch("test", labels)
    both = alternate_rows(images, images - 1, wide)
    assert torch.equal(draw(players, data, rows, columns), tile(torch.cat([samples, both]), wide))
    (told,) = players.told
    assert told is None if not classes else torch.equal(told, labels)
    assert torch.equal(draw(players, None, rows, columns), tile(samples, wide))


def expected(blocks: list[list[torch.Tensor]], columns: int) -> torch.Tensor:
    """Return a grid of rows of images, with a white row between the blocks."""
    white = torch.ones(columns, 1, 8, 8)
    rows = [row for block in blocks for row in (*block, white)]
    return tile(torch.cat(rows[:-1]), columns)


def test_sources_translations_and_what_the_way_back_gives() -> None:
    players = cycle()
    domains = {"a": Pictures(train=9, test=6), "b": Pictures(train=9, test=4)}
    data: Any = SimpleNamespace(domains=domains, paired=False)
    blocks = []
    for way, counts in (("ab", (3, 6)), ("ba", (3, 4))):
        start = 0
        for end in counts:
            images = torch.arange(start, end).div(100).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
            there = players.translate(images, way)
            rows = [images, there, players.translate(there, way[::-1])]
            blocks.append([torch.cat([row, torch.ones(3 - len(row), 1, 8, 8)]) for row in rows])
            start = end
    assert torch.equal(draw(players, data, 6, 3), expected(blocks, 3))


@pytest.mark.parametrize("paired", [True, False])
def test_sources_translations_and_targets_of_pairs(paired: bool) -> None:
    players = conditional()
    domains = {"a": Pictures(test=6), "b": Pictures(test=6)}
    data: Any = SimpleNamespace(domains=domains, paired=paired)
    images, _ = domains["a"].batch("test", torch.arange(2))
    rows = [images, players.translate(images, "ab"), images]
    assert torch.equal(draw(players, data, 1, 2), expected([rows[: 3 if paired else 2]], 2))


@pytest.mark.parametrize(
    ("players", "data", "words"),
    [
        (game(seed=4), None, "seed 4"),
        (game(num_classes=3, seed=4), None, "seed 4, labels by column: 0, 1, 2"),
        (
            game(num_classes=3, seed=4),
            SimpleNamespace(class_names=("a", "b", "c")),
            "seed 4, labels by column: a, b, c",
        ),
        (game(num_classes=4, seed=4), None, "seed 4, labels 0, 1, 2, ... in turn"),
        (encoding(0), None, "seed 3"),
        (encoding(0), digits(1), "seed 3; held-out images above reconstructions"),
        (cycle(seed=5), None, "seed 5, held-out sources above their translations: A to B, B to A"),
    ],
)
def test_a_picture_in_words(players: Any, data: Any, words: str) -> None:
    assert caption(players, data, 3) == words


def test_other_games_have_no_picture() -> None:
    other: Any = SimpleNamespace()
    for tell in (lambda: draw(other, None, 1, 1), lambda: caption(other, None, 1)):
        with pytest.raises(TypeError, match="no picture of SimpleNamespace"):
            tell()
