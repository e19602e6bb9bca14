"""Path length regularization of the generator."""

import math

import torch
from torch import Tensor
from torch.autograd import grad

from gan import processes
from gan.errors import InputError
from gan.regularizers.base import GeneratorOutputs, Networks, Regularizer


class PathLength(Regularizer):
    """weight * E (|J^T y| - a)^2: a step in w changes the image equally at any w.

    J = d image / d w, y normal noise whose variance is one over the pixels of the image, a the
    running mean of |J^T y| over all devices; of styles, |J^T y|^2 is their mean over layers. For a
    generator without styles, w is z. As in the authors' code, a has a gradient too, through the
    present lengths.

    Source: Karras et al., 2020a, eq. 4 and appendix B.

    Args:
        weight: of the term; at 0, nothing is computed.
        decay: of the mean, per use.
        shrink: the first 1 / shrink of a device's batch is used.
        every: as in :class:`Regularizer`.

    Raises:
        InputError: if a number is out of range.
    """

    needs_latents = True
    mean: Tensor

    def __init__(
        self, weight: float = 2.0, decay: float = 0.01, shrink: int = 2, every: int = 4
    ) -> None:
        super().__init__(every)
        if not 0 < decay <= 1 or shrink < 1:
            raise InputError(
                f"regularizers.path_length: decay={decay} must lie in (0, 1], shrink={shrink} be "
                "1 or more"
            )
        self.weight, self.decay, self.shrink = weight, decay, shrink
        self.register_buffer("mean", torch.zeros(()))

    def lengths(self, out: GeneratorOutputs, networks: Networks) -> Tensor:
        """Return |J^T y| of each image, (B / shrink,), differentiable."""
        z, labels = out.latents, out.batch.labels
        part = slice(max(len(z) // self.shrink, 1))
        y = None if labels is None else labels[part]
        w, images = networks.generator.forward_with_styles(z[part], y)
        noise = torch.randn_like(images) / math.sqrt(images.shape[2] * images.shape[3])
        (direction,) = grad((images * noise).sum(), w, create_graph=True)
        squares = direction.square().sum(-1).reshape(len(w), -1)
        return squares.mean(1).sqrt()

    def generator_penalty(self, out: GeneratorOutputs, networks: Networks) -> Tensor | None:
        """Update the mean and return the term."""
        if self.weight == 0:
            return None
        lengths = self.lengths(out, networks)
        length = processes.mean(lengths.mean()).to(self.mean.dtype)
        mean = torch.lerp(self.mean, length, self.decay)
        self.mean.copy_(mean.detach())
        return self.weight * (lengths - mean).square().mean()
