"""Augmentations and layers draw and compute on the device of the images."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gan.augment.apa import APA
from gan.augment.diffaugment import DiffAugment
from gan.augment.flip_shift import FlipShift
from gan.augment.pipeline import Pipeline
from gan.layers.conditional_norm import ClassConditionalBatchNorm
from gan.layers.deviation import MinibatchStdDev
from gan.layers.filtering import Downsample, Filter, Upsample
from gan.layers.gaussian_noise import GaussianNoise
from gan.layers.noise import PixelNoise
from tests.augment.test_ada import ALL

META = torch.device("meta")  # in the place of a GPU


class OnOneDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside the context no tensor with elements is made on the CPU."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for out in found if isinstance(found, tuple | list) else [found]:
            if isinstance(out, Tensor) and out.dim():
                assert out.device == META, func
        return found


COMPUTATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    **{
        type(stage).__name__: partial(stage, p=torch.tensor(0.5, device=META))
        for stage in Pipeline(**ALL).to(META).stages
    },
    "diffaugment": DiffAugment(p=0.5),
    "flip_shift": FlipShift(),
    "deviation": MinibatchStdDev(),
    "filter": Filter().to(META),
    "upsample": Upsample().to(META),
    "downsample": Downsample().to(META),
    "gaussian_noise": GaussianNoise(0.1),
    "pixel_noise": PixelNoise(8, 3).to(META),
}


@pytest.mark.parametrize("name", COMPUTATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_is_computed_elsewhere(name: str, channels: int) -> None:
    images = torch.zeros(4, channels, 8, 8, device=META)
    with OnOneDevice():
        if name == "pixel_noise":
            images = images.expand(-1, 3, -1, -1)
        found = COMPUTATIONS[name](images)
    assert found.device == META
    assert found.shape[2] in (4, 8, 16)


def test_what_replaces_reals_is_chosen_on_their_device() -> None:
    images = torch.zeros(4, 3, 8, 8, device=META)
    augment = APA(0.5, None).to(META)
    with OnOneDevice():
        assert augment.substitute_reals(images, images).device == META


def test_class_norms_are_of_the_device_of_the_labels() -> None:
    layer = ClassConditionalBatchNorm(3, 4).to(META)
    y = torch.zeros(4, dtype=torch.int64, device=META)
    with OnOneDevice():
        assert layer(torch.zeros(4, 3, 8, 8, device=META), y).device == META
