"""Reconstruction of an image from an observation of it: projection, inpainting, denoising."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.algorithms.projection import LatentSpace, Observation, Space, StyleSpace
from gan.errors import InputError
from gan.latents import keyed_generator
from gan.networks.style import StyleGenerator

_NOISE = (0, 5)  # last parts of keys; keys of samples have no 0 there
_UNKNOWN = 0.0  # value shown at unknown pixels


@dataclass(frozen=True)
class Problem:
    """An image and its observation.

    Attributes:
        image: as it is given, (1, C, H, W) in [-1, 1].
        observation: the image with noise, at its known pixels.
    """

    image: Tensor
    observation: Observation

    @classmethod
    def of(
        cls, image: Tensor, known: Tensor, noise: float = 0.0, corrupt: bool = False, seed: int = 0
    ) -> "Problem":
        """Return the problem of reconstructing an image.

        Args:
            image: (1, C, H, W), in [-1, 1].
            known: (1, 1, H, W), 1 at known pixels and 0 at unknown ones.
            noise: standard deviation of the noise of a pixel.
            corrupt: add the noise; otherwise the image has it already.
            seed: of the noise that is added.
        """
        drawn = torch.randn(image.shape, generator=keyed_generator(seed, *_NOISE)).to(image)
        return cls(image, Observation(image + noise * corrupt * drawn, known, noise))

    @property
    def partial(self) -> bool:
        """Return whether there are unknown pixels."""
        return bool((self.observation.known == 0).any())

    @property
    def observed(self) -> Tensor:
        """Return the observation, (1, C, H, W), gray at unknown pixels."""
        return torch.where(self.observation.known > 0, self.observation.image, _UNKNOWN)

    def sheet(self, projection: Tensor) -> Tensor:
        """Return images (n, C, H, W) in one row: given, found, and the error.

        The image; the observation, if it differs; the projection; the projection with the known
        pixels of the image, if some are unknown; the absolute error, from black (0) to white (2).
        """
        shown = [self.image, projection]
        if not torch.equal(self.observed, self.image):
            shown.insert(1, self.observed)
        if self.partial:
            shown.append(torch.where(self.observation.known > 0, self.observed, projection))
        return torch.cat([*shown, (projection - self.image).abs() - 1])

    def errors(self, projection: Tensor) -> Iterator[str]:
        """Yield a line for each set of pixels: mean squared error, and PSNR in dB."""
        known = self.observation.known
        sets = {"known pixels": self.observation}
        if self.partial:
            sets["hidden pixels, as the image has them"] = Observation(self.image, 1 - known)
        if not torch.equal(self.observation.image, self.image):
            sets["known pixels before noise"] = Observation(self.image, known)
        for name, observation in sets.items():
            error = float(observation.residual(projection))
            ratio = 10 * math.log10(4 / error) if error else math.inf
            yield f"{name}: mean squared error {error:.4g}, PSNR {ratio:.1f} dB"


def latent_space(game: LatentGame, label: Tensor | None, seed: int, extended: bool) -> Space:
    """Return the space of latents to search: W or W+ if the generator has styles, else Z.

    Args:
        game: in evaluation mode.
        label: (1,) for a conditional generator.
        seed: of the statistics of the space.
        extended: W+.

    Raises:
        InputError: if W+ is asked for and there are no styles.
    """
    if isinstance(game.averaged, StyleGenerator):
        return StyleSpace(game.averaged, game.prior, label, seed, extended)
    if extended:
        raise InputError(
            f"extended: the {type(game.averaged).__name__} of the run has no styles: leave "
            "extended out"
        )
    return LatentSpace(game.averaged, game.prior, label, seed)


def compute_images(space: Space, latents: Tensor) -> Tensor:
    """Return images (B, C, H, W) of latents (B, ...), clipped to [-1, 1], without gradients."""
    with torch.no_grad():
        return space.images(latents).clamp(-1, 1)
