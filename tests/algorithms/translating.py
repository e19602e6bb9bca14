"""Small games on images, and batches for them."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gan.algorithms.cut import CUT
from gan.algorithms.cyclegan import CycleGAN
from gan.algorithms.pix2pix import Pix2Pix
from gan.algorithms.pool import ImagePool
from gan.algorithms.srgan import SRGAN
from gan.batch import PairBatch
from gan.losses.least_squares import LeastSquares
from gan.networks.base import Translator
from gan.networks.cut import PatchProjector
from gan.networks.cyclegan import ResNetTranslator, Translators
from gan.networks.patch import Discriminators, PatchDiscriminator

SIDE = 8
SGD = partial(torch.optim.SGD, lr=0.1)
PLAIN: dict[str, Any] = {
    "loss": LeastSquares(),
    "optimizer": dict.fromkeys(("generator", "discriminator"), SGD),
}


class Scaled(Translator):
    """images -> factor * images + offset.

    Args:
        factor: of the images.
        offset: that is added.
    """

    def __init__(self, factor: float, offset: float = 0.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))
        self.offset = nn.Parameter(torch.tensor(offset))

    def forward(self, x: Tensor) -> Tensor:
        """Return images of the same shape."""
        return self.factor * x + self.offset


def critic(channels: int = 1) -> PatchDiscriminator:
    """Return a discriminator without batch statistics."""
    return PatchDiscriminator(channels, SIDE, nn.Identity, width=4)


def pairs(number: int = 0, count: int = 4) -> PairBatch:
    """Return images of two domains."""
    random = torch.Generator().manual_seed(number)
    source, real = torch.rand(2, count, 1, SIDE, SIDE, generator=random) * 2 - 1
    return PairBatch(real, None, source, torch.rand(count, generator=random))


def cycle(
    ab: Translator | None = None, ba: Translator | None = None, pool: int = 0, **given: Any
) -> CycleGAN:
    """Return a CycleGAN of such networks."""
    torch.manual_seed(0)
    networks = Translators(ab or Scaled(0.5, 0.25), ba or Scaled(1.5, -0.1))
    kept = ImagePool(pool, 1, SIDE)
    return CycleGAN(networks, Discriminators(critic(), critic()), **PLAIN | {"pool": kept} | given)


def contrastive(**given: Any) -> CUT:
    """Return a CUT with few patches."""
    torch.manual_seed(0)
    network = ResNetTranslator(1, 2, 2, antialias=True)
    settings = {"projector": PatchProjector([1, 4, 8, 8, 8], 6), "patches": 5}
    return CUT(network, critic(), **PLAIN | settings | given)


def conditional(**given: Any) -> Pix2Pix:
    """Return a pix2pix whose generator is linear."""
    torch.manual_seed(0)
    return Pix2Pix(Scaled(0.5, 0.25), critic(2), **PLAIN | given)


def sharpening(**given: Any) -> SRGAN:
    """Return an SRGAN whose generator is linear."""
    torch.manual_seed(0)
    return SRGAN(Scaled(0.5, 0.25), critic(), **PLAIN | given)


GAMES = {"cyclegan": cycle, "cut": contrastive, "pix2pix": conditional, "srgan": sharpening}
