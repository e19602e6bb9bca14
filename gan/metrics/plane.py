"""Maps of vectors in the plane."""

import math

import torch
from torch import Tensor

_COMPONENTS = 50  # principal components that t-SNE reads
_PERPLEXITY = 30.0
FEWEST = 5  # vectors of a map


def plane(vectors: Tensor, seed: int = 0) -> Tensor:
    """Return points (n, 2) in [-1, 1]^2 whose neighbours are those of vectors.

    The first 50 principal components, then t-SNE (van der Maaten & Hinton, 2008) with perplexity
    30, or a third of the number of vectors if that is less. Deterministic for a seed.

    Args:
        vectors: (n, dim), n at least 5.
        seed: of t-SNE.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    values = vectors.double().numpy()
    count = min(_COMPONENTS, *values.shape)
    values = PCA(count, svd_solver="full").fit_transform(values)
    perplexity = min(_PERPLEXITY, (len(values) - 1) / 3)
    start = "pca" if count > 1 else "random"
    points = TSNE(perplexity=perplexity, init=start, random_state=seed, n_jobs=1)
    return _scaled(torch.from_numpy(points.fit_transform(values)).float())


def principal_plane(vectors: Tensor) -> Tensor:
    """Return points (n, 2) in [-1, 1]^2: the first two principal components of vectors (n, dim).

    Distances are those in that plane, up to one factor. Vectors of one number lie on the x axis.
    """
    centred = vectors.double() - vectors.double().mean(0)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    found = (centred @ axes[:2].T).float()
    return _scaled(torch.cat([found, found.new_zeros(len(found), 2 - found.shape[1])], 1))


def _scaled(points: Tensor) -> Tensor:
    """Return points (n, 2), moved and shrunk by one factor into [-1, 1]^2."""
    low, high = points.amin(0), points.amax(0)
    scale = float((high - low).max())
    return (2 * points - low - high) / (scale if math.isfinite(scale) and scale else 1.0)
