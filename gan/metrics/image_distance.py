"""Perceptual distances between images in pairs."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch_fidelity.sample_similarity_lpips import URL_VGG16_LPIPS, SampleSimilarityLPIPS
from torchvision.models import VGG16_Weights

from gan.backbones.base import Backbone
from gan.backbones.cache import UNREADABLE, read
from gan.backbones.weights import (
    UNFIT,
    UNREACHABLE,
    distrust,
    folder_of,
    hub_folder,
    impatience,
    on_one_line,
)
from gan.errors import InputError


class ImageDistance(ABC):
    """Squared distances of images, of whole precision: 8 bits would hide small ones.

    Attributes:
        name: for the stamp.
    """

    name: ClassVar[str]

    @abstractmethod
    def prepare(self, device: torch.device) -> None:
        """Loads weights onto `device`, if there are any; idempotent.

        Raises:
            InputError: the weights cannot be had.
        """

    @abstractmethod
    def __call__(self, a: Tensor, b: Tensor, backbone: Backbone) -> Tensor:
        """Distance of each pair, (B,).

        Args:
            a: images float32 (B, C, H, W) in [-1, 1].
            b: their partners, of the same shape.
            backbone: of the evaluation, prepared.
        """


class FeatureDistance(ImageDistance):
    """Squared distance of the backbone's pooled features at unit length, in [0, 4].

    Zhang et al., 2018, eq. 1 with one layer and no learnt weights. Needs no files beyond those of
    the backbone and knows what the backbone knows, so its numbers are not those of LPIPS.
    """

    name = "pooled features, unit length"

    def prepare(self, device: torch.device) -> None:
        """Nothing: the backbone is prepared."""

    def __call__(self, a: Tensor, b: Tensor, backbone: Backbone) -> Tensor:
        """Distance of each pair, float64 (B,).

        Raises:
            InputError: the backbone reads whole bytes only, as torch-fidelity's Inception does.
        """
        return (self._direction(a, backbone) - self._direction(b, backbone)).square().sum(1)

    def _direction(self, images: Tensor, backbone: Backbone) -> Tensor:
        """Pooled features of images that are not rounded, at unit length, float64 (B, F)."""
        read = backbone.quantized(images)
        if not read.is_floating_point():
            read = images.float().add(1).mul(127.5)
        try:
            with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
                pool, _ = backbone.extract(read)
        except ValueError as error:
            raise InputError(
                f"ppl: {backbone.name} reads 8-bit images, which hide small differences ({error}); "
                "take LPIPS as similarity, or metrics=domain"
            ) from error
        return normalize(pool.double(), dim=1)


class LPIPS(ImageDistance):
    """Learned perceptual distance through VGG-16 (Zhang et al., 2018), as torch-fidelity ports it.

    Images are brought to 64 pixels, torch-fidelity's default; gray ones are repeated to three
    channels. Both files of weights lie in the torch hub cache (`TORCH_HOME`) or are brought there,
    528 MB and 7 kB.
    """

    name = "lpips-vgg16 64x64"
    URLS = (str(URL_VGG16_LPIPS), str(VGG16_Weights.IMAGENET1K_V1.url))
    RESOLUTION = 64

    def __init__(self) -> None:
        self.net: SampleSimilarityLPIPS | None = None

    def prepare(self, device: torch.device) -> None:
        """Loads both files.

        Raises:
            InputError: one cannot be had, or does not hold the weights.
        """
        if self.net is None:
            for url in self.URLS:
                self._fetch(url)
            self.net = self._network()
        self.net.to(device)

    def __call__(self, a: Tensor, b: Tensor, backbone: Backbone) -> Tensor:
        """Distance of each pair, float32 (B,)."""
        assert self.net is not None
        pair = (images.float().expand(-1, 3, -1, -1).add(1).mul(127.5) for images in (a, b))
        with torch.no_grad(), torch.autocast(a.device.type, enabled=False):
            distance: Tensor = self.net(*pair)
        return distance

    def _fetch(self, url: str) -> None:
        """Brings a file into the cache, where it must hold nothing but tensors."""
        path = hub_folder() / "checkpoints" / url.rsplit("/", 1)[-1]
        try:
            if not path.is_file():
                with folder_of(path), impatience():
                    torch.hub.download_url_to_file(url, str(path))
        except UNREACHABLE as error:
            raise InputError(
                f"no LPIPS weights: {path} is absent and {url} cannot be had ({on_one_line(error)}"
                "); copy it there, or take ppl through the backbone's features"
            ) from error
        try:
            read(path)
        except UNREADABLE as error:
            raise self._refused() from error

    def _network(self) -> SampleSimilarityLPIPS:
        """The network with the weights of the cache."""
        try:
            with distrust(), torch.random.fork_rng(devices=[]):
                return SampleSimilarityLPIPS("lpips-vgg16", self.RESOLUTION, "float32")
        except (*UNFIT, KeyError) as error:
            raise self._refused() from error

    def _refused(self) -> InputError:
        names = " and ".join(url.rsplit("/", 1)[-1] for url in self.URLS)
        return InputError(
            f"{names} in {hub_folder() / 'checkpoints'} do not hold the weights of LPIPS; delete "
            "them, or take ppl through the backbone's features"
        )
