"""torch-fidelity's CLIP, a backbone that learnt from captions."""

import warnings
from pathlib import Path
from zipfile import ZipFile, is_zipfile

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_clip import MODEL_METADATA, MODEL_URLS, FeatureExtractorCLIP

from gan.backbones.base import Backbone
from gan.backbones.source import RealSource
from gan.backbones.weights import WeightsFile
from gan.errors import InputError

NETWORK = "CLIP"


class CLIPBackbone(Backbone):
    """Image half of OpenAI's CLIP (Radford et al., 2021), as ported by torch-fidelity.

    Features are the embedding of the image; there are no logits. Resized as TensorFlow did for
    Inception, where OpenAI resizes bicubically and cuts the middle out. Gray images are repeated to
    three channels.

    Args:
        model: which of torch-fidelity's to fetch, where no file is named; the default is that of
            Kynkaanniemi et al., 2023.
        weights: OpenAI's TorchScript archive of any of them, which itself says which it is; None is
            torch-fidelity's place in the torch hub cache, filled from the network if need be.

    Raises:
        InputError: no such model.
    """

    name = "clip"
    num_features = 512
    resize = "224x224 bilinear as TensorFlow 1.x"
    classifies = False

    def __init__(self, model: str = "clip-vit-b-32", weights: str | None = None) -> None:
        super().__init__(weights)
        if model not in MODEL_URLS:
            raise InputError(f"metrics.backbone.model={model} is none of {', '.join(MODEL_URLS)}")
        self.model = model
        self.net: FeatureExtractorCLIP | None = None

    def prepare(self, source: RealSource, device: torch.device) -> None:
        """Loads the weights, the same for every source, with their own width and resolution.

        Raises:
            InputError: they cannot be had, or are of another network.
        """
        if self.net is None:
            self.net = self._network()
            side = self.net.resolution
            self.num_features = self.net.model.visual.output_dim
            self.resize = f"{side}x{side} bilinear as TensorFlow 1.x"
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features of uint8 images (B, 1 or 3, H, W), and no logits (B, 0)."""
        assert self.net is not None
        (pool,) = self.net(images.expand(-1, 3, -1, -1))
        return pool, pool[:, :0]

    def _network(self) -> FeatureExtractorCLIP:
        """The network with the weights of the file."""
        file = WeightsFile.given(self.weights, NETWORK) if self.weights else self._fetched()
        if not _is_torchscript(file.path):
            raise file.refused("it is no whole TorchScript archive")
        with file.fitting(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
            return FeatureExtractorCLIP(
                self.model, ["clip"], feature_extractor_weights_path=str(file.path)
            )

    def _fetched(self) -> WeightsFile:
        """torch-fidelity's file in the torch hub cache."""
        sha256 = MODEL_METADATA[self.model]["hash"]
        name = f"{self.model}-{sha256}.pt"
        return WeightsFile.fetched(MODEL_URLS[self.model], NETWORK, sha256, name)


def _is_torchscript(path: Path) -> bool:
    """Whether a file is what `torch.jit.load` reads."""
    if not is_zipfile(path):
        return False
    with ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
