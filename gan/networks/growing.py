"""Players that begin with small images and grow (Karras et al., 2018, section 2)."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from gan.clock import Scheduled
from gan.schedules import Growth


def downscale(images: Tensor, factor: int) -> Tensor:
    """Return the means of ``factor`` times ``factor`` pixels."""
    return avg_pool2d(images, factor) if factor > 1 else images


def repeat_pixels(images: Tensor, factor: int) -> Tensor:
    """Return images with each pixel as a square of ``factor`` times ``factor``."""
    return interpolate(images, scale_factor=factor) if factor > 1 else images


class Growing(nn.Module, Scheduled):
    """A level of detail that follows the images seen, and is part of the state.

    Attributes:
        detail: log2 of the resolution; between two integers the finer one fades in.
        level: the same, as the checkpoint holds it.
    """

    level: Tensor
    log2_resolution: float

    def start_growth(self, growth: Growth) -> None:
        """Start as ``growth`` says."""
        self.growth = growth
        self.register_buffer("level", torch.zeros((), dtype=torch.float64))
        self.register_load_state_dict_post_hook(_restore_resolution)  # type: ignore[no-untyped-call]
        self.set_progress(0)

    def set_progress(self, images: int) -> None:
        """Have the detail that is due after ``images`` real images."""
        self.log2_resolution = self.growth(images)
        self.level.fill_(self.log2_resolution)

    @property
    def first_stage(self) -> int:
        """The coarsest stage whose images are ever painted or looked at."""
        return int(self.growth.begin) - 2

    @property
    def last_stage(self) -> int:
        """The finest stage in use; stage 0 has 4x4 pixels."""
        return math.ceil(self.log2_resolution) - 2

    @property
    def alpha(self) -> float:
        """What the finest stage counts, in (0, 1]."""
        return 1 - (math.ceil(self.log2_resolution) - self.log2_resolution)


def _restore_resolution(module: nn.Module, keys: Any) -> None:
    """Take the detail from a state that was loaded."""
    assert isinstance(module, Growing)
    module.log2_resolution = float(module.level)
