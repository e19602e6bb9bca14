"""The PatchGAN discriminator of the image-to-image games."""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan.conditioning.base import Head
from gan.layers.minibatch import Alone
from gan.networks.base import Discriminator

_MOST = 8  # times the width of the first layer
_LEAST = 3  # height and width of the maps after the last convolution of stride 2


def initialize(module: nn.Module) -> None:
    """Draw weights of convolutions from N(0, 0.02) and scales of norms from N(1, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, _BatchNorm) and module.affine:
        nn.init.normal_(module.weight, mean=1.0, std=0.02)


class PatchHead(Head):
    """A convolution that maps features (B, F, h, w) to a logit a patch.

    Args:
        features: channels of the features.
    """

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.replace_linear(lambda before, after: nn.Conv2d(before, after, 4, padding=1))


class PatchDiscriminator(Discriminator):
    """A convolutional network with a logit for each overlapping patch (Isola et al., 2017).

    With ``depth`` 3 a logit sees 70x70 pixels. Features h are maps (B, F, h, w), logits
    (B, h', w').

    Args:
        channels: of the images, and of their sources if the discriminator sees both.
        resolution: height and width of the images, at least 6.
        norm: function of the number of channels that returns a normalisation layer, used after
            each convolution but the first and the last.
        width: channels of the first layer.
        depth: convolutions of stride 2; a logit sees 16, 34, 70 or 142 pixels for 1 to 4. Below
            24 pixels there are fewer than 3, so that the maps after them have at least 3 pixels a
            side.

    Raises:
        ValueError: if the images are smaller than that with one such convolution.
    """

    num_classes = 0

    def __init__(
        self,
        channels: int,
        resolution: int,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
        width: int = 64,
        depth: int = 3,
    ) -> None:
        super().__init__()
        if resolution < 2 * _LEAST:
            raise ValueError(
                f"data.resolution={resolution}: the PatchGAN takes images from {2 * _LEAST} pixels"
            )
        depth = min(depth, (resolution // _LEAST).bit_length() - 1)
        bias = not isinstance(norm(1), _BatchNorm)
        widths = [width * min(1 << stage, _MOST) for stage in range(depth + 1)]
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        for stage, (before, after) in enumerate(pairwise(widths)):
            stride = 2 if stage + 1 < depth else 1
            layers += [
                nn.Conv2d(before, after, 4, stride, 1, bias=bias),
                norm(after),
                nn.LeakyReLU(0.2, True),
            ]
        self.layers = nn.Sequential(*layers)
        self.minibatch, self.head = Alone(widths[-1]), PatchHead(widths[-1])
        self.apply(initialize)

    def body(self, x: Tensor) -> Tensor:
        """Return the last feature maps, (B, F, h, w), of images (B, C, H, W)."""
        h: Tensor = self.layers(x)
        return h


class Discriminators(nn.ModuleDict):
    """The discriminators of two domains: "a" and "b".

    Args:
        a: of the images of domain A.
        b: of the images of domain B.
    """

    def __init__(self, a: Discriminator, b: Discriminator) -> None:
        super().__init__({"a": a, "b": b})

    def of(self, domain: str) -> Discriminator:
        """Return the discriminator of a domain."""
        network = self[domain]
        assert isinstance(network, Discriminator)
        return network
