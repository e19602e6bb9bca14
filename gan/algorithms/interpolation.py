"""Interpolation between the samples of a game."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gan.algorithms.class_names import Label
from gan.algorithms.encoding import EncodingGame
from gan.algorithms.latent import LatentGame
from gan.algorithms.styles import Styles
from gan.networks.style import StyleGenerator


def interpolate(
    game: LatentGame,
    rows: int,
    steps: int,
    seed: int = 0,
    labels: Sequence[Label] | None = None,
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
    return (_between_styles if styles else _between_latents)(game, z[::2], z[1::2], y, t)


def interpolate_images(
    game: EncodingGame, images: Tensor, steps: int, labels: Tensor | None = None
) -> Tensor:
    """Return images (rows, steps, C, H, W); row r leads from image 2r to 2r + 1.

    The ends are reconstructions. Latents are interpolated as the prior does it.

    Args:
        game: in evaluation mode.
        images: (2 rows, C, H, W) in [-1, 1].
        steps: images of a row, both ends included.
        labels: of a conditional model, (rows,).
    """
    z, t = game.encode(images), torch.linspace(0, 1, steps)[:, None]
    return _between_latents(game, z[::2], z[1::2], labels, t)


def walk(game: LatentGame, z: Tensor, labels: Tensor | None, steps: int) -> Tensor:
    """Return images (K - 1, steps, C, H, W) in [-1, 1]; row k leads from latent k to latent k + 1.

    Wherever the generator has styles they are interpolated, those of different classes too.
    Otherwise latents are, and an image has the class of the nearer end, at the middle the first.

    Args:
        game: in evaluation mode.
        z: latents (K, dim), K at least 2.
        labels: of a conditional model, one each, (K,).
        steps: images of a row, both ends included.
    """
    t = torch.linspace(0, 1, steps)
    if isinstance(game.averaged, StyleGenerator):
        styles = Styles(game)
        w = styles.of(z, labels)[:, None]
        return styles.images(torch.lerp(w[:-1], w[1:], t[:, None, None].to(w)))
    latents = game.prior.interpolate(z[:-1, None], z[1:, None], t[:, None])
    y = None if labels is None else torch.where(t > 0.5, labels[1:, None], labels[:-1, None])
    images = game.decode(latents.flatten(0, 1), None if y is None else y.flatten())
    return images.view(*latents.shape[:2], *images.shape[1:])


def _between_styles(
    game: LatentGame, start: Tensor, end: Tensor, y: Tensor | None, t: Tensor
) -> Tensor:
    """Return images (rows, steps, C, H, W) on lines between the styles of latents (rows, dim)."""
    styles = Styles(game)
    first, last = (styles.of(z, y)[:, None] for z in (start, end))
    return styles.images(torch.lerp(first, last, t[:, None].to(first)))


def _between_latents(
    game: LatentGame, start: Tensor, end: Tensor, y: Tensor | None, t: Tensor
) -> Tensor:
    """Return images (rows, steps, C, H, W) between latents (rows, dim), as the prior goes."""
    latents = game.prior.interpolate(start[:, None], end[:, None], t)
    labels = None if y is None else y.repeat_interleave(len(t))
    images = game.decode(latents.flatten(0, 1), labels)
    return images.reshape(len(start), len(t), *images.shape[1:])
