from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from gan.algorithms.gan import GAN
from gan.augment.ada import ADA
from gan.augment.apa import APA
from gan.batch import LatentBatch
from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.latents import Gaussian
from gan.losses.hinge import Hinge
from gan.networks.mlp import MLPDiscriminator, MLPGenerator

REAL, FAKE = torch.full((4000, 1, 2, 2), 1.0), torch.full((4000, 1, 2, 2), -1.0)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_whole_images_are_replaced_with_probability_p(p: float) -> None:
    torch.manual_seed(0)
    substituted = APA(p, None).substitute_reals(REAL, FAKE)
    assert (substituted == substituted[:, :, :1, :1]).all()
    share = (substituted[:, 0, 0, 0] == -1).float().mean().item()
    assert share == pytest.approx(p, abs=5 * (p * (1 - p) / 4000) ** 0.5)


def test_an_image_is_replaced_by_the_fake_of_its_index() -> None:
    torch.manual_seed(0)
    number = torch.arange(100.0).view(-1, 1, 1, 1)
    substituted = APA(0.5, None).substitute_reals(number, number + 1000)
    assert torch.equal(substituted % 1000, number)


def test_p_changes_as_in_ada() -> None:
    ours, theirs = APA(0.1, 0.5, 2, 100), ADA(0.1, 0.5, 2, 100)
    for sign in (1.0, 1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0):
        for augment in (ours, theirs):
            augment.observe(torch.full((8,), sign))
            augment.adapt()
    # by 0.16 each two turns of 8 images: 0.26, 0.10, at r_t = 0 down to 0, 0.16
    assert ours.p.item() == pytest.approx(0.16)
    assert torch.equal(ours.p, theirs.p)
    assert set(ours.state_dict()) == {"p", "tally", "turns"}


def test_disabled_apa_uses_no_random_numbers() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert APA(0.0, None).substitute_reals(REAL, FAKE) is REAL
    assert torch.equal(torch.get_rng_state(), before)


def game(augment: APA) -> GAN:
    torch.manual_seed(0)
    sgd = partial(torch.optim.SGD, lr=0.1)
    return GAN(
        MLPGenerator(3, 1, 4, Unconditional(), hidden=(8,)),
        MLPDiscriminator(1, 4, Unconditional(), dropout=0.0),
        prior=Gaussian(3),
        optimizer={"generator": sgd, "discriminator": sgd},
        loss=Hinge(),
        augment=augment,
    )


def discriminator_inputs(players: GAN) -> tuple[list[Tensor], LatentBatch]:
    """Return the inputs of the discriminator in its update, and the batch."""
    batch = LatentBatch(torch.rand(16, 1, 4, 4), None, torch.randn(16, 3), torch.rand(16))
    given: list[Tensor] = []
    features = players.discriminator.features

    def recorded(images: Tensor) -> Tensor:
        given.append(images)
        return features(images)

    players.discriminator.features = recorded  # type: ignore[assignment,method-assign]
    players.discriminator_loss(batch)
    return given, batch


def test_the_game_uses_fakes_as_real_images() -> None:
    always, _ = discriminator_inputs(game(APA(1.0, None)))
    assert torch.equal(always[0], always[1])
    never, batch = discriminator_inputs(game(APA(0.0, None)))
    assert torch.equal(never[0], batch.real)
    assert not torch.equal(never[0], never[1])


def test_the_game_updates_p() -> None:
    augment = APA(0.5, 0.0, 1, 64)
    players = game(augment)
    discriminator_inputs(players)
    assert augment.p == 0.5  # within the update
    players.after_discriminator_update()
    assert augment.p.item() in (0.25, 0.75)
    assert players.readings["augment/p"] == augment.p


@pytest.mark.parametrize("arguments", [{"p": 1.5}, {"target": -1.0}, {"interval": 0}])
def test_illegal_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"augment\."):
        APA(**arguments)
