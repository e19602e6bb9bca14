"""The order of the real images, a function of (seed, epoch)."""

import numpy as np
import torch
from torch import Tensor

FLIPS = 1
PURPOSES = 2  # of a sequence: order and flips
FLIP_ROWS = 256


def keyed_generator(seed: int, index: int, purpose: int = 0) -> np.random.Generator:
    """Return a random generator that depends only on (seed, index, purpose)."""
    return np.random.default_rng(np.random.SeedSequence((seed, index), spawn_key=(purpose,)))


class IndexStream:
    """An endless sequence of permutations, one per epoch, cut into batches.

    Batch k holds positions [k B, (k + 1) B) of the sequence. A batch can span several epochs, so
    that each image occurs once per epoch for any batch size. Batch k does not depend on earlier
    calls.

    Args:
        size: images in the data set.
        batch_size: B, images per batch over all devices, from 1.
        seed: seed of all permutations, at least 0.
        number: of the sequence; sequences of different numbers are independent.
    """

    def __init__(self, size: int, batch_size: int, seed: int, number: int = 0) -> None:
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.first = number * PURPOSES
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)
        self._block = -1
        self._coins = torch.empty(0, dtype=torch.bool)

    def order(self, epoch: int) -> Tensor:
        """Return the permutation of an epoch, int64 (size,), on the CPU."""
        if epoch != self._epoch:
            random = keyed_generator(self.seed, epoch, self.first)
            self._order = torch.from_numpy(random.permutation(self.size))
            self._epoch = epoch
        return self._order

    def batch(self, k: int) -> Tensor:
        """Return the indices of batch k, int64 (batch_size,), on the CPU."""
        position, end, parts = k * self.batch_size, (k + 1) * self.batch_size, []
        while position < end:
            epoch, start = divmod(position, self.size)
            parts.append(self.order(epoch)[start : start + end - position])
            position += len(parts[-1])
        return torch.cat(parts)

    def flips(self, k: int) -> Tensor:
        """Return which images of batch k are flipped, bool (batch_size,), with probability 1/2."""
        block, row = divmod(k, FLIP_ROWS)
        if block != self._block:
            random = keyed_generator(self.seed, block, self.first + FLIPS)
            coins = random.integers(2, size=(FLIP_ROWS, self.batch_size), dtype=np.uint8)
            self._coins = torch.from_numpy(coins).bool()
            self._block = block
        return self._coins[row]
