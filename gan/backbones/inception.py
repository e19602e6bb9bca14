"""Inception, the backbone of published FID and IS."""

import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    BasicConv2d,
    FeatureExtractorInceptionV3,
)

from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset
from gan.backbones.weights import WeightsFile, weights_only_load

NETWORK = "Inception"
SHA256 = "6726825d"  # first digits, of the published file


class InceptionBackbone(Backbone):
    """The TensorFlow Inception of 2015, as ported by torch-fidelity: 2048 features, 1008 logits.

    Logits are without their bias, as for published inception scores. Gray images are repeated to
    three channels.

    Args:
        weights: file of the weights; None is the file of torch-fidelity in the torch hub cache,
            downloaded if it is absent.
        weights_hash: see `Backbone`.
    """

    name = "inception"
    num_features = 2048
    resize = "299x299 bilinear as TensorFlow 1.x"

    def __init__(self, weights: str | None = None, weights_hash: str | None = None) -> None:
        super().__init__(weights, weights_hash)
        self.net: FeatureExtractorInceptionV3 | None = None

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Load the weights, which do not depend on the data set.

        Raises:
            InputError: they are not available, or are those of another network.
        """
        if self.net is None:
            self.net = self._network().to(memory_format=torch.channels_last)
            self.freeze(device)
            _fold_batch_norm(self.net)
        self.to(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, 2048) and logits (B, 1008) of uint8 images (B, 1 or 3, H, W)."""
        assert self.net is not None
        pool, logits = self.net(images.expand(-1, 3, -1, -1))
        return pool, logits

    def _network(self) -> FeatureExtractorInceptionV3:
        """Return the network with the weights of the file."""
        file = (
            WeightsFile.at(self.weights, NETWORK)
            if self.weights
            else WeightsFile.download(URL_INCEPTION_V3, NETWORK, SHA256)
        )
        file.state()  # refuses anything but tensors
        with weights_only_load(), file.loading(), torch.random.fork_rng(devices=[]):
            return FeatureExtractorInceptionV3(
                self.name,
                ["2048", "logits_unbiased"],
                feature_extractor_weights_path=str(file.path),
            )


def _fold_batch_norm(network: nn.Module) -> None:
    """Put each batch normalisation into the weights of the convolution before it, in place."""
    for module in [m for m in network.modules() if isinstance(m, BasicConv2d)]:
        module.conv = fuse_conv_bn_eval(module.conv, module.bn)
        module.bn = nn.Identity()
