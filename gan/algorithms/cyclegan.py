"""Unpaired translation both ways (Zhu et al., 2017)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan.algorithms.pool import ImagePool
from gan.algorithms.translation import TranslationGame
from gan.algorithms.two_player import Terms
from gan.batch import PairBatch
from gan.networks.cyclegan import Translators
from gan.networks.patch import Discriminators


class CycleGAN(TranslationGame):
    """Two generators, F: A -> B and G: B -> A, and a discriminator for each domain (eq. 1 to 3).

    Deviations: the discriminators are updated before the generators, on fakes of the weights before
    this step. ``loss=lsgan`` has a factor 1/2 in both players' losses, so that the weights of the
    recipe are half of the authors'.

    Args:
        generator: the two translators.
        discriminator: the two discriminators.
        pool: of the last translated images; each domain has its own.
        cycle: lambda, weight of E |G(F(a)) - a| + E |F(G(b)) - b|, the mean over pixels.
        identity: weight of E |F(b) - b| + E |G(a) - a|.
        ingredients: see :class:`~gan.algorithms.translation.TranslationGame`.
    """

    directions = ("ab", "ba")
    generator: Translators
    averaged: Translators
    discriminator: Discriminators

    def __init__(
        self,
        generator: Translators,
        discriminator: Discriminators,
        *args: Any,
        pool: ImagePool,
        cycle: float = 5.0,
        identity: float = 2.5,
        **ingredients: Any,
    ) -> None:
        super().__init__(generator, discriminator, *args, **ingredients)
        self.cycle, self.identity = cycle, identity
        self.pools = nn.ModuleDict({"a": pool, "b": pool.another()})
        self.critic_a = self.add_critic(discriminator.of("a"), generator["ba"], "_a")
        self.critic_b = self.add_critic(discriminator.of("b"), generator["ab"], "_b")

    def forward(self, images: Tensor, direction: str = "ab") -> Tensor:
        """Return images translated by the averaged weights."""
        translated: Tensor = self.averaged[direction](images)
        return translated

    def discriminator_loss(self, batch: PairBatch) -> Terms:
        """Return the adversarial terms of both domains, and those of regularizers."""
        a, b = batch.source, batch.real
        with torch.no_grad():
            fake_a = self.pools["a"](self.generator["ba"](b).to(a.dtype))
            fake_b = self.pools["b"](self.generator["ab"](a).to(b.dtype))
        terms = self.discriminator_terms(self.critic_a, batch.reversed, fake_a)
        return terms | self.discriminator_terms(self.critic_b, batch, fake_b)

    def generator_loss(self, batch: PairBatch) -> Terms:
        """Return the adversarial terms, those of regularizers, cycle and identity."""
        a, b = batch.source, batch.real
        forth, back = self.generator["ab"], self.generator["ba"]
        fake_a, fake_b = back(b), forth(a)
        terms = self.generator_terms(self.critic_a, batch.reversed, fake_a)
        terms |= self.generator_terms(self.critic_b, batch, fake_b)
        terms["cycle"] = self.cycle * (l1_loss(back(fake_b), a) + l1_loss(forth(fake_a), b))
        if self.identity:
            terms["identity"] = self.identity * (l1_loss(back(a), a) + l1_loss(forth(b), b))
        return terms
