"""CLIP, a backbone trained on images with captions."""

import warnings
from pathlib import Path
from zipfile import ZipFile, is_zipfile

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_clip import MODEL_METADATA, MODEL_URLS, FeatureExtractorCLIP

from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset
from gan.backbones.weights import WeightsFile
from gan.errors import InputError

NETWORK = "CLIP"


class CLIPBackbone(Backbone):
    """The image encoder of CLIP (Radford et al., 2021), as ported by torch-fidelity.

    Features are the embedding of the image; there are no logits. Images are resized as TensorFlow
    does for Inception; the authors of CLIP resize bicubically and crop the centre. Gray images are
    repeated to three channels.

    Args:
        model: name of the model to download, of torch-fidelity's; the default is the model of
            Kynkaanniemi et al., 2023. Not read if `weights` is a file, which holds its own model.
        weights: TorchScript archive of one of these models, as published; None is the file of
            torch-fidelity in the torch hub cache, downloaded if it is absent.
        weights_hash: see `Backbone`.

    Raises:
        InputError: there is no such model.
    """

    name = "clip"
    num_features = 512
    resize = "224x224 bilinear as TensorFlow 1.x"
    has_logits = False

    def __init__(
        self,
        model: str = "clip-vit-b-32",
        weights: str | None = None,
        weights_hash: str | None = None,
    ) -> None:
        super().__init__(weights, weights_hash)
        if model not in MODEL_URLS:
            raise InputError(f"backbone.model={model} is none of {', '.join(MODEL_URLS)}")
        self.model = model
        self.net: FeatureExtractorCLIP | None = None

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Load the weights, and set number of features and resolution to those of the model.

        Raises:
            InputError: they are not available, or are those of another network.
        """
        if self.net is None:
            self.net = self._network()
            side = self.net.resolution
            self.num_features = self.net.model.visual.output_dim
            self.resize = f"{side}x{side} bilinear as TensorFlow 1.x"
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, F) and empty logits (B, 0) of uint8 images (B, 1 or 3, H, W)."""
        assert self.net is not None
        (pool,) = self.net(images.expand(-1, 3, -1, -1))
        return pool, pool[:, :0]

    def _network(self) -> FeatureExtractorCLIP:
        """Return the network with the weights of the file."""
        file = WeightsFile.at(self.weights, NETWORK) if self.weights else self._download()
        if not _is_torchscript(file.path):
            raise file.error("it is no whole TorchScript archive")
        with file.loading(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
            return FeatureExtractorCLIP(
                self.model, ["clip"], feature_extractor_weights_path=str(file.path)
            )

    def _download(self) -> WeightsFile:
        """Return torch-fidelity's file in the torch hub cache."""
        sha256 = MODEL_METADATA[self.model]["hash"]
        name = f"{self.model}-{sha256}.pt"
        return WeightsFile.download(MODEL_URLS[self.model], NETWORK, sha256, name)


def _is_torchscript(path: Path) -> bool:
    """Return whether `torch.jit.load` reads a file."""
    if not is_zipfile(path):
        return False
    with ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
