"""The auxiliary distribution Q(c | x) of InfoGAN (Chen et al., 2016)."""

import math

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan.latents import Codes
from gan.layers.precision import at_least_float32


class Posterior(nn.Module):
    """A hidden layer on the discriminator's features, then Q(c | x) of each code.

    Q is a softmax for a categorical code, and a normal distribution with variance 1 for a
    continuous code, as in the authors' code for MNIST.

    Args:
        features: size of the features h.
        codes: the prior that contains the codes.
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
        """Return the logits (B, K) of each categorical code and the means (B, continuous)."""
        trunk = self.trunk(h)
        return [head(trunk) for head in self.heads], self.mean(trunk)

    def negative_log_likelihood(self, h: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return -E log Q(c | x), in nats, of categorical and of continuous codes, two scalars.

        Each is summed over its codes. The entropy H(c) minus this value is the lower bound L_I of
        the mutual information (eq. 5).

        Args:
            h: features (B, F) of G(z).
            z: latents (B, dim) with the codes.
        """
        logits, mean = self(h)
        _, labels, continuous = self.split(z)
        categorical = sum(
            (cross_entropy(at_least_float32(o), y) for o, y in zip(logits, labels, strict=True)),
            start=z.new_zeros(()),
        )
        squares = (continuous - at_least_float32(mean)).square() + math.log(2 * math.pi)
        return categorical, 0.5 * squares.sum(1).mean()
