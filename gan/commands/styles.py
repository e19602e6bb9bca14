"""What commands on style generators share: styles of samples, layers, where pictures go."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame, evaluating
from gan.errors import InputError
from gan.networks.style import StyleGenerator

_BATCH = 100  # images at once


class Styles:
    """The styles of a game's samples, and their images.

    Args:
        game: in evaluation mode.
        run: the folder that it comes from, for the message.

    Raises:
        InputError: if its generator has no styles.
    """

    def __init__(self, game: LatentGame, run: str) -> None:
        if not isinstance(game.averaged, StyleGenerator):
            raise InputError(
                f"run={run}: its {type(game.averaged).__name__} has no styles: name a run of "
                "model=stylegan or model=stylegan2"
            )
        self.game, self.generator = game, game.averaged

    def of(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return styles (n, layers, style_dim) of latents (n, dim) and labels (n,)."""
        device = self.game.device
        y = None if labels is None else labels.to(device)
        with evaluating(self.generator):
            return self.generator.styles(z.to(device), y)

    def sampled(self, seed: int, n: int, labels: Sequence[int] | None) -> Tensor:
        """Return the styles (n, layers, style_dim) of the first ``n`` samples of a seed.

        Raises:
            InputError: on labels that the model does not know.
        """
        z = self.game.prior.sample_each(seed, range(n))
        return self.of(z, self.game.labels_for(n, labels))

    def images(self, styles: Tensor) -> Tensor:
        """Return images (..., C, H, W) in [-1, 1] of styles (..., layers, style_dim), on the CPU.

        float32; styles of one image lie in the last two dimensions.
        """
        parts = torch.split(styles.flatten(0, -3), _BATCH)
        with evaluating(self.generator):
            images = torch.cat([self.generator.synthesise(part).float().cpu() for part in parts])
        return images.view(*styles.shape[:-2], *images.shape[1:])


def destination(run: str, out: str | None, name: str) -> Path:
    """Return where a picture is to go: ``out``, or a file of the run folder.

    Raises:
        InputError: if it would be no PNG.
    """
    path = Path(out) if out else Path(run) / name
    if path.suffix != ".png":
        raise InputError(f"out={path}: give a name that ends in .png")
    return path


def layer_range(given: Sequence[int] | None, layers: int, start: int = 0) -> slice:
    """Return the layers that were asked for, by default all from ``start``.

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
