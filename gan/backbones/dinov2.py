"""DINOv2, a backbone trained without labels."""

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_dinov2 import MODEL_METADATA, FeatureExtractorDinoV2

from gan.archives import READ_ERRORS
from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset
from gan.backbones.weights import (
    DOWNLOAD_ERRORS,
    connection_timeout,
    first_fault,
    hub_folder,
    weights_only_load,
)
from gan.errors import InputError

WIDTHS = {
    "dinov2-vit-s-14": 384,
    "dinov2-vit-b-14": 768,
    "dinov2-vit-l-14": 1024,
    "dinov2-vit-g-14": 1536,
}


class DinoV2Backbone(Backbone):
    """DINOv2 (Oquab et al., 2023); its FD agrees best with human judgement (Stein et al., 2023).

    Features are the class token after the last layer norm; there are no logits. The torch hub
    provides code and weights, and the code is run: repository facebookresearch/dinov2. Stein et al.
    resize bicubically, torch-fidelity and this backbone as TensorFlow does for Inception, so their
    published values do not compare. Gray images are repeated to three channels.

    Args:
        model: one of torch-fidelity's; the default is the model of Stein et al.
        weights: must be None: torch-fidelity reads no file.
        weights_hash: see `Backbone`.

    Raises:
        InputError: there is no such model.
    """

    name = "dinov2"
    resize = "224x224 bilinear as TensorFlow 1.x"
    has_logits = False

    def __init__(
        self,
        model: str = "dinov2-vit-l-14",
        weights: str | None = None,
        weights_hash: str | None = None,
    ) -> None:
        super().__init__(weights, weights_hash)
        if model not in WIDTHS:
            raise InputError(f"backbone.model={model} is none of {', '.join(WIDTHS)}")
        self.model, self.num_features = model, WIDTHS[model]
        self.net: FeatureExtractorDinoV2 | None = None

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Load code and weights, which do not depend on the data set.

        Raises:
            InputError: they are neither in the torch hub cache nor on the network, or `weights`
                is a file.
        """
        if self.net is None:
            self.net = self._network()
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, F) and empty logits (B, 0) of uint8 images (B, 1 or 3, H, W)."""
        assert self.net is not None
        (pool,) = self.net(images.expand(-1, 3, -1, -1))
        return pool, pool[:, :0]

    def stamp(self) -> dict[str, str | int | float]:
        """Return what identifies the features, with the name of the model."""
        return super().stamp() | {"model": self.model}

    def _network(self) -> FeatureExtractorDinoV2:
        """Return the network with its weights."""
        hub, file = hub_folder(), f"{MODEL_METADATA[self.model]}_pretrain.pth"
        paths = f"{hub / 'facebookresearch_dinov2_main'} and {hub / 'checkpoints' / file}"
        if self.weights:
            raise InputError(
                f"backbone.weights={self.weights}: DINOv2 is read from {paths}; copy its code and "
                "weights there, and leave backbone.weights out"
            )
        try:
            with connection_timeout(), weights_only_load(), torch.random.fork_rng(devices=[]):
                return FeatureExtractorDinoV2(self.model, ["dinov2"])
        except (*DOWNLOAD_ERRORS, *READ_ERRORS, ImportError) as error:
            raise InputError(
                f"no DINOv2: the torch hub cannot load it ({first_fault(error)}); copy its code "
                f"and weights to {paths}, or use backbone=domain"
            ) from error
