"""The interfaces of generators and discriminators."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gan.conditioning.base import Conditioning, Head
from gan.layers.minibatch import Alone
from gan.layers.order import layers_in_order

BASE = 4  # height and width of the smallest feature maps


def halvings(resolution: int) -> int:
    """Return how many times ``resolution`` must be halved to reach 4 pixels.

    Raises:
        ValueError: if ``resolution`` is not a power of two of at least 8.
    """
    stages = (resolution // BASE).bit_length() - 1
    if stages < 1 or BASE << stages != resolution:
        raise ValueError(
            f"data.resolution={resolution}: these networks take a power of two from 8: set "
            "data.resolution to 16, 32, 64 or 128, or choose model=dcgan or model=mlp"
        )
    return stages


def smallest_maps(resolution: int) -> tuple[int, int]:
    """Return the side of the smallest maps, 4 to 7 pixels, and the halvings that lead to it.

    Raises:
        ValueError: if ``resolution`` is not 4 to 7 times a power of two from 2.
    """
    stages = (resolution // BASE).bit_length() - 1
    if stages < 1 or resolution % (1 << stages):
        raise ValueError(
            f"data.resolution={resolution}: these networks take 4 to 7 times a power of two from "
            "2: set data.resolution to 16, 28, 32, 48, 64, 96 or 128, or choose model=mlp"
        )
    return resolution >> stages, stages


def initialize_weights(
    network: nn.Module, initialize: Callable[[Tensor], object], embeddings: bool = False
) -> None:
    """Initialize the weights of linear and convolution layers with ``initialize``; biases are 0.

    Args:
        network: whose layers are initialized.
        initialize: function that fills a weight.
        embeddings: initialize embeddings of labels, too.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            initialize(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif embeddings and isinstance(module, nn.Embedding):
            initialize(module.weight)


class Generator(nn.Module, ABC):
    """A network that maps latents to images.

    A subclass calls :meth:`build_entry` before it builds its other layers.

    Attributes:
        latent_dim: dimension of z.
        num_classes: number of classes; 0 is unconditional.
    """

    latent_dim: int
    num_classes: int

    def build_entry(
        self, latent_dim: int, conditioning: Conditioning, class_norm: bool = False
    ) -> None:
        """Build ``entry``, the layer that takes z and the label.

        Args:
            latent_dim: dimension of z.
            conditioning: how the label enters.
            class_norm: whether the normalisation layers of this generator come from
                ``conditioning.norm`` and get the label.

        Raises:
            ValueError: if the label would have no effect on the images.
        """
        if conditioning.conditional_norm and not class_norm:
            raise ValueError(
                "conditioning: this generator has no conditional normalisation: "
                "set conditioning=projection"
            )
        self.latent_dim, self.num_classes = latent_dim, conditioning.num_classes
        self.entry = conditioning.entry(latent_dim)

    @abstractmethod
    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1] from z, (B, latent_dim), and labels y, (B,).

        A network without tanh as its last layer clips to [-1, 1] in evaluation mode only.
        """

    def forward_with_styles(self, z: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the input of the synthesis, (B, ...), and the images.

        The images are differentiable with respect to this input: z here, the styles w in a
        network that has them.
        """
        z = z.detach().requires_grad_()
        return z, self.forward(z, y)  # not compiled: the images are differentiated twice

    def match_resolution(self, real: Tensor) -> Tensor:
        """Return real images, (B, C, H, W), with the detail of the present resolution."""
        return real


class Encoder(nn.Module, ABC):
    """A network that maps images to latents, or to distributions of latents.

    Attributes:
        latent_dim: dimension of z.
    """

    latent_dim: int

    @abstractmethod
    def mean(self, x: Tensor) -> Tensor:
        """Return the latents of images (B, C, H, W), or their means, (B, latent_dim)."""


class Translator(nn.Module, ABC):
    """A network that maps images of one domain to images of another.

    Attributes:
        scale: height of its output over that of its input.
        convolutional: whether it takes images of other sizes than those of training.
    """

    scale: int = 1
    convolutional: bool = False

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return images (B, C, scale H, scale W) in [-1, 1] of images (B, C', H, W)."""


class Discriminator(nn.Module, ABC):
    """A network that maps images to logits, never probabilities; the critic of a Wasserstein loss.

    A subclass builds the layers of :meth:`body`, then calls :meth:`build_head`.

    Attributes:
        num_classes: number of classes; 0 is unconditional.
        head: module that maps features and labels to logits.
    """

    num_classes: int
    head: Head

    def build_head(
        self,
        features: int,
        conditioning: Conditioning,
        minibatch: Callable[[int], Alone] = Alone,
    ) -> None:
        """Build ``minibatch`` and ``head``, the layers after :meth:`body`.

        Args:
            features: size of the output of :meth:`body` for each image.
            conditioning: how the label enters.
            minibatch: function of ``features`` that returns the layer that compares the images of a
                batch.
        """
        self.num_classes = conditioning.num_classes
        self.minibatch = minibatch(features)
        self.head = conditioning.head(self.minibatch.width)

    @property
    def logits(self) -> int:
        """Return the number of logits per image."""
        return self.head.logits

    @abstractmethod
    def body(self, x: Tensor) -> Tensor:
        """Return the features before ``minibatch``, (B, F), of images (B, C, H, W).

        The features of an image do not depend on the other images.
        """

    def layers_from_image(self) -> list[nn.ModuleList]:
        """Return the layers of :meth:`body`, the one nearest the image first.

        See :func:`~gan.layers.order.layers_in_order`. They are taken in the order in which they
        were built; a network that computes them in another order overrides this.
        """
        last = (self.minibatch, self.head)
        return layers_in_order([child for child in self.children() if child not in last])

    def features(self, x: Tensor) -> Tensor:
        """Return the features h, (B, head.width), of images (B, C, H, W)."""
        h: Tensor = self.minibatch(self.body(x))
        return h

    def compile(self, *args: Any, **options: Any) -> None:
        """Compile :meth:`features`."""
        self.features = torch.compile(self.features, *args, **options)  # type: ignore[method-assign]

    def score(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the logits, (B,) or (B, 2), of features h and labels y, (B,)."""
        logits: Tensor = self.head(h, y)
        return logits

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return score(features(x), y)."""
        return self.score(self.features(x), y)
