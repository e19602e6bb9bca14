"""SqueezeNet, a small network of natural images, for machines without Inception's weights."""

import hashlib

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.models import SqueezeNet, squeezenet1_1

from gan.backbones.base import Backbone
from gan.backbones.source import RealSource
from gan.backbones.weights import WeightsFile
from gan.errors import InputError

NETWORK = "SqueezeNet 1.1"
SIDE = 227
MEAN = (104.0, 117.0, 123.0)  # blue, green, red
OTHER_PIXELS = "b8a52dc0"  # how the SHA-256 of torchvision's own file begins


class SqueezeNetBackbone(Backbone):
    """SqueezeNet 1.1 (Iandola et al., 2016) trained on ImageNet: 512 features, 1000 logits.

    Features are the global average of the last feature map before the classifier. The weights are
    those of the Caffe release in torchvision's layout: pixels are blue, green, red in 0..255 less
    their means (104, 117, 123). Torchvision's own weights read other pixels and are refused. Gray
    images are repeated to three channels. It is not the Inception of published FID and IS: its
    numbers compare with one another alone.

    Args:
        weights: file of a state dict of torchvision's `squeezenet1_1`, in any precision; there is
            no other place.
    """

    name = "squeezenet"
    num_features = 512
    resize = f"{SIDE}x{SIDE} bilinear, antialiased"

    mean: Tensor

    def __init__(self, weights: str | None = None) -> None:
        super().__init__(weights)
        self.net: SqueezeNet | None = None
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)

    def prepare(self, source: RealSource, device: torch.device) -> None:
        """Loads the weights, the same for every source.

        Raises:
            InputError: no file is named, or it holds those of another network.
        """
        if self.net is None:
            self.net = self._network().to(memory_format=torch.channels_last)
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits of uint8 images (B, 1 or 3, H, W)."""
        assert self.net is not None
        maps = self.net.features(self.pixels(images).contiguous(memory_format=torch.channels_last))
        return maps.mean((2, 3)), self.net.classifier(maps).flatten(1)

    def pixels(self, images: Tensor) -> Tensor:
        """What the network reads of uint8 images, float32 (B, 3, 227, 227)."""
        swapped = images.expand(-1, 3, -1, -1).flip(1).float()
        large = interpolate(swapped, (SIDE, SIDE), mode="bilinear", antialias=True)
        return large - self.mean

    def _network(self) -> SqueezeNet:
        """The network with the weights of the file."""
        if not self.weights:
            raise InputError(
                "metrics=squeezenet has no weights of its own; name the file of them with "
                "metrics.weights=FILE, or use metrics=domain"
            )
        file = WeightsFile.given(self.weights, NETWORK)
        if hashlib.sha256(file.path.read_bytes()).hexdigest().startswith(OTHER_PIXELS):
            raise InputError(
                f"{file.path} holds torchvision's own {NETWORK}, which reads other pixels than the "
                "Caffe weights that metrics=squeezenet needs; name those with metrics.weights=FILE"
            )
        with torch.random.fork_rng(devices=[]):
            net = squeezenet1_1(weights=None)
        file.fill(net)
        return net
