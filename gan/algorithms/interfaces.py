"""What the networks of a trained game take and return, each as one module."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gan.algorithms.encoding import EncodingGame
from gan.algorithms.infogan import InfoGAN
from gan.algorithms.latent import LatentGame
from gan.algorithms.semi_supervised import SemiSupervised
from gan.algorithms.translation import TranslationGame
from gan.conditioning.auxiliary import ClassHead
from gan.latents import Prior
from gan.networks.base import Discriminator, Encoder
from gan.networks.posterior import Posterior

IMAGES = "[-1, 1]"


class Draw(Protocol):
    """Draws values of an input."""

    def __call__(self, count: int, generator: torch.Generator) -> Tensor:
        """Return ``count`` of them, (count, ...)."""


@dataclass(frozen=True)
class Port:
    """A tensor that a network takes or returns.

    Attributes:
        name: of the tensor.
        shape: without the batch.
        values: range or distribution, in words.
        dtype: of the numbers.
    """

    name: str
    shape: tuple[int, ...]
    values: str
    dtype: str = "float32"


@dataclass(frozen=True)
class Interface:
    """A function that a trained game has learned.

    Attributes:
        name: such as "generator".
        module: in evaluation mode, tensors to a tensor.
        inputs: each with the function that draws examples of it.
        output: of the module.
    """

    name: str
    module: nn.Module
    inputs: tuple[tuple[Port, Draw], ...]
    output: Port

    @property
    def ports(self) -> list[Port]:
        """Return the inputs."""
        return [port for port, _ in self.inputs]

    def examples(self, count: int, seed: int = 0) -> tuple[Tensor, ...]:
        """Return ``count`` inputs, a function of the seed, on the CPU."""
        generator = torch.Generator().manual_seed(seed)
        return tuple(draw(count, generator) for _, draw in self.inputs)


def _images(name: str, shape: Sequence[int]) -> tuple[Port, Draw]:
    """Return an input of images (C, H, W)."""

    def draw(count: int, generator: torch.Generator) -> Tensor:
        return torch.rand(count, *shape, generator=generator).mul(2).sub(1)

    return Port(name, tuple(shape), IMAGES), draw


def _latents(prior: Prior) -> tuple[Port, Draw]:
    """Return an input of latents."""
    return Port("z", (prior.dim,), f"{type(prior).__name__} latents"), prior.sample


def _labels(classes: int) -> tuple[Port, Draw]:
    """Return an input of labels."""

    def draw(count: int, generator: torch.Generator) -> Tensor:
        return torch.randint(classes, (count,), generator=generator)

    return Port("y", (), f"0..{classes - 1}", "int64"), draw


class Means(nn.Module):
    """Images to latents, the mean of a distribution.

    Args:
        encoder: whose latents they are.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        """Return latents (B, dim) of images (B, C, H, W)."""
        return self.encoder.mean(images)


class CodeInference(nn.Module):
    """Images to codes, as :meth:`~gan.algorithms.infogan.InfoGAN.encode`.

    Args:
        discriminator: whose features are read.
        posterior: Q.
    """

    def __init__(self, discriminator: Discriminator, posterior: Posterior) -> None:
        super().__init__()
        self.discriminator, self.posterior = discriminator, posterior

    def forward(self, images: Tensor) -> Tensor:
        """Return probabilities of the categories, then continuous codes, (B, codes)."""
        logits, mean = self.posterior(self.discriminator.features(images))
        return torch.cat([*(code.softmax(1) for code in logits), mean], dim=1)


class Classifier(nn.Module):
    """Images to class logits.

    Args:
        discriminator: whose head classifies.
    """

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, K) of images (B, C, H, W)."""
        head = self.discriminator.head
        assert isinstance(head, ClassHead)
        return head.classify(self.discriminator.features(images))


class Translation(nn.Module):
    """Images to images, in one direction.

    Args:
        game: in evaluation mode; its averaged networks are this module's.
        direction: "ab" or "ba".
    """

    def __init__(self, game: TranslationGame, direction: str) -> None:
        super().__init__()
        self.averaged, self.game, self.direction = game.averaged, [game], direction

    def forward(self, source: Tensor) -> Tensor:
        """Return images (B, C, H, W) of sources (B, C, h, w)."""
        (game,) = self.game
        images: Tensor = game(source, self.direction)
        return images


@singledispatch
def interfaces(game: Any, shape: tuple[int, int, int]) -> list[Interface]:
    """Return the functions that a trained game has learned.

    Args:
        game: in evaluation mode, on the CPU.
        shape: of an image of its data, (C, H, W).
    """
    raise NotImplementedError(type(game).__name__)


@interfaces.register
def _(game: LatentGame, shape: tuple[int, int, int]) -> list[Interface]:
    classes, inputs = game.averaged.num_classes, [_latents(game.prior)]
    inputs += [_labels(classes)] if classes else []
    return [
        Interface("generator", game.averaged, tuple(inputs), Port("images", shape, IMAGES)),
        *_encoders(game, shape),
        *_classifiers(game, shape),
    ]


@interfaces.register
def _(game: TranslationGame, shape: tuple[int, int, int]) -> list[Interface]:
    channels, height, width = shape
    source = (channels, height // game.scale, width // game.scale)
    return [
        Interface(
            f"translator_{direction}",
            Translation(game, direction).eval(),
            (_images("source", source),),
            Port("images", shape, IMAGES),
        )
        for direction in game.directions
    ]


def _encoders(game: LatentGame, shape: tuple[int, int, int]) -> list[Interface]:
    """Return the function from images to latents or codes, if there is one."""
    module: nn.Module
    if isinstance(game, EncodingGame):
        assert isinstance(game.averaged_encoder, Encoder)
        module, latents = Means(game.averaged_encoder), Port("z", (game.prior.dim,), "latents")
    elif isinstance(game, InfoGAN):
        codes = game.prior.dim - game.prior.noise
        values = "probabilities of categories, then continuous codes"
        module = CodeInference(game.discriminator, game.posterior)
        latents = Port("codes", (codes,), values)
    else:
        return []
    return [Interface("encoder", module.eval(), (_images("images", shape),), latents)]


def _classifiers(game: LatentGame, shape: tuple[int, int, int]) -> list[Interface]:
    """Return the function from images to class logits, if there is one."""
    if not game.num_classified:
        return []
    network = game.classifier if isinstance(game, SemiSupervised) else game.discriminator
    assert isinstance(network, Discriminator)
    logits = Port("logits", (game.num_classified,), "any number, the largest is the class")
    module = Classifier(network).eval()
    return [Interface("classifier", module, (_images("images", shape),), logits)]
