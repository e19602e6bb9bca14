"""torch-fidelity's DINOv2, a backbone that saw no labels."""

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_dinov2 import MODEL_METADATA, FeatureExtractorDinoV2

from gan.backbones.base import Backbone
from gan.backbones.cache import UNREADABLE
from gan.backbones.source import RealSource
from gan.backbones.weights import UNREACHABLE, distrust, hub_folder, impatience, on_one_line
from gan.errors import InputError

WIDTHS = {
    "dinov2-vit-s-14": 384,
    "dinov2-vit-b-14": 768,
    "dinov2-vit-l-14": 1024,
    "dinov2-vit-g-14": 1536,
}


class DinoV2Backbone(Backbone):
    """DINOv2 (Oquab et al., 2023), whose distance follows people's judgement (Stein et al., 2023).

    Features are the class token's after the last layer norm; there are no logits. Code and weights
    come from the torch hub, whose code is run: the repository facebookresearch/dinov2. Stein et al.
    resize bicubically; torch-fidelity and this backbone as TensorFlow did for Inception, so that
    their tables do not compare. Gray images are repeated to three channels.

    Args:
        model: one of torch-fidelity's; the default is that of Stein et al.
        weights: must be None, torch-fidelity reads no file.

    Raises:
        InputError: no such model.
    """

    name = "dinov2"
    resize = "224x224 bilinear as TensorFlow 1.x"
    classifies = False

    def __init__(self, model: str = "dinov2-vit-l-14", weights: str | None = None) -> None:
        super().__init__(weights)
        if model not in WIDTHS:
            raise InputError(f"metrics.backbone.model={model} is none of {', '.join(WIDTHS)}")
        self.model, self.num_features = model, WIDTHS[model]
        self.net: FeatureExtractorDinoV2 | None = None

    def prepare(self, source: RealSource, device: torch.device) -> None:
        """Loads code and weights, the same for every source.

        Raises:
            InputError: they are neither in the torch hub cache nor to be had from the network, or
                a file is named.
        """
        if self.net is None:
            self.net = self._network()
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features of uint8 images (B, 1 or 3, H, W), and no logits (B, 0)."""
        assert self.net is not None
        (pool,) = self.net(images.expand(-1, 3, -1, -1))
        return pool, pool[:, :0]

    def stamp(self) -> dict[str, str | int | float]:
        """Also the model."""
        return super().stamp() | {"model": self.model}

    def _network(self) -> FeatureExtractorDinoV2:
        """The network with its weights."""
        hub, file = hub_folder(), f"{MODEL_METADATA[self.model]}_pretrain.pth"
        places = f"{hub / 'facebookresearch_dinov2_main'} and {hub / 'checkpoints' / file}"
        if self.weights:
            raise InputError(
                f"metrics.weights={self.weights}: DINOv2 is read from {places}; copy its code and "
                "weights there, and leave metrics.weights out"
            )
        try:
            with impatience(), distrust(), torch.random.fork_rng(devices=[]):
                return FeatureExtractorDinoV2(self.model, ["dinov2"])
        except (*UNREACHABLE, *UNREADABLE, ImportError) as error:
            raise InputError(
                f"no DINOv2: the torch hub cannot give it ({on_one_line(error)}); copy its code "
                f"and weights to {places}, or use metrics=domain"
            ) from error
