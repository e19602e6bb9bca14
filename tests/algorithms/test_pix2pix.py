"""The terms of pix2pix against closed forms."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import interpolate

from gan.augment.diffaugment import DiffAugment
from gan.batch import PairBatch
from gan.errors import InputError
from gan.losses.logistic import NonSaturating
from gan.losses.none import NoLoss
from tests.algorithms.translating import Scaled, conditional, pairs


def test_terms_by_hand() -> None:
    game, batch = conditional(loss=NonSaturating(), l1=100.0), pairs()
    x, y = batch.source, batch.real
    fake = 0.5 * x + 0.25
    real_logits, fake_logits = (game.discriminator(torch.cat([x, i], 1)) for i in (y, fake))
    ones, zeros = torch.ones_like(real_logits), torch.zeros_like(real_logits)
    expected = cross_entropy(real_logits, ones) + cross_entropy(fake_logits, zeros)
    terms = game.discriminator_loss(batch)
    assert terms.keys() == {"adversarial"}
    assert terms["adversarial"].item() == pytest.approx(expected.item(), rel=1e-5)
    terms = game.generator_loss(batch)
    assert terms.keys() == {"adversarial", "l1"}
    adversarial = cross_entropy(fake_logits, ones)
    assert terms["adversarial"].item() == pytest.approx(adversarial.item(), rel=1e-5)
    assert terms["l1"].item() == pytest.approx(100 * (fake - y).abs().mean().item(), rel=1e-5)


def test_the_critic_tells_pairs_from_the_same_images_in_other_pairs() -> None:
    game, batch = conditional(), pairs()
    swapped = PairBatch(batch.real, None, batch.source.flip(0), batch.epsilon)
    one, other = (float(game.discriminator_loss(b)["adversarial"]) for b in (batch, swapped))
    assert one != pytest.approx(other, rel=1e-6)


class Doubled(Scaled):
    """A generator whose images are twice as high as their sources."""

    scale = 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(interpolate(x, scale_factor=2))


def test_the_critic_sees_small_sources_enlarged() -> None:
    game, batch = conditional(), pairs()
    game.generator.__class__ = Doubled
    small = PairBatch(batch.real, None, batch.source[:, :, ::2, ::2], batch.epsilon)
    source = interpolate(small.source, (8, 8), mode="bicubic")
    fake = game.generator(small.source)
    logits = game.discriminator(torch.cat([source, fake], 1))
    expected = 0.5 * (logits - 1).square().mean()
    found = game.generator_loss(small)["adversarial"]
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_l1_alone() -> None:
    game = conditional(loss=NoLoss())
    assert game.opponents == []
    assert game.generator_loss(pairs()).keys() == {"l1"}


def test_augmentation_is_refused() -> None:
    with pytest.raises(InputError, match="one image of a pair alone: set augment=none"):
        conditional(augment=DiffAugment())
