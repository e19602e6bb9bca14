"""Perceptual distances of pairs of images."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch_fidelity.sample_similarity_lpips import URL_VGG16_LPIPS, SampleSimilarityLPIPS
from torchvision.models import VGG16_Weights

from gan import archives
from gan.archives import READ_ERRORS
from gan.backbones.base import Backbone
from gan.backbones.weights import (
    DOWNLOAD_ERRORS,
    LOAD_ERRORS,
    connection_timeout,
    first_fault,
    hub_folder,
    parent_folder,
    weights_only_load,
)
from gan.errors import InputError


class ImageDistance(ABC):
    """Squared distance of images that are not rounded to 8 bits.

    Attributes:
        name: for the stamp.
    """

    name: ClassVar[str]

    @abstractmethod
    def prepare(self, device: torch.device) -> None:
        """Load weights, if there are any, and move them to `device`; idempotent.

        Raises:
            InputError: the weights are not available.
        """

    @abstractmethod
    def __call__(self, a: Tensor, b: Tensor, backbone: Backbone) -> Tensor:
        """Return the distance of each pair, (B,).

        Args:
            a: images float32 (B, C, H, W) in [-1, 1].
            b: images of the same shape.
            backbone: of the evaluation, prepared.
        """


class FeatureDistance(ImageDistance):
    """Squared distance of the pooled features of the backbone at unit length, in [0, 4].

    Zhang et al., 2018, eq. 1 with one layer and no learnt weights, so the values are not those of
    LPIPS. Needs no files except those of the backbone.
    """

    name = "pooled features, unit length"

    def prepare(self, device: torch.device) -> None:
        """Do nothing: the backbone is prepared."""

    def __call__(self, a: Tensor, b: Tensor, backbone: Backbone) -> Tensor:
        """Return the distance of each pair, float64 (B,).

        Raises:
            InputError: the backbone accepts only 8-bit images, as torch-fidelity's Inception.
        """
        return (self._direction(a, backbone) - self._direction(b, backbone)).square().sum(1)

    def _direction(self, images: Tensor, backbone: Backbone) -> Tensor:
        """Return pooled features of images that are not rounded, at unit length, float64 (B, F)."""
        pixels = backbone.quantize(images)
        if not pixels.is_floating_point():
            pixels = images.float().add(1).mul(127.5)
        try:
            with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
                pool, _ = backbone.extract(pixels)
        except ValueError as error:
            raise InputError(
                f"ppl: {backbone.name} reads 8-bit images, which hide small differences ({error}); "
                "use backbone=domain, or LPIPS as similarity"
            ) from error
        return normalize(pool.double(), dim=1)


class LPIPS(ImageDistance):
    """Learned perceptual distance through VGG-16 (Zhang et al., 2018), as torch-fidelity ports it.

    Images are resized to 64 pixels, torch-fidelity's default; gray ones are repeated to three
    channels. Both files of weights are in the torch hub cache (`TORCH_HOME`) or are downloaded,
    528 MB and 7 kB.
    """

    name = "lpips-vgg16 64x64"
    URLS = (str(URL_VGG16_LPIPS), str(VGG16_Weights.IMAGENET1K_V1.url))
    RESOLUTION = 64

    def __init__(self) -> None:
        self.net: SampleSimilarityLPIPS | None = None

    def prepare(self, device: torch.device) -> None:
        """Load both files.

        Raises:
            InputError: a file is not available, or does not hold the weights.
        """
        if self.net is None:
            for url in self.URLS:
                self._download(url)
            self.net = self._network()
        self.net.to(device)

    def __call__(self, a: Tensor, b: Tensor, backbone: Backbone) -> Tensor:
        """Return the distance of each pair, float32 (B,)."""
        assert self.net is not None
        pair = (images.float().expand(-1, 3, -1, -1).add(1).mul(127.5) for images in (a, b))
        with torch.no_grad(), torch.autocast(a.device.type, enabled=False):
            distance: Tensor = self.net(*pair)
        return distance

    def _download(self, url: str) -> None:
        """Download a file into the cache if it is absent, and refuse all but tensors."""
        path = hub_folder() / "checkpoints" / url.rsplit("/", 1)[-1]
        try:
            if not path.is_file():
                with parent_folder(path), connection_timeout():
                    torch.hub.download_url_to_file(url, str(path))
        except DOWNLOAD_ERRORS as error:
            raise InputError(
                f"no LPIPS weights: {path} is absent and {url} cannot be downloaded "
                f"({first_fault(error)}); copy it there, or leave similarity out"
            ) from error
        try:
            archives.load(path)
        except READ_ERRORS as error:
            raise self._error() from error

    def _network(self) -> SampleSimilarityLPIPS:
        """Return the network with the weights of the cache."""
        try:
            with weights_only_load(), torch.random.fork_rng(devices=[]):
                return SampleSimilarityLPIPS("lpips-vgg16", self.RESOLUTION, "float32")
        except (*LOAD_ERRORS, KeyError) as error:
            raise self._error() from error

    def _error(self) -> InputError:
        """Return the error for files of other weights."""
        names = " and ".join(url.rsplit("/", 1)[-1] for url in self.URLS)
        return InputError(
            f"{names} in {hub_folder() / 'checkpoints'} do not hold the weights of LPIPS; delete "
            "them, or leave similarity out"
        )
