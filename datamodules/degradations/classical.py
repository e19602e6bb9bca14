"""Classical restoration by scikit-image."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.errors import DataError, extra

Array = NDArray[np.floating]


def restoration() -> Any:
    """Return scikit-image's module of restorations.

    Raises:
        DataError: if scikit-image is not installed.
    """
    try:
        from skimage import restoration as module
    except ImportError as error:
        message = f"classical restoration needs scikit-image: {extra('restoration')}"
        raise DataError(message) from error
    return module


def restore_each(restore: Callable[[Array], Array], images: Tensor) -> Tensor:
    """Return images (B, C, H, W), each restored by a function of its array (C, H, W)."""
    restored = np.stack([restore(image) for image in images.cpu().numpy()])
    return torch.from_numpy(restored).to(images).clamp_(-1, 1)
