"""torch-fidelity's Inception, the backbone of published FID and IS."""

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)

from gan.backbones.base import Backbone
from gan.backbones.source import RealSource
from gan.backbones.weights import WeightsFile, distrust

NETWORK = "Inception"
SHA256 = "6726825d"  # of the published file


class InceptionBackbone(Backbone):
    """TensorFlow's 2015 Inception as ported by torch-fidelity: 2048 features, 1008 logits.

    Logits are without their bias, as published inception scores are. Gray images are repeated
    to three channels.

    Args:
        weights: file of the weights; None is torch-fidelity's place in the torch hub cache, filled
            from the network if need be.
    """

    name = "inception"
    num_features = 2048
    resize = "299x299 bilinear as TensorFlow 1.x"

    def __init__(self, weights: str | None = None) -> None:
        super().__init__(weights)
        self.net: FeatureExtractorInceptionV3 | None = None

    def prepare(self, source: RealSource, device: torch.device) -> None:
        """Loads the weights, the same for every source.

        Raises:
            InputError: they cannot be had, or are of another network.
        """
        if self.net is None:
            self.net = self._network().to(memory_format=torch.channels_last)
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits of uint8 images (B, 1 or 3, H, W)."""
        assert self.net is not None
        pool, logits = self.net(images.expand(-1, 3, -1, -1))
        return pool, logits

    def _network(self) -> FeatureExtractorInceptionV3:
        """The network with the weights of the file."""
        file = (
            WeightsFile.given(self.weights, NETWORK)
            if self.weights
            else WeightsFile.fetched(URL_INCEPTION_V3, NETWORK, SHA256)
        )
        file.state()  # nothing but tensors
        with distrust(), file.fitting(), torch.random.fork_rng(devices=[]):
            return FeatureExtractorInceptionV3(
                self.name,
                ["2048", "logits_unbiased"],
                feature_extractor_weights_path=str(file.path),
            )
