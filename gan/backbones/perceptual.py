"""Differentiable distances of images in the features of a frozen network."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torchvision.models import VGG19_Weights, vgg19

from gan.backbones.dataset import ImageDataset
from gan.backbones.domain import DomainBackbone
from gan.backbones.weights import WeightsFile, hub_folder
from gan.errors import InputError

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_VGG54 = 36  # layers up to the activation before the last pooling
_SCALE = 12.75  # of the features in SRGAN


class FeatureMaps(ABC):
    """A frozen network that turns images into feature maps, differentiable by the images."""

    @abstractmethod
    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Load or train the weights; idempotent.

        Raises:
            InputError: the weights are not available.
        """

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """Return feature maps (B, F, h, w) of images (B, C, H, W) in [-1, 1]."""


class VGGMaps(FeatureMaps):
    """VGG-19 of ImageNet up to the activation before the last pooling (Ledig et al., 2017, VGG54).

    The features are divided by 12.75, as in the paper. Gray images are repeated to three channels.

    Args:
        weights: file of torchvision's weights; by default that of the torch hub cache. Nothing is
            downloaded.
    """

    def __init__(self, weights: str | None = None) -> None:
        name = str(VGG19_Weights.IMAGENET1K_V1.url).rsplit("/", 1)[-1]
        self.path = weights or str(hub_folder() / "checkpoints" / name)
        self.net: nn.Module | None = None

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Load the weights, which do not depend on the data set."""
        if self.net is None:
            file = WeightsFile.at(self.path, "VGG-19")
            with torch.random.fork_rng(devices=[]):
                whole = vgg19(weights=None)
            file.load_into(whole)
            self.net = whole.features[:_VGG54].eval().requires_grad_(False)
        self.net.to(device)

    def __call__(self, images: Tensor) -> Tensor:
        """Return feature maps (B, 512, H / 16, W / 16)."""
        assert self.net is not None
        mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (_MEAN, _STD))
        maps: Tensor = self.net((images.expand(-1, 3, -1, -1).add(1).div(2) - mean) / std)
        return maps / _SCALE


class DomainMaps(FeatureMaps):
    """The last maps of a classifier of the data set itself.

    It is trained once and cached, from another seed than the classifier that measures.

    Args:
        cache: folder of its file.
        seed: of its training.
    """

    def __init__(self, cache: str, seed: int = 1) -> None:
        self.backbone = DomainBackbone(cache, seed)

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Load the classifier of the data set, or train it."""
        self.backbone.prepare(dataset, device)

    def __call__(self, images: Tensor) -> Tensor:
        """Return feature maps (B, 128, h, w), about 4x4."""
        assert self.backbone.net is not None
        maps: Tensor = self.backbone.net.body(images)
        return maps


class PerceptualDistance:
    """Mean squared difference of feature maps (Johnson et al., 2016; Ledig et al., 2017, eq. 5).

    Args:
        maps: networks by name; the first is taken whose weights are available.

    Attributes:
        name: of the network, once it is prepared.
    """

    def __init__(self, maps: Mapping[str, FeatureMaps]) -> None:
        self.maps, self.name = dict(maps), ""

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Prepare the first network whose weights are available.

        Raises:
            InputError: there is none.
        """
        reasons = []
        for name, maps in self.maps.items():
            try:
                maps.prepare(dataset, device)
            except InputError as error:
                reasons.append(f"{name}: {error}")
                continue
            self.name = name
            return
        raise InputError(f"model.perceptual: {'; '.join(reasons)}; or set model.perceptual=null")

    def __call__(self, images: Tensor, others: Tensor) -> Tensor:
        """Return the distance of pairs of images, a scalar, differentiable by ``images``.

        The network has weights of 32 bits, whatever the precision of training.
        """
        maps = self.maps[self.name]
        with torch.no_grad():
            target = maps(others.float())
        return mse_loss(maps(images.float()), target)
