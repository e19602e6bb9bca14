"""The way from real images to latents that a run has learned, or that a search finds."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from gan.algorithms.encoding import EncodingGame
from gan.algorithms.latent import LatentGame
from gan.algorithms.projection import Observation, Projection
from gan.algorithms.reconstruction import latent_space
from gan.errors import InputError
from gan.networks.style import StyleGenerator
from gan.progress import bar
from gan.runs.checkpoints import load
from gan.runs.real_images import RealImages

BATCH = 100  # images


class Encoding(ABC):
    """What turns real images into vectors."""

    title: str

    @abstractmethod
    def encode(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Return vectors (n, dim) of images (n, C, H, W), float32 on the CPU."""

    def encode_all(self, images: RealImages) -> Tensor:
        """Return the vectors (N, dim) of all images, with a progress bar."""
        parts, start = [], 0
        with bar(self.title, len(images), "img") as progress:
            for batch in images.batches(self.batch):
                labels = None if images.labels is None else images.labels[start:][: len(batch)]
                parts.append(self.encode(batch, labels))
                start += len(batch)
                progress.update(len(batch))
        return torch.cat(parts)

    @property
    def batch(self) -> int:
        """Return the number of images that are encoded at once."""
        return BATCH


class LearnedEncoding(Encoding):
    """The encoder of a game.

    Args:
        game: that has one.
        example: an image, (1, C, H, W), to find out.

    Raises:
        InputError: if it has none.
    """

    title = "encoding"

    def __init__(self, game: LatentGame, example: Tensor) -> None:
        self.game = game
        game.encode(example)

    def encode(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Return latents (n, dim), or the codes of InfoGAN."""
        return self.game.encode(images)


class SearchedStyles(Encoding):
    """The styles w of a style generator, each found by :class:`Projection`.

    Args:
        game: with a style generator.
        steps: of each search.
        seed: of the searches.
    """

    title = "projection"

    def __init__(self, game: LatentGame, steps: int, seed: int) -> None:
        self.game, self.search, self.seed = game, Projection(steps, seed), seed

    @property
    def batch(self) -> int:
        """Return 1: each image is searched alone."""
        return 1

    def encode(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Return the style (1, style_dim) of an image (1, C, H, W).

        Raises:
            InputError: if the game is conditional and there is no label.
        """
        conditional = self.game.generator.num_classes > 0
        if conditional and labels is None:
            raise InputError(
                "images: the model is conditional, and files have no labels: give a split"
            )
        y = labels.to(self.game.device) if conditional and labels is not None else None
        space = latent_space(self.game, y, self.seed, extended=False)
        image = images.to(self.game.device)
        *_, latent = self.search.path(space, Observation(image, torch.ones_like(image[:, :1])))
        return latent.flatten(1).float().cpu()


def encoding_of(game: LatentGame, example: Tensor, steps: int, seed: int) -> Encoding:
    """Return the encoder of a game, or the search for the styles of its generator.

    Args:
        game: of a run.
        example: an image, (1, C, H, W).
        steps: of each search.
        seed: of the searches.

    Raises:
        InputError: if there is neither.
    """
    if isinstance(game.averaged, StyleGenerator):
        return SearchedStyles(game, steps, seed)
    return LearnedEncoding(game, example)


def load_autoencoder(
    run: str, checkpoint: str | None, allow_targets: Sequence[str]
) -> EncodingGame:
    """Return the game of a run, whose encoder gives the latents that its generator takes.

    Raises:
        InputError: if there is none.
    """
    game = load(run, checkpoint, allow_targets, LatentGame)
    if not isinstance(game, EncodingGame):
        raise InputError(
            f"run={run}: its {type(game).__name__} has no encoder for its generator: train "
            "model=bigan, ali, vae or vaegan, or use ganymede project"
        )
    return game
