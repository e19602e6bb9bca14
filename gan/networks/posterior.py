"""Q, which reads codes off the discriminator's features (Chen et al., 2016)."""

import math

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan.latents import Codes
from gan.layers.precision import at_least_float32


class Posterior(nn.Module):
    """A hidden layer on the discriminator's features, then Q(c | x) of each code.

    Categorical codes have a softmax, continuous ones a normal distribution of variance 1, as in
    the authors' code for MNIST.

    Args:
        features: numbers in h.
        codes: what is to be read.
        hidden: units of the hidden layer.
    """

    def __init__(self, features: int, codes: Codes, hidden: int = 128) -> None:
        super().__init__()
        self.split, self.categories = codes.split, codes.categories
        self.trunk = nn.Sequential(
            nn.Linear(features, hidden, bias=False), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.1)
        )
        self.heads = nn.ModuleList(nn.Linear(hidden, k) for k in codes.categories)
        self.mean = nn.Linear(hidden, codes.continuous)

    def forward(self, h: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the logits (B, K) of each categorical code, and the means (B, continuous)."""
        trunk = self.trunk(h)
        return [head(trunk) for head in self.heads], self.mean(trunk)

    def negative_log_likelihood(self, h: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return -E log Q(c | x) of categorical and of continuous codes, in nats, each a scalar.

        Summed over the codes of a kind. With the codes' constant entropy H(c), H(c) less this is
        the lower bound L_I of the mutual information (their eq. 5).

        Args:
            h: features (B, F) of G(z).
            z: latents (B, dim) that hold the codes.
        """
        logits, mean = self(h)
        _, labels, continuous = self.split(z)
        categorical = sum(
            (cross_entropy(at_least_float32(o), y) for o, y in zip(logits, labels, strict=True)),
            start=z.new_zeros(()),
        )
        squares = (continuous - at_least_float32(mean)).square() + math.log(2 * math.pi)
        return categorical, 0.5 * squares.sum(1).mean()

    def surprise(self, h: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:  # old name
        """Call :meth:`negative_log_likelihood`."""
        return self.negative_log_likelihood(h, z)
