"""Traversal of the codes of a prior (Chen et al., 2016)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gan.algorithms.class_names import Label
from gan.algorithms.latent import LatentGame
from gan.errors import InputError
from gan.latents import Codes


def traverse(
    game: LatentGame,
    rows: int,
    columns: int,
    extent: float = 2.0,
    seed: int = 0,
    labels: Sequence[Label] | None = None,
) -> list[Tensor]:
    """Return images (rows, values, C, H, W) in [-1, 1] for each code in turn (InfoGAN, fig. 2).

    Args:
        game: in evaluation mode.
        rows: of each code; a row has its own noise and its own other codes.
        columns: values of a continuous code; a categorical one takes all its categories.
        extent: continuous codes run from -extent to extent; training uses [-1, 1].
        seed: of the latents.
        labels: one, or one a row; by default the classes in turn.

    Raises:
        InputError: if the prior has no codes, or on labels that the model does not know.
    """
    if not isinstance(game.prior, Codes):
        raise InputError(
            f"run: its {type(game.prior).__name__} prior has no codes to traverse: "
            "name a run with prior=codes, such as one of model=infogan"
        )
    z = game.prior.sample_each(seed, range(rows))
    y, values = game.labels_for(rows, labels), torch.linspace(-extent, extent, columns)
    return [_decode(game, latents, y) for latents in game.prior.traverse(z, values)]


def _decode(game: LatentGame, latents: Tensor, y: Tensor | None) -> Tensor:
    """Return images (rows, columns, C, H, W) of latents (rows, columns, dim) and labels (rows,)."""
    rows, columns, _ = latents.shape
    labels = None if y is None else y.repeat_interleave(columns)
    images = game.decode(latents.flatten(0, 1), labels)
    return images.view(rows, columns, *images.shape[1:])
