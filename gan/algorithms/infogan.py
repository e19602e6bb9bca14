"""The game with interpretable codes (Chen et al., 2016)."""

from typing import Any

import torch
from torch import Tensor, nn

from gan.algorithms.gan import GAN
from gan.algorithms.latent import SAMPLE_BATCH, evaluating
from gan.algorithms.two_player import Terms
from gan.errors import InputError
from gan.latents import Codes
from gan.networks.posterior import Posterior
from gan.regularizers.base import DiscriminatorOutputs, GeneratorOutputs


class InfoGAN(GAN):
    """Part of z is a code, which Q infers from the generated image.

    min over G, Q and max over D of V(D, G) - lambda L_I(G, Q) (their eq. 6), with L_I the bound on
    the mutual information of code and image. Q has D's features as input and is trained with G.

    Args:
        weight: lambda of the categorical codes.
        continuous_weight: that of the continuous ones.
        hidden: units of Q's hidden layer.
        shared: D minimises the same terms in its own update, as in the authors' code.
        ingredients: see :class:`GAN`.

    Attributes:
        posterior: Q.

    Raises:
        InputError: if the prior has no codes, or images are packed.
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
            raise InputError("model=infogan infers codes, but the prior has none: set prior=codes")
        if self.pack > 1:
            raise InputError(f"pack={self.pack}: a code is that of one image: set pack=1")
        self.weight, self.continuous_weight, self.shared = weight, continuous_weight, shared
        self.posterior = Posterior(self.discriminator.head.width, self.prior, hidden)
        self.add_network("generator", self.posterior)

    def answering(self) -> dict[str, nn.Module]:
        """Return the averaged generator, and D and Q, which infer codes."""
        others = {"discriminator": self.discriminator, "posterior": self.posterior}
        return {**super().answering(), **others}

    def _information(self, h: Tensor, z: Tensor) -> Terms:
        """Return -lambda L_I, without the constant entropy of the codes, by kind of code."""
        categorical, continuous = self.posterior.negative_log_likelihood(h, z)
        return {
            "categorical": self.weight * categorical,
            "continuous": self.continuous_weight * continuous,
        }

    def discriminator_terms(self, out: DiscriminatorOutputs) -> Terms:
        """Return the information terms on D's features of the fakes, if ``shared``."""
        return self._information(out.fake_features, out.latents) if self.shared else {}

    def generator_terms(self, out: GeneratorOutputs) -> Terms:
        """Return the information terms, which G and Q minimise."""
        return self._information(out.fake_features, out.latents)

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes of images (n, C, H, W) in [-1, 1] by Q: (n, codes), on the CPU.

        They are in the order of the prior, without its noise: the probabilities of each categorical
        code, (n, K), then the means of the continuous ones. D and Q have no averaged weights.
        """
        parts = []
        with evaluating(self.discriminator), evaluating(self.posterior):
            for part in torch.split(images, SAMPLE_BATCH):
                features = self.discriminator.features(part.to(self.device))
                logits, mean = self.posterior(features)
                codes = [*(code.float().softmax(1) for code in logits), mean.float()]
                parts.append(torch.cat(codes, dim=1).cpu())
        return torch.cat(parts)
