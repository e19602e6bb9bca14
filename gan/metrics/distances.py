"""Euclidean distances between two sets of features, a block at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor
from tqdm import tqdm

from gan import processes

CHUNK = 1024  # rows
PATIENCE = 2.0  # seconds without a progress bar
ROUNDING = 1e-12  # of the squared norms


def distances(
    x: Tensor, y: Tensor, chunk: int = CHUNK, name: str = "distances"
) -> Iterator[Tensor]:
    """Distances float32 (n, M) of `chunk` rows after another of x (N, F) to all of y (M, F).

    Accumulated in float64, so that neither copies nor the reduced precision of matrix products that
    training may have switched on blur them: relative error 1e-7, exact copies at exactly 0 (as is
    whatever is nearer than a millionth of the norms). Holds n x M numbers at a time.

    Args:
        x: one set, on any device with float64.
        y: the other, on the same device.
        chunk: n, at most.
        name: of the progress bar, which shows after 2 s.
    """
    hidden = processes.rank() > 0
    with tqdm(total=len(x), desc=name, leave=False, delay=PATIENCE, disable=hidden) as bar:
        for rows in torch.split(x, chunk):
            yield torch.cat(
                [_block(rows.double(), columns) for columns in torch.split(y, chunk)], 1
            )
            bar.update(len(rows))


def nearest(x: Tensor, y: Tensor, k: int, chunk: int = CHUNK) -> tuple[Tensor, Tensor]:
    """Distances float32 (N, k), ascending, and indices int64 (N, k) of the k nearest rows of y.

    A row of x that is in y is its own nearest neighbour, at distance 0.

    Args:
        x: points that look for neighbours (N, F).
        y: their neighbours to be (M, F), M at least k.
        k: how many.
        chunk: rows of x at a time; memory is chunk x M.

    Raises:
        ValueError: k is not in 1..M.
    """
    if not 1 <= k <= len(y):
        raise ValueError(f"{k} nearest of {len(y)} points")
    found = [rows.topk(k, largest=False) for rows in distances(x, y, chunk, "neighbours")]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def _block(x: Tensor, y: Tensor) -> Tensor:
    """Distances float32 (n, m) of x (n, F), float64, to y (m, F)."""
    y = y.double()
    norms = x.square().sum(1)[:, None] + y.square().sum(1)
    squares = torch.addmm(norms, x, y.T, alpha=-2)
    return squares.where(squares > ROUNDING * norms, 0).sqrt().float()
