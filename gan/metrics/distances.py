"""Euclidean distances between two sets of features, in blocks of rows."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gan.progress import bar

CHUNK = 1024  # rows
PROGRESS_DELAY = 2.0  # seconds before a progress bar appears
ROUNDING = 1e-12  # relative to the squared norms


def distances(
    x: Tensor, y: Tensor, chunk: int = CHUNK, name: str = "distances"
) -> Iterator[Tensor]:
    """Yield the distances float32 (n, M) of n rows of x (N, F) to all rows of y (M, F).

    Accumulated in float64, whatever precision of matrix products training uses: relative error
    1e-7; exactly 0 for copies, and for distances below a millionth of the norms. Holds n x M
    numbers at a time.

    Args:
        x: one set, on any device with float64.
        y: the other set, on the same device.
        chunk: largest n.
        name: of the progress bar, which appears after 2 s.
    """
    with bar(name, len(x), "row", delay=PROGRESS_DELAY) as progress:
        for rows in torch.split(x, chunk):
            yield torch.cat(
                [_block(rows.double(), columns) for columns in torch.split(y, chunk)], 1
            )
            progress.update(len(rows))


def nearest(x: Tensor, y: Tensor, k: int, chunk: int = CHUNK) -> tuple[Tensor, Tensor]:
    """Return distances float32 (N, k), ascending, and indices int64 (N, k) of the k nearest rows.

    A row of x that is in y is its own nearest neighbour, at distance 0.

    Args:
        x: points (N, F).
        y: candidates for their neighbours (M, F), M at least k.
        k: number of neighbours.
        chunk: rows of x at a time; memory is chunk x M.

    Raises:
        ValueError: k is not in 1..M.
    """
    if not 1 <= k <= len(y):
        raise ValueError(f"{k} nearest of {len(y)} points")
    blocks = [rows.topk(k, largest=False) for rows in distances(x, y, chunk, "neighbours")]
    return torch.cat([b.values for b in blocks]), torch.cat([b.indices for b in blocks])


def _block(x: Tensor, y: Tensor) -> Tensor:
    """Return the distances float32 (n, m) of x (n, F), float64, to y (m, F)."""
    y = y.double()
    norms = x.square().sum(1)[:, None] + y.square().sum(1)
    squares = torch.addmm(norms, x, y.T, alpha=-2)
    return squares.where(squares > ROUNDING * norms, 0).sqrt().float()
