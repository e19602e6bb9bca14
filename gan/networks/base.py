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


def draw(network: nn.Module, initialize: Callable[[Tensor], object]) -> None:
    """Draw the weights of linear maps, convolutions and their kin; biases are 0."""
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

    def enter(self, latent_dim: int, conditioning: Conditioning, told: bool = False) -> None:
        """Put on the layer that z and the label enter by.

        Args:
            latent_dim: numbers in z.
            conditioning: how the label enters.
            told: the generator's normalisation layers are the conditioning's.

        Raises:
            ValueError: if the label would not reach the images.
        """
        if conditioning.in_norm and not told:
            raise ValueError(
                "conditioning: this generator has no normalisation that could be told the label: "
                "set conditioning=projection"
            )
        self.latent_dim, self.num_classes = latent_dim, conditioning.num_classes
        self.entry = conditioning.entry(latent_dim)

    @abstractmethod
    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1] from z (B, latent_dim) and labels y (B,).

        Networks without a bounded last layer keep to [-1, 1] outside training alone.
        """

    def trace(self, z: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what images are a smooth function of, (B, ...), and the images.

        The latents; a network with styles returns those.
        """
        z = z.detach().requires_grad_()
        return z, self(z, y)

    def comparable(self, real: Tensor) -> Tensor:
        """Return real images (B, C, H, W) no finer than the generator's own are now."""
        return real


class Discriminator(nn.Module, ABC):
    """Images to logits, never probabilities; the critic where the loss is Wasserstein's.

    A network builds the layers of :meth:`body`, and then calls :meth:`crown`.

    Attributes:
        num_classes: labels known; 0 is unconditional.
        head: features and labels to logits.
    """

    num_classes: int
    head: Head

    def crown(
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
