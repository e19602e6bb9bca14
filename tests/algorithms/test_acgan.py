from functools import partial

import pytest
import torch
from torch import Tensor

from gan.algorithms.acgan import ACGAN
from gan.batch import LatentBatch
from gan.conditioning.auxiliary import Auxiliary, AuxiliaryHead
from gan.conditioning.base import Conditioning, Unconditional
from gan.conditioning.projection import Projection
from gan.errors import InputError
from gan.latents import Gaussian
from gan.losses.hinge import Hinge
from gan.networks.mlp import MLPDiscriminator, MLPGenerator
from gan.regularizers.consistency import ConsistencyRegularization


def game(conditioning: Conditioning, weight: float = 1.0, fakes: bool = True) -> ACGAN:
    torch.manual_seed(0)
    sgd = partial(torch.optim.SGD, lr=0.1)
    return ACGAN(
        MLPGenerator(4, 1, 8, conditioning, hidden=(16,)),
        MLPDiscriminator(1, 8, conditioning, units=(16,), pieces=2, dropout=0.0),
        loss=Hinge(),
        prior=Gaussian(4),
        optimizer={"generator": sgd, "discriminator": sgd},
        weight=weight,
        generator_weight=0.5,
        fakes=fakes,
    )


def batch() -> LatentBatch:
    random = torch.Generator().manual_seed(0)
    labels = torch.tensor([0, 2, 1, 1, 2])
    real = torch.rand(5, 1, 8, 8, generator=random) * 2 - 1
    return LatentBatch(real, labels, torch.randn(5, 4, generator=random), torch.rand(5))


def log_likelihood(players: ACGAN, images: Tensor, labels: Tensor) -> Tensor:
    """Return the mean log-probability of the labels, by hand."""
    discriminator = players.discriminator
    head = discriminator.head
    assert isinstance(head, AuxiliaryHead)
    odds: Tensor = head.classes(discriminator.features(images)).exp()
    return (odds[torch.arange(len(labels)), labels] / odds.sum(1)).log().mean()


def test_the_terms_are_those_of_the_paper() -> None:
    players, dealt = game(Auxiliary(3, 4), weight=2.0), batch()
    assert dealt.labels is not None
    fake = players.generator(dealt.z, dealt.labels)
    real_class = log_likelihood(players, dealt.real, dealt.labels)
    fake_class = log_likelihood(players, fake, dealt.labels)
    terms = players.discriminator_loss(dealt)
    assert set(terms) == {"adversarial", "class_real", "class_fake"}
    assert terms["class_real"].item() == pytest.approx(-2 * real_class.item(), rel=1e-5)
    assert terms["class_fake"].item() == pytest.approx(-2 * fake_class.item(), rel=1e-5)
    told = players.generator_loss(dealt)
    assert told["class"].item() == pytest.approx(-0.5 * fake_class.item(), rel=1e-5)
    logits = players.discriminator(fake, dealt.labels)
    assert told["adversarial"].item() == pytest.approx(-logits.mean().item(), rel=1e-5)


@pytest.mark.parametrize("half", [False, True])
def test_consistency_compares_the_classes_and_the_logits(half: bool) -> None:
    """In half precision too, where features have 16 bits and the head's weights have 32."""
    players, dealt = game(Auxiliary(3, 4)), batch()
    players.regularizers = {"cr": ConsistencyRegularization(partial(torch.flip, dims=(3,)))}
    network, head = players.discriminator, players.discriminator.head
    assert isinstance(head, AuxiliaryHead)
    features = [network.features(images) for images in (dealt.real, dealt.real.flip(3))]
    expected = sum(
        (a - b).square().mean()
        for a, b in ([layer(h) for h in features] for layer in (head, head.classes))
    )
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        term = players.discriminator_loss(dealt)["cr"]
    assert term.dtype == torch.float32
    assert term.item() == pytest.approx(10 * float(expected), rel=0.2 if half else 1e-5)


def test_the_logit_knows_no_label() -> None:
    players, dealt = game(Auxiliary(3, 4)), batch()
    a, b = (players.discriminator(dealt.real, torch.full((5,), label)) for label in (0, 1))
    assert torch.equal(a, b)


def test_classes_may_be_learned_from_reals_alone() -> None:
    assert "class_fake" not in game(Auxiliary(3, 4), fakes=False).discriminator_loss(batch())


def test_a_discriminator_without_classifier_is_refused() -> None:
    with pytest.raises(InputError, match="conditioning=auxiliary"):
        game(Projection(3))


def test_without_labels_it_is_the_plain_game() -> None:
    players, dealt = game(Unconditional()), batch()
    assert set(players.discriminator_loss(dealt)) == {"adversarial"}
    assert set(players.generator_loss(dealt)) == {"adversarial"}


def test_unlabelled_data_are_refused() -> None:
    with pytest.raises(ValueError, match="conditioning=auxiliary needs labels"):
        Auxiliary(0)
