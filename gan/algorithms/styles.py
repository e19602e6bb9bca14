"""Styles of samples: mixing and truncation (Karras et al., 2019)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from gan.algorithms.class_names import Label
from gan.algorithms.latent import LatentGame, evaluating
from gan.errors import InputError
from gan.networks.style import StyleGenerator

_BATCH = 100  # images at once


class Styles:
    """The styles of a game's samples, and their images.

    Args:
        game: in evaluation mode.

    Raises:
        InputError: if its generator has no styles.
    """

    def __init__(self, game: LatentGame) -> None:
        if not isinstance(game.averaged, StyleGenerator):
            raise InputError(
                f"run: its {type(game.averaged).__name__} has no styles: name a run of "
                "model=stylegan or model=stylegan2"
            )
        self.game, self.generator = game, game.averaged

    def of(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return styles (n, layers, style_dim) of latents (n, dim) and labels (n,)."""
        device = self.game.device
        y = None if labels is None else labels.to(device)
        with evaluating(self.generator):
            return self.generator.styles(z.to(device), y)

    def sample(self, seed: int, numbers: Sequence[int], labels: Sequence[Label] | None) -> Tensor:
        """Return the styles (n, layers, style_dim) of some samples of a seed.

        Args:
            seed: of the samples.
            numbers: of the samples, (n,).
            labels: one, or one each; by default those of the samples.

        Raises:
            InputError: on labels that the model does not know.
        """
        prior, classes = self.game.prior, self.game.generator.num_classes
        z = torch.cat([prior.sample_each(seed, range(k, k + 1)) for k in numbers])
        if labels is None and classes:
            labels = [k % classes for k in numbers]
        return self.of(z, self.game.labels_for(len(numbers), labels))

    def images(self, styles: Tensor) -> Tensor:
        """Return images (..., C, H, W) in [-1, 1] of styles (..., layers, style_dim), on the CPU.

        float32; styles of one image lie in the last two dimensions.
        """
        parts = torch.split(styles.flatten(0, -3), _BATCH)
        with evaluating(self.generator):
            images = [self.generator.synthesise(part).float().cpu() for part in parts]
        flat = torch.cat(images)
        return flat.view(*styles.shape[:-2], *flat.shape[1:])


@contextmanager
def truncating(generator: StyleGenerator, psi: float) -> Iterator[None]:
    """Truncate the styles of a generator in evaluation mode by psi inside the context."""
    before = generator.psi
    try:
        generator.psi = psi
        yield
    finally:
        generator.psi = before


def layer_range(given: Sequence[int] | None, layers: int, start: int = 0) -> slice:
    """Return the layers from the first to the last given, by default all from ``start``.

    Raises:
        InputError: if they are not two of ``layers`` in their order.
    """
    if given is None:
        return slice(start, layers)
    if len(given) != 2 or not 0 <= given[0] <= given[1] < layers:
        raise InputError(
            f"layers={list(given)}: give the first and the last of 0..{layers - 1}, such as "
            f"[0,{layers // 2 - 1}]"
        )
    return slice(given[0], given[1] + 1)


def mix(
    game: LatentGame,
    left: Sequence[int],
    top: Sequence[int],
    layers: Sequence[int] | None = None,
    seed: int = 0,
    labels: Sequence[Label] | None = None,
) -> Tensor:
    """Return a grid (1 + rows, 1 + columns, C, H, W) of images, its corner white (fig. 3).

    Args:
        game: in evaluation mode.
        left: numbers of samples of the seed, one a row.
        top: numbers of samples, one a column, whose styles a cell takes at some layers.
        layers: first and last of these layers; by default the finer half.
        seed: of the samples.
        labels: one, or one a sample on the left and then on top; by default those of the samples.

    Raises:
        InputError: if there are no styles, or no such layers or labels.
    """
    styles = Styles(game)
    chosen = layer_range(layers, styles.generator.layers, styles.generator.layers // 2)
    rows, columns = styles.sample(seed, [*left, *top], labels).tensor_split([len(left)])
    cells = rows[:, None].repeat(1, len(columns), 1, 1)
    cells[:, :, chosen] = columns[:, chosen]
    edge, side, inner = (styles.images(part) for part in (columns[None], rows[:, None], cells))
    corner = torch.ones_like(edge[:, :1])
    return torch.cat([torch.cat([corner, edge], 1), torch.cat([side, inner], 1)])


def truncate(
    game: LatentGame,
    psis: Sequence[float],
    rows: int,
    seed: int = 0,
    labels: Sequence[Label] | None = None,
) -> Tensor:
    """Return images (rows, psis, C, H, W) in [-1, 1] of w' = mean + psi (w - mean).

    Source: Karras et al., 2019, section 2.2 and fig. 8; the mean is that of training, over all
    labels.

    Raises:
        InputError: if there are no styles, or on labels that the model does not know.
    """
    styles = Styles(game)
    w = styles.sample(seed, range(rows), labels)
    psi = torch.tensor(psis).to(w)[:, None, None]
    return styles.images(torch.lerp(styles.generator.w_mean.to(w), w[:, None], psi))
