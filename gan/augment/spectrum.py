"""Random amplification of frequency bands."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan.augment.resampling import reflect_indices
from gan.augment.sampler import ParameterSampler
from gan.augment.stage import Stage

# Low-pass filter of Daubechies' least asymmetric wavelet with 2 vanishing moments.
SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # power of natural images per band, from low to high


def _insert_zeros(taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return taps with a zero between each two."""
    stuffed = np.zeros(2 * len(taps) - 1)
    stuffed[::2] = taps
    return stuffed


def filter_bank(lowpass: Sequence[float] = SYM2, bands: int = 4) -> Tensor:
    """Return symmetric filters (bands, taps) of one octave each, from low to high frequencies.

    Their sum is the identity, because H(z) H(1/z) / 2 + H(-z) H(-1/z) / 2 = 1, and so for each
    further split of the low band (Karras et al., 2020b, appendix B).

    Args:
        lowpass: H, an orthogonal low-pass filter.
        bands: number of filters.
    """
    low = np.convolve(lowpass, lowpass[::-1]) / 2
    high = low * (-1.0) ** (np.arange(len(low)) - len(low) // 2)
    bank = [np.ones(1)]
    for _ in range(bands - 1):
        bank = [np.convolve(_insert_zeros(taps), low) for taps in bank]
        padding = (len(bank[0]) - len(high)) // 2
        bank.append(np.pad(high, padding))
    return torch.tensor(np.stack(bank), dtype=torch.float32)


class Filtering(Stage):
    """Amplification of four frequency bands, each by 2^N(0, 1).

    Karras et al., 2020b, appendix B. The power of natural images is kept on average. The filter
    is the same in both directions. Images are extended by reflection.

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
        """Return the gain of each band, (B, 4)."""
        gains = torch.stack([sampler.normal(1.0) for _ in self.power], -1).exp2()
        norms = (1 + self.power * (gains.square() - 1)).sqrt()  # with one band amplified
        return gains / norms.prod(-1, keepdim=True)

    def _matrices(self, side: int) -> Tensor:
        """Return the filters as matrices of a row extended by reflection, (4, side, side)."""
        count, length = self.bank.shape
        positions = torch.arange(side, device=self.bank.device)[:, None]
        positions = positions + torch.arange(length, device=self.bank.device) - length // 2
        columns, taps = reflect_indices(positions, side), self.bank[:, None]
        matrices = self.bank.new_zeros(count, side, side)
        return matrices.scatter_add(2, columns.expand(count, -1, -1), taps.expand(-1, side, -1))

    def forward(self, images: Tensor, p: Tensor) -> Tensor:
        """Return filtered images; see :class:`Stage`."""
        gains = self.gains(self.sampler(images, p))
        down, across = (
            torch.einsum("bk,kij->bij", gains, self._matrices(side)).to(images.dtype)[:, None]
            for side in images.shape[2:]
        )
        unchanged = (gains == 1).all(-1)[:, None, None, None]
        return torch.where(unchanged, images, down @ images @ across.mT)
