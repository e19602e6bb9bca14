"""The augmentation pipeline of Karras et al., 2020b."""

import torch
from torch import Tensor, nn

from gan.augment.colour import Colour
from gan.augment.corruption import Cutout, Noise
from gan.augment.geometry import Geometry
from gan.augment.spectrum import Filtering
from gan.errors import InputError


class Pipeline(nn.Module):
    """18 transformations in a fixed order, each with probability p times a multiplier.

    Karras et al., 2020b, appendix B. The first three kinds, the default, are their "bgc".

    Args:
        blit: flips, rotations by 90 degrees and translations by whole pixels.
        geometric: scaling, rotation and translation by fractions of a pixel.
        colour: brightness, contrast, luma flip, hue and saturation, for 1 or 3 channels.
        filtering: amplification of four frequency bands.
        noise: additive noise.
        cutout: a grey rectangle.

    Raises:
        InputError: if a multiplier is negative.
    """

    def __init__(
        self,
        blit: float = 1.0,
        geometric: float = 1.0,
        colour: float = 1.0,
        filtering: float = 0.0,
        noise: float = 0.0,
        cutout: float = 0.0,
    ) -> None:
        super().__init__()
        multipliers = {"blit": blit, "geometric": geometric, "colour": colour}
        multipliers |= {"filtering": filtering, "noise": noise, "cutout": cutout}
        for name, multiplier in multipliers.items():
            if not multiplier >= 0:
                raise InputError(f"augment.{name}={multiplier}: give a multiplier from 0")
        stages = {
            Geometry(blit, geometric): blit + geometric,
            Colour(colour): colour,
            Filtering(filtering): filtering,
            Noise(noise): noise,
            Cutout(cutout): cutout,
        }
        self.stages = nn.ModuleList(stage for stage, used in stages.items() if used)

    def forward(self, images: Tensor, p: Tensor) -> Tensor:
        """Return augmented images of the type of ``images``, computed in at least float32.

        Args:
            images: (B, C, H, W) in [-1, 1].
            p: probability, a scalar tensor.
        """
        with torch.autocast(images.device.type, enabled=False):
            x = images.to(torch.promote_types(images.dtype, torch.float32))
            for stage in self.stages:
                x = stage(x, p.to(images.device))
        return x.to(images.dtype)
