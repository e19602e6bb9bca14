"""The terms of CycleGAN against closed forms."""

from typing import Any

import pytest
import torch
from torch import Tensor

from gan.augment.ada import ADA
from gan.losses.hinge import Hinge
from gan.losses.logistic import NonSaturating
from gan.losses.none import NoLoss
from gan.regularizers.feature_matching import FeatureMatching
from gan.regularizers.gradient import R1
from gan.regularizers.orthogonal import Orthogonal
from tests.algorithms.translating import Scaled, cycle, pairs


def test_cycle_and_identity_of_linear_networks() -> None:
    game, batch = cycle(Scaled(0.5), Scaled(3.0), cycle=5.0, identity=2.5), pairs()
    a, b = batch.source.abs().mean(), batch.real.abs().mean()
    terms = game.generator_loss(batch)
    assert terms["cycle"].item() == pytest.approx(5.0 * (0.5 * a + 0.5 * b).item(), rel=1e-5)
    assert terms["identity"].item() == pytest.approx(2.5 * (2 * a + 0.5 * b).item(), rel=1e-5)


def test_networks_that_are_inverse_to_each_other_have_no_cycle_error() -> None:
    game = cycle(Scaled(2.0, 0.5), Scaled(0.5, -0.25))
    assert game.generator_loss(pairs())["cycle"].item() == pytest.approx(0, abs=1e-6)
    assert game.generator_loss(pairs())["identity"].item() > 0.1


def test_each_domain_has_its_critic() -> None:
    game, batch = cycle(), pairs()
    a, b = batch.source, batch.real
    fake_a, fake_b = game.generator["ba"](b), game.generator["ab"](a)
    d_a, d_b = game.discriminator["a"], game.discriminator["b"]

    def least_squares(logits: Tensor, target: float) -> float:
        return 0.5 * float((logits - target).square().mean())

    terms = game.discriminator_loss(batch)
    for name, d, real, fake in (("_a", d_a, a, fake_a), ("_b", d_b, b, fake_b)):
        expected = least_squares(d(real), 1) + least_squares(d(fake), 0)
        assert terms[f"adversarial{name}"].item() == pytest.approx(expected, rel=1e-5)
    assert terms.keys() == {"adversarial_a", "adversarial_b"}
    terms = game.generator_loss(batch)
    assert terms["adversarial_a"].item() == pytest.approx(least_squares(d_a(fake_a), 1), rel=1e-5)
    assert terms["adversarial_b"].item() == pytest.approx(least_squares(d_b(fake_b), 1), rel=1e-5)
    assert terms.keys() == {"adversarial_a", "adversarial_b", "cycle", "identity"}


def test_with_halves_the_gradient_is_half_of_the_authors() -> None:
    game, batch = cycle(cycle=5.0, identity=2.5), pairs()
    a, b = batch.source, batch.real
    ab, ba = game.generator["ab"], game.generator["ba"]
    weights = list(game.generator.parameters())
    own = torch.autograd.grad(torch.stack([*game.generator_loss(batch).values()]).sum(), weights)
    # lambda 10, identity 0.5 times lambda, squares without a factor
    loss = sum(
        (game.discriminator[domain](fake) - 1).square().mean()
        for domain, fake in (("a", ba(b)), ("b", ab(a)))
    )
    loss += 10 * ((ba(ab(a)) - a).abs().mean() + (ab(ba(b)) - b).abs().mean())
    loss += 5 * ((ab(b) - b).abs().mean() + (ba(a) - a).abs().mean())
    for mine, theirs in zip(own, torch.autograd.grad(loss, weights), strict=True):
        assert torch.allclose(2 * mine, theirs, rtol=1e-4)


def test_identity_0_has_no_term() -> None:
    assert "identity" not in cycle(identity=0.0).generator_loss(pairs())


def test_no_adversarial_loss_leaves_the_other_terms() -> None:
    game = cycle(loss=NoLoss())
    assert game.opponents == []
    assert game.generator_loss(pairs()).keys() == {"cycle", "identity"}


def test_the_critics_get_images_of_their_own_pools() -> None:
    game = cycle(Scaled(1.0), Scaled(1.0), pool=2)
    for number in range(6):
        game.discriminator_loss(pairs(number, 2))
    for domain in ("a", "b"):
        assert game.pools[domain].seen == 12
    of_a, of_b = (list(game.pools[domain].get_buffer("images")) for domain in ("a", "b"))
    sources = torch.cat([pairs(number, 2).source for number in range(6)])
    targets = torch.cat([pairs(number, 2).real for number in range(6)])
    assert all(any(torch.equal(image, t) for t in targets) for image in of_a)  # G(b) = b here
    assert all(any(torch.equal(image, s) for s in sources) for image in of_b)


def test_the_generator_gets_fresh_images_not_those_of_the_pool() -> None:
    game = cycle(pool=2)
    before = game.generator_loss(pairs())
    game.discriminator_loss(pairs(1))
    after = game.generator_loss(pairs())
    assert {k: float(v) for k, v in before.items()} == {k: float(v) for k, v in after.items()}


def test_regularizers_see_the_domain_of_their_critic() -> None:
    regularizers = {
        "r1": R1(1.0),
        "feature_matching": FeatureMatching(),
        "orthogonal": Orthogonal(),
    }
    game, batch = cycle(regularizers=regularizers, loss=NonSaturating()), pairs()
    terms = game.discriminator_loss(batch)
    for domain, real in (("a", batch.source), ("b", batch.real)):
        x = real.clone().requires_grad_()
        logits = game.discriminator[domain](x).mean((1, 2))
        (gradient,) = torch.autograd.grad(logits.sum(), x)
        expected = 0.5 * gradient.square().flatten(1).sum(1).mean()
        assert terms[f"r1_{domain}"].item() == pytest.approx(expected.item(), rel=1e-4)
    matching = game.generator_loss(batch)
    for domain, other, real, given in (
        ("a", "ba", batch.source, batch.real),
        ("b", "ab", batch.real, batch.source),
    ):
        features = game.discriminator.of(domain).features
        fake = game.generator[other](given)
        expected = (features(real).mean(0) - features(fake).mean(0)).square().sum()
        found = matching[f"feature_matching_{domain}"]
        assert found.item() == pytest.approx(expected.item(), rel=1e-4)


def test_each_generator_is_regularized_once() -> None:
    game = cycle(regularizers={"orthogonal": Orthogonal()})
    assert game.critic_a.generator is game.generator["ba"]
    assert game.critic_b.generator is game.generator["ab"]


def test_each_critic_adapts_an_augmentation_of_its_own() -> None:
    given: dict[str, Any] = {"augment": ADA(interval=1, images=100), "loss": Hinge()}
    game = cycle(**given)
    first, second = game.critic_a.augment, game.critic_b.augment
    assert first is not second
    state = set(game.state_dict())
    assert {"critic_state._a.augment.p", "critic_state._b.augment.p"} <= state
    assert not any(name.startswith(("augment", "regularizers")) for name in state)


def test_translations_both_ways() -> None:
    game, images = cycle(Scaled(0.5), Scaled(3.0)), pairs(0, 130).source
    assert torch.allclose(game.translate(images), 0.5 * images)
    assert torch.allclose(game.translate(images, "ba"), 3 * images)
