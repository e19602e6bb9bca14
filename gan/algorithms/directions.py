"""Directions of W that change images most, in closed form (Shen & Zhou, 2021, SeFa)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan.algorithms.class_names import Label
from gan.algorithms.latent import LatentGame, evaluating
from gan.algorithms.projection import population
from gan.algorithms.styles import Styles, layer_range
from gan.errors import InputError
from gan.layers.equalised import EqualisedLinear
from gan.layers.modulation import AdaIN, ModulatedConv2d
from gan.networks.style import StyleGenerator


def affine_maps(generator: StyleGenerator) -> list[tuple[int, Tensor]]:
    """Return each map from w to a layer's styles: the number of its w, and weights (N, style_dim).

    The style of each layer is set to the layer's number, which the inputs of the maps then show.
    Maps of layers that the image does not depend on are left out.
    """
    found: list[tuple[int, Tensor]] = []

    def record(affine: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(affine, EqualisedLinear)
        found.append((round(float(inputs[0][0, 0])), affine.weight * affine.gain))

    affines = [m.style for m in generator.modules() if isinstance(m, AdaIN | ModulatedConv2d)]
    hooks = [affine.register_forward_pre_hook(record) for affine in affines]
    numbers = torch.arange(generator.layers).to(generator.w_mean)
    try:
        with evaluating(generator):
            generator.synthesise(numbers[None, :, None].expand(1, -1, generator.style_dim))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def stacked_weights(generator: StyleGenerator, layers: slice) -> Tensor:
    """Return A, (N, style_dim): the weights of all maps of some layers, stacked.

    Deviation from the authors' code, not from the paper: rows are not normalised.
    """
    chosen = set(range(generator.layers)[layers])
    return torch.cat([weight for layer, weight in affine_maps(generator) if layer in chosen])


def semantic_directions(weight: Tensor, count: int) -> Tensor:
    """Return the unit vectors n that make |A n| largest, (count, dim), the largest first.

    Eigenvectors of A^T A, eqs. 4 to 6; the entry of largest size in each is positive.

    Args:
        weight: A, (N, dim).
        count: from 1 to dim.

    Raises:
        InputError: if there are not so many.
    """
    if not 1 <= count <= weight.shape[1]:
        raise InputError(f"count={count}: give a number from 1 to {weight.shape[1]}, those of w")
    a = weight.detach().double()
    _, vectors = torch.linalg.eigh(a.T @ a)  # the smallest first, as columns
    found: Tensor = vectors.T.flip(0)[:count]
    found *= found.gather(1, found.abs().argmax(1, keepdim=True)).sign()
    return found.to(weight.dtype)


def move_styles(styles: Tensor, direction: Tensor, values: Tensor, layers: slice) -> Tensor:
    """Return styles with ``values`` times a direction added at some layers.

    Args:
        styles: (n, layers, style_dim).
        direction: (style_dim,).
        values: (V,).
        layers: that move.

    Returns:
        (n, V, layers, style_dim).
    """
    found = styles[:, None].repeat(1, len(values), 1, 1)
    found[:, :, layers] += values[:, None, None] * direction
    return found


class Walks:
    """Samples, and walks from them along the directions of SeFa.

    Args:
        game: in evaluation mode.
        count: directions, those that change styles most.
        extent: a walk runs from -extent to extent, in standard deviations of w along its direction.
        rows: samples.
        layers: first and last layer that count and move; by default all.
        seed: of the samples.
        labels: one, or one a row; by default the classes in turn.

    Raises:
        InputError: if there are no styles, or not so many directions, layers or labels.
    """

    def __init__(
        self,
        game: LatentGame,
        count: int,
        extent: float,
        rows: int,
        layers: Sequence[int] | None = None,
        seed: int = 0,
        labels: Sequence[Label] | None = None,
    ) -> None:
        self.styles, self.extent = Styles(game), extent
        generator = self.styles.generator
        self.layers = layer_range(layers, generator.layers)
        self.directions = semantic_directions(stacked_weights(generator, self.layers), count)
        self.starts = self.styles.sample(seed, range(rows), labels)
        classes = game.labels_for(max(generator.num_classes, 1), None)
        w = population(generator, game.prior, classes, seed)
        self.deviations = (w @ self.directions.T).std(0)

    def images(self, number: int, steps: int) -> Tensor:
        """Return images (rows, steps, C, H, W) in [-1, 1] along a direction."""
        far = self.extent * float(self.deviations[number])
        values = torch.linspace(-far, far, steps).to(self.starts)
        moved = move_styles(self.starts, self.directions[number], values, self.layers)
        return self.styles.images(moved)
