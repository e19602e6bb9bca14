"""torch-fidelity's Inception, the backbone of published FID and IS."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)

from gan.errors import InputError
from gan.metrics.backbone import Backbone
from gan.metrics.cache import UNREADABLE
from gan.metrics.source import RealSource

PATIENCE = 10.0  # seconds


@contextmanager
def _impatience() -> Iterator[None]:
    """Connections that give up after `PATIENCE`."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


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
        """Loads the weights, the same for every source."""
        if self.net is None:
            path = Path(self.weights) if self.weights else self._downloaded()
            self.net = self._read(path).to(memory_format=torch.channels_last)
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits of uint8 images (B, 1 or 3, H, W)."""
        assert self.net is not None
        pool, logits = self.net(images.expand(-1, 3, -1, -1))
        return pool, logits

    def _downloaded(self) -> Path:
        """torch-fidelity's file in the torch hub cache."""
        name = str(URL_INCEPTION_V3).rsplit("/", 1)[-1]
        path = Path(torch.hub.get_dir()) / "checkpoints" / name
        if path.is_file():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _impatience():
                torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path))
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            raise InputError(
                f"no Inception weights: {path} is absent and {URL_INCEPTION_V3} cannot be had "
                f"({error}); name a copy with metrics.weights=FILE, or use metrics=domain"
            ) from error
        return path

    def _read(self, path: Path) -> FeatureExtractorInceptionV3:
        """The network with the weights of a file, which may hold tensors only."""
        if not path.is_file():
            raise InputError(
                f"no Inception weights at {path}; correct metrics.weights=FILE, "
                "or use metrics=domain"
            )
        try:
            torch.load(path, map_location="meta", weights_only=True)
            with torch.random.fork_rng(devices=[]):
                return FeatureExtractorInceptionV3(
                    self.name, ["2048", "logits_unbiased"], feature_extractor_weights_path=str(path)
                )
        except (*UNREADABLE, AttributeError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} does not hold the weights of torch-fidelity's Inception; delete it or "
                f"name another with metrics.weights=FILE, or use metrics=domain"
            ) from error
