"""Interpolation between the samples of a game."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.algorithms.styles import Styles
from gan.networks.style import StyleGenerator


def interpolate(
    game: LatentGame,
    rows: int,
    steps: int,
    seed: int = 0,
    labels: Sequence[int] | None = None,
    styles: bool | None = None,
) -> Tensor:
    """Return images (rows, steps, C, H, W) in [-1, 1]; row r leads from sample 2r to 2r + 1.

    Styles are interpolated linearly, latents as the prior does it. Images change more smoothly
    along lines in W (Karras et al., 2019, section 4.1).

    Args:
        game: in evaluation mode.
        rows: of images.
        steps: images of a row, both ends included.
        seed: of the samples.
        labels: one, or one a row; by default the classes in turn.
        styles: interpolate styles; by default wherever the generator has styles.

    Raises:
        InputError: on labels that the model does not know, or if there are no styles.
    """
    z = game.prior.sample_each(seed, range(2 * rows))
    y, t = game.labels_for(rows, labels), torch.linspace(0, 1, steps)[:, None]
    if styles is None:
        styles = isinstance(game.averaged, StyleGenerator)
    if styles:
        network = Styles(game)
        start, end = (network.of(latents, y)[:, None] for latents in (z[::2], z[1::2]))
        return network.images(torch.lerp(start, end, t[:, None].to(start)))
    latents = game.prior.interpolate(z[::2, None], z[1::2, None], t)
    along = None if y is None else y.repeat_interleave(steps)
    images = game.decode(latents.flatten(0, 1), along)
    return images.reshape(rows, steps, *images.shape[1:])
