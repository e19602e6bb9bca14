"""The interfaces of the two players."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from gan.conditioning.base import Conditioning, Head
from gan.layers.minibatch import Alone

BASE = 4  # pixels a side of the smallest feature maps


def halvings(resolution: int) -> int:
    """Return how often ``resolution`` is halved down to 4 pixels.

    Raises:
        ValueError: if it is no power of two from 8.
    """
    stages = (resolution // BASE).bit_length() - 1
    if stages < 1 or BASE << stages != resolution:
        raise ValueError(
            f"data.resolution={resolution} must be a power of two from 8: set data.resolution to "
            "16, 32, 64 or 128"
        )
    return stages


def initialize_weights(network: nn.Module, initialize: Callable[[Tensor], object]) -> None:
    """Initialize the weights of linear and convolution layers with ``initialize``; biases are 0."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            initialize(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Generator(nn.Module, ABC):
    """Latents to images.

    A network calls :meth:`enter` before it builds the layers that follow.

    Attributes:
        latent_dim: numbers in z.
        num_classes: labels known; 0 is unconditional.
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
        """Return images (B, C, H, W) in [-1, 1] from z (B, latent_dim) and labels y (B,).

        Networks without a bounded last layer keep to [-1, 1] outside training alone.
        """

    def forward_with_styles(self, z: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what images are a smooth function of, (B, ...), and the images.

        The latents; a network with styles returns those.
        """
        z = z.detach().requires_grad_()
        return z, self(z, y)

    def match_resolution(self, real: Tensor) -> Tensor:
        """Return real images (B, C, H, W) no finer than the generator's own are now."""
        return real

    def enter(self, latent_dim: int, conditioning: Conditioning) -> None:  # old name
        """Call :meth:`build_entry`."""
        self.build_entry(latent_dim, conditioning)

    def trace(self, z: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:  # old name
        """Call :meth:`forward_with_styles`."""
        return self.forward_with_styles(z, y)

    def comparable(self, real: Tensor) -> Tensor:  # old name
        """Call :meth:`match_resolution`."""
        return self.match_resolution(real)


class Discriminator(nn.Module, ABC):
    """Images to logits, never probabilities; the critic where the loss is Wasserstein's.

    A network builds the layers of :meth:`body`, and then calls :meth:`crown`.

    Attributes:
        num_classes: labels known; 0 is unconditional.
        head: features and labels to logits.
    """

    num_classes: int
    head: Head

    def build_head(
        self,
        features: int,
        conditioning: Conditioning,
        minibatch: Callable[[int], Alone] = Alone,
    ) -> None:
        """Put on the layers that follow the body.

        Args:
            features: numbers that the body returns for an image.
            conditioning: how the label enters.
            minibatch: features -> what compares the images of a batch.
        """
        self.num_classes = conditioning.num_classes
        self.minibatch = minibatch(features)
        self.head = conditioning.head(self.minibatch.width)

    def crown(self, features: int, conditioning: Conditioning) -> None:  # old name
        """Call :meth:`build_head`."""
        self.build_head(features, conditioning)

    @property
    def logits(self) -> int:
        """How many logits an image is given."""
        return self.head.logits

    @abstractmethod
    def body(self, x: Tensor) -> Tensor:
        """Return what the layers make of each image on its own, (B, F), from (B, C, H, W)."""

    def features(self, x: Tensor) -> Tensor:
        """Return the features h, (B, head.width), of images (B, C, H, W)."""
        h: Tensor = self.minibatch(self.body(x))
        return h

    def score(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the logits, (B,) or (B, 2), of features h under labels y (B,)."""
        logits: Tensor = self.head(h, y)
        return logits

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return score(features(x), y)."""
        return self.score(self.features(x), y)
