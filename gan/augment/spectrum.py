"""Transformations of how strong coarse and fine detail is."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan.augment.resampling import reflect_indices
from gan.augment.sampler import ParameterSampler
from gan.augment.stage import Stage

# Daubechies' least asymmetric wavelet of 2 vanishing moments; its low-pass filter.
SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of natural images in each band, coarse to fine


def _insert_zeros(taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return taps with zeros between them."""
    spread = np.zeros(2 * len(taps) - 1)
    spread[::2] = taps
    return spread


def filter_bank(lowpass: Sequence[float] = SYM2, bands: int = 4) -> Tensor:
    """Return symmetric filters (bands, taps) of an octave each, from coarse to fine.

    They sum up to the identity: H(z) H(1/z) / 2 and H(-z) H(-1/z) / 2 do, and so does what the
    first of them makes of its half (Karras et al., 2020b, appendix B).

    Args:
        lowpass: H, an orthogonal low-pass filter.
        bands: how many.
    """
    low = np.convolve(lowpass, lowpass[::-1]) / 2
    high = low * (-1.0) ** (np.arange(len(low)) - len(low) // 2)
    bank = [np.ones(1)]
    for _ in range(bands - 1):
        bank = [np.convolve(_insert_zeros(taps), low) for taps in bank]
        spare = (len(bank[0]) - len(high)) // 2
        bank.append(np.pad(high, spare))
    return torch.tensor(np.stack(bank), dtype=torch.float32)


class Filtering(Stage):
    """Amplification of four bands of frequency, each by 2 to the power of N(0, 1).

    Of Karras et al., 2020b, appendix B. Natural images keep their power on average. The
    same filter works across and down; beyond the border images are reflected.

    Args:
        multiplier: see :class:`Stage`.
    """

    bank: Tensor
    power: Tensor

    def __init__(self, multiplier: float = 1.0) -> None:
        super().__init__(multiplier)
        self.register_buffer("bank", filter_bank(), persistent=False)
        self.register_buffer("power", torch.tensor(POWER), persistent=False)

    def gains(self, sampler: ParameterSampler) -> Tensor:
        """Return by what each band is multiplied, (B, 4)."""
        gains = torch.stack([sampler.normal(1.0) for _ in self.power], -1).exp2()
        norms = (1 + self.power * (gains.square() - 1)).sqrt()  # of one band amplified alone
        return gains / norms.prod(-1, keepdim=True)

    def _matrices(self, side: int) -> Tensor:
        """Return the filters as matrices of a row and its reflection, (4, side, side)."""
        count, length = self.bank.shape
        places = torch.arange(side, device=self.bank.device)[:, None]
        places = places + torch.arange(length, device=self.bank.device) - length // 2
        columns, taps = reflect_indices(places, side), self.bank[:, None]
        matrices = self.bank.new_zeros(count, side, side)
        return matrices.scatter_add(2, columns.expand(count, -1, -1), taps.expand(-1, side, -1))

    def forward(self, images: Tensor, p: Tensor) -> Tensor:
        """Return filtered images; see :class:`Stage`."""
        gains = self.gains(self.sampler(images, p))
        down, across = (
            torch.einsum("bk,kij->bij", gains, self._matrices(side)).to(images.dtype)[:, None]
            for side in images.shape[2:]
        )
        same = (gains == 1).all(-1)[:, None, None, None]
        return torch.where(same, images, down @ images @ across.mT)
