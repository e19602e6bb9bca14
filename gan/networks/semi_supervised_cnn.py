"""The convolutional networks for few labels of CIFAR-10 and SVHN (Salimans et al., 2016)."""

from itertools import pairwise

from torch import Tensor, nn

from gan.conditioning.base import Conditioning
from gan.conditioning.log_sum_exp import LogSumExpHead
from gan.layers.minibatch import Alone
from gan.layers.weight_norm import weight_norm
from gan.networks.base import Discriminator, Generator, smallest_maps

_STD = 0.1  # of the outputs of both last layers after their initialisation
_KERNEL = 3
_SLOPE = 0.2


class DeconvolutionGenerator(Generator):
    """A linear layer to maps of 4x4 pixels, then 5x5 transposed convolutions of stride 2.

    All but the last have batch normalisation and ReLU; the last has weight normalisation and tanh.

    Args:
        latent_dim: dimension of z.
        channels: channels of the images.
        resolution: height and width of the images, 4 to 7 times a power of two from 2.
        conditioning: how the label enters.
        width: feature maps before the last layer; each halving of the resolution doubles it.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        resolution: int,
        conditioning: Conditioning,
        width: int = 128,
    ) -> None:
        super().__init__()
        self.build_entry(latent_dim, conditioning)
        side, halvings = smallest_maps(resolution)
        widths = [width << stage for stage in range(halvings)][::-1]
        layers: list[nn.Module] = [
            nn.Linear(self.entry.width, widths[0] * side**2, bias=False),
            nn.BatchNorm1d(widths[0] * side**2),
            nn.ReLU(),
            nn.Unflatten(1, (widths[0], side, side)),
        ]
        for before, after in pairwise(widths):
            layers += [_deconvolution(before, after, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        for layer in layers:
            if isinstance(layer, nn.Linear | nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=0.05)
        last = weight_norm(_deconvolution(width, channels, bias=True), learned=True, std=_STD)
        self.layers = nn.Sequential(*layers, last, nn.Tanh())

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1]."""
        images: Tensor = self.layers(self.entry(z, y))
        return images


def _deconvolution(before: int, after: int, bias: bool) -> nn.ConvTranspose2d:
    """Return a 5x5 transposed convolution that doubles the resolution."""
    return nn.ConvTranspose2d(before, after, 5, stride=2, padding=2, output_padding=1, bias=bias)


class DropoutClassifier(Discriminator):
    """Nine weight-normalised convolutions with leaky ReLU and dropout, then K class logits.

    Two stages of three 3x3 convolutions, of which the last has stride 2; a 3x3 convolution without
    padding and two 1x1; the mean over pixels.

    Args:
        channels: channels of the images.
        resolution: height and width of the images, from 8; below 12, all convolutions have
            padding.
        classes: K.
        width: feature maps of the first stage; half of those that follow.
        dropout: probability of dropping a number before the second and the third stage.
        input_dropout: probability of dropping the value of a pixel.

    Raises:
        ValueError: if the resolution is too small.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        classes: int,
        width: int = 96,
        dropout: float = 0.5,
        input_dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if resolution < 8:
            raise ValueError(f"data.resolution={resolution}: these networks take 8 and more")
        padding = 0 if resolution >= 4 * _KERNEL else 1
        self.layers = nn.Sequential(
            nn.Dropout(input_dropout),
            *_stage(channels, width),
            nn.Dropout(dropout),
            *_stage(width, 2 * width),
            nn.Dropout(dropout),
            *_convolution(2 * width, 2 * width, _KERNEL, 1, padding),
            *_convolution(2 * width, 2 * width, 1, 1, 0),
            *_convolution(2 * width, 2 * width, 1, 1, 0),
        )
        self.num_classes, self.minibatch = 0, Alone(2 * width)
        self.head = LogSumExpHead(2 * width, classes, std=_STD)

    def body(self, x: Tensor) -> Tensor:
        """Return the means of the last feature maps, (B, 2 width)."""
        maps: Tensor = self.layers(x)
        return maps.mean((2, 3))


def _convolution(
    before: int, after: int, kernel: int, stride: int, padding: int
) -> tuple[nn.Module, nn.Module]:
    """Return a weight-normalised convolution with its leaky ReLU."""
    convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=padding)
    return weight_norm(convolution), nn.LeakyReLU(_SLOPE)


def _stage(before: int, after: int) -> list[nn.Module]:
    """Return three convolutions with their activations; the last halves the resolution."""
    return [
        *_convolution(before, after, _KERNEL, 1, 1),
        *_convolution(after, after, _KERNEL, 1, 1),
        *_convolution(after, after, _KERNEL, 2, 1),
    ]
