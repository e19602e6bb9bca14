"""SqueezeNet, a small network of natural images, for machines without the Inception weights."""

import hashlib

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.models import SqueezeNet, squeezenet1_1

from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset
from gan.backbones.weights import WeightsFile
from gan.errors import InputError

NETWORK = "SqueezeNet 1.1"
SIDE = 227  # pixels
MEAN = (104.0, 117.0, 123.0)  # blue, green, red
TORCHVISION_SHA256 = "b8a52dc0"  # first digits, of torchvision's own file


class SqueezeNetBackbone(Backbone):
    """SqueezeNet 1.1 (Iandola et al., 2016) trained on ImageNet: 512 features, 1000 logits.

    Features are the spatial mean of the last feature map before the classifier. The weights are
    those of the Caffe release in torchvision's layout: the input is blue, green, red in 0..255
    minus the means (104, 117, 123). The weights of torchvision need another input and are refused.
    Gray images are repeated to three channels. Published FID and IS use Inception: values of this
    backbone compare only with one another.

    Args:
        weights: file of a state dict of torchvision's `squeezenet1_1`, in any precision; required.
        weights_hash: see `Backbone`.
    """

    name = "squeezenet"
    num_features = 512
    resize = f"{SIDE}x{SIDE} bilinear, antialiased"

    mean: Tensor

    def __init__(self, weights: str | None = None, weights_hash: str | None = None) -> None:
        super().__init__(weights, weights_hash)
        self.net: SqueezeNet | None = None
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Load the weights, which do not depend on the data set.

        Raises:
            InputError: no file is given, or it holds the weights of another network.
        """
        if self.net is None:
            self.net = self._network().to(memory_format=torch.channels_last)
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, 512) and logits (B, 1000) of uint8 images (B, 1 or 3, H, W)."""
        assert self.net is not None
        maps = self.net.features(self.pixels(images).contiguous(memory_format=torch.channels_last))
        return maps.mean((2, 3)), self.net.classifier(maps).flatten(1)

    def pixels(self, images: Tensor) -> Tensor:
        """Return the input of the network, float32 (B, 3, 227, 227), for uint8 images."""
        swapped = images.expand(-1, 3, -1, -1).flip(1).float()
        large = interpolate(swapped, (SIDE, SIDE), mode="bilinear", antialias=True)
        return large - self.mean

    def _network(self) -> SqueezeNet:
        """Return the network with the weights of the file."""
        if not self.weights:
            raise InputError(
                "backbone=squeezenet has no default weights; set backbone.weights=FILE, or use "
                "backbone=domain"
            )
        file = WeightsFile.at(self.weights, NETWORK)
        if hashlib.sha256(file.path.read_bytes()).hexdigest().startswith(TORCHVISION_SHA256):
            raise InputError(
                f"{file.path} holds torchvision's own {NETWORK}, which needs another input than "
                "the Caffe weights of backbone=squeezenet; set backbone.weights=FILE to those"
            )
        with torch.random.fork_rng(devices=[]):
            net = squeezenet1_1(weights=None)
        file.load_into(net)
        return net
