"""The game with legible codes (Chen et al., 2016)."""

from typing import Any

from torch import Tensor

from gan.algorithms.gan import GAN
from gan.algorithms.two_player import Batch, Terms
from gan.errors import InputError
from gan.latents import Codes
from gan.networks.posterior import Posterior
from gan.regularizers.base import Attempt, Verdict


class InfoGAN(GAN):
    """Part of z is a code that Q must be able to read off the image.

    min over G, Q and max over D of V(D, G) - lambda L_I(G, Q) (their eq. 6), with L_I the bound on
    the mutual information of code and image. Q stands on D's features and learns in G's turn.

    Args:
        weight: lambda of the categorical codes.
        continuous_weight: that of the continuous ones.
        hidden: units of Q's own hidden layer.
        shared: D's features learn to carry the code too, in D's turn, as in the authors' code.
        ingredients: see :class:`GAN`.

    Attributes:
        posterior: Q.

    Raises:
        InputError: if the prior has no codes, or images are judged in packs.
    """

    prior: Codes

    def __init__(
        self,
        *args: Any,
        weight: float = 1.0,
        continuous_weight: float = 1.0,
        hidden: int = 128,
        shared: bool = True,
        **ingredients: Any,
    ) -> None:
        super().__init__(*args, **ingredients)
        if not isinstance(self.prior, Codes):
            raise InputError("model=infogan reads codes, but its prior has none: set prior=codes")
        if self.pack > 1:
            raise InputError(f"pack={self.pack}: a code is that of one image: set pack=1")
        self.weight, self.continuous_weight, self.shared = weight, continuous_weight, shared
        self.posterior = Posterior(self.discriminator.head.width, self.prior, hidden)
        self.enlist("generator", self.posterior)

    def _information(self, h: Tensor, z: Tensor) -> Terms:
        """Return -lambda L_I but for the codes' entropy, by kind of code."""
        categorical, continuous = self.posterior.surprise(h, z)
        return {
            "categorical": self.weight * categorical,
            "continuous": self.continuous_weight * continuous,
        }

    def discriminator_tasks(self, verdict: Verdict, batch: Batch) -> Terms:
        """Return the information that D's features of the fakes lack, if they are to carry it."""
        return self._information(verdict.fake_features, batch.z) if self.shared else {}

    def generator_tasks(self, attempt: Attempt, batch: Batch) -> Terms:
        """Return the information that G's images lack, or that Q fails to read."""
        return self._information(attempt.fake_features, batch.z)
