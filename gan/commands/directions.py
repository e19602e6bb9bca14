"""What the directions of W do that a run's weights single out."""

from dataclasses import dataclass, field

import torch
from omegaconf import MISSING
from torch import Tensor

from gan.algorithms.directions import move_styles, semantic_directions, stacked_weights
from gan.algorithms.latent import LatentGame
from gan.algorithms.projection import population
from gan.commands.interpolate import FRAMES, save_animation, there_and_back
from gan.commands.styles import Styles, destination, layer_range
from gan.commands.traverse import stacked
from gan.errors import InputError
from gan.pictures import picture, save_grid
from gan.runs.folder import load


@dataclass
class DirectionsOptions:
    """What ``python -m gan directions`` reads.

    Attributes:
        run: the run folder.
        count: directions, those that change styles most; a block each.
        extent: rows run from -extent to extent, in standard deviations of w along a direction.
        rows: samples of a block.
        columns: steps of a row.
        layers: first and last layer that count and move; by default all.
        seed: of the samples.
        labels: of a conditional model, one or one a row; by default the classes in turn.
        out: PNG to write; by default ``directions.png`` in the run folder.
        gif: also write the walk along the first direction as an animation, beside the picture.
        checkpoint: "best" or "last"; by default the best if there is one.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    count: int = 5
    extent: float = 3.0
    rows: int = 3
    columns: int = 7
    layers: list[int] | None = None
    seed: int = 0
    labels: list[int] | None = None
    out: str | None = None
    gif: bool = True
    checkpoint: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def directions(options: DirectionsOptions) -> None:
    """Write a grid of walks along the directions that the weights single out, print where it is."""
    out = destination(options.run, options.out, "directions.png")
    _check(options)
    game = load(options.run, options.checkpoint, options.allow_targets)
    walks = Walks(game, options)
    blocks = [walks.images(number, options.columns) for number in range(options.count)]
    save_grid(picture(stacked(blocks), options.columns), out)
    print(out)
    if options.gif:
        film = walks.images(0, FRAMES * (options.columns - 1) + 1).transpose(0, 1)
        save_animation(there_and_back(film), out.with_suffix(".gif"))
        print(out.with_suffix(".gif"))


class Walks:
    """Samples, and the ways that lead from them along the directions of SeFa.

    Args:
        game: in evaluation mode.
        options: of the command.

    Raises:
        InputError: if there are no styles, or not so many directions, layers or labels.
    """

    def __init__(self, game: LatentGame, options: DirectionsOptions) -> None:
        self.styles, self.extent = Styles(game, options.run), options.extent
        generator = self.styles.generator
        self.layers = layer_range(options.layers, generator.layers)
        weights = stacked_weights(generator, self.layers)
        self.directions = semantic_directions(weights, options.count)
        self.starts = self.styles.sampled(options.seed, options.rows, options.labels)
        classes = game.labels_for(max(generator.num_classes, 1), None)
        w = population(generator, game.prior, classes, options.seed)
        self.deviations = (w @ self.directions.T).std(0)

    def images(self, number: int, steps: int) -> Tensor:
        """Return images (rows, steps, C, H, W) in [-1, 1] along a direction."""
        far = self.extent * float(self.deviations[number])
        values = torch.linspace(-far, far, steps).to(self.starts)
        found = move_styles(self.starts, self.directions[number], values, self.layers)
        return self.styles.images(found)


def _check(options: DirectionsOptions) -> None:
    """Refuse what no picture can be made of."""
    if options.rows < 1 or options.columns < 2:
        raise InputError(
            f"rows={options.rows} must be 1 or more, columns={options.columns} 2 or more"
        )
    if not 0 < options.extent < float("inf"):
        raise InputError(f"extent={options.extent}: give a number above 0")
    if options.seed < 0:
        raise InputError(f"seed={options.seed}: give a number from 0")
