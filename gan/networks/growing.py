"""Progressive growing (Karras et al., 2018, section 2)."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from gan.clock import Scheduled
from gan.schedules import Growth


def downscale(images: Tensor, factor: int) -> Tensor:
    """Return images averaged over blocks of ``factor`` x ``factor`` pixels."""
    return avg_pool2d(images, factor) if factor > 1 else images


def repeat_pixels(images: Tensor, factor: int) -> Tensor:
    """Return images with each pixel repeated ``factor`` x ``factor`` times."""
    return interpolate(images, scale_factor=factor) if factor > 1 else images


class Growing(nn.Module, Scheduled):
    """A network whose resolution grows with the number of images seen.

    Attributes:
        log2_resolution: log2 of the present resolution; a fraction is the weight of the next
            resolution while it fades in.
        level: the same number as a buffer, for the checkpoint.
    """

    level: Tensor
    log2_resolution: float

    def start_growth(self, growth: Growth) -> None:
        """Set the growth schedule and the state at 0 images."""
        self.growth = growth
        self.register_buffer("level", torch.zeros((), dtype=torch.float64))
        self.register_load_state_dict_post_hook(_restore_resolution)  # type: ignore[no-untyped-call]
        self.set_progress(0)

    def set_progress(self, images: int) -> None:
        """Set the resolution for ``images`` real images seen."""
        self.log2_resolution = self.growth(images)
        self.level.fill_(self.log2_resolution)

    @property
    def first_stage(self) -> int:
        """Return the stage of the lowest resolution that the schedule uses."""
        return int(self.growth.begin) - 2

    @property
    def last_stage(self) -> int:
        """Return the stage of the highest resolution in use; stage 0 has 4x4 pixels."""
        return math.ceil(self.log2_resolution) - 2

    @property
    def alpha(self) -> float:
        """Return the weight of the last stage in the fade-in, in (0, 1]."""
        return 1 - (math.ceil(self.log2_resolution) - self.log2_resolution)

    @property
    def is_growing(self) -> bool:
        """Return whether the final resolution is not reached yet."""
        return self.log2_resolution < self.growth.end


def _restore_resolution(module: nn.Module, keys: Any) -> None:
    """Set ``log2_resolution`` from a loaded state dict."""
    assert isinstance(module, Growing)
    module.log2_resolution = float(module.level)
