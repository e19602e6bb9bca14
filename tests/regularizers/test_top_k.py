from functools import partial

import pytest
import torch

from gan.algorithms.gan import GAN
from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.latents import Gaussian
from gan.losses.base import AdversarialLoss
from gan.losses.hinge import Hinge
from gan.losses.relativistic import RelativisticAverage, RelativisticPairing
from gan.networks.mlp import MLPDiscriminator, MLPGenerator
from gan.regularizers.top_k import TopK
from tests.play import play


@pytest.mark.parametrize(
    ("images", "kept"),
    [
        (0, 100),
        (1000, 90),
        (2000, 81),
        (500, 95),  # 0.9^(1/2) = 0.949
        (6000, 53),
        (6600, 50),
        (10**9, 50),
    ],
)
def test_k_falls_with_images_seen(images: int, kept: int) -> None:
    assert TopK(gamma=0.9, nu=0.5, epoch_images=1000).kept(100, images) == kept


def test_one_is_always_kept() -> None:
    assert TopK(gamma=0.1, nu=0.1, epoch_images=1).kept(2, 100) == 1


def test_the_highest_logits_alone_teach() -> None:
    logits = torch.tensor([0.3, -2.0, 5.0, 1.0, -0.1, 0.0], requires_grad=True)
    half = TopK(nu=0.5, epoch_images=1).select(logits, images=1000)
    assert sorted(half.tolist()) == pytest.approx([0.3, 1.0, 5.0])
    (gradient,) = torch.autograd.grad(Hinge().generator(half), logits)
    assert torch.allclose(gradient, torch.tensor([-1.0, 0, -1, -1, 0, 0]) / 3)


def test_the_whole_batch_at_first() -> None:
    logits = torch.randn(7)
    assert torch.equal(TopK().select(logits, images=0).sort().values, logits.sort().values)


def test_the_first_of_two_margins_ranks() -> None:
    margins = torch.tensor([[1.0, 9.0], [3.0, -9.0], [2.0, 0.0], [0.0, 8.0]])
    kept = TopK(epoch_images=1).select(margins, images=1000)
    assert sorted(kept.tolist()) == [[2.0, 0.0], [3.0, -9.0]]


def game(loss: AdversarialLoss, top_k: TopK) -> GAN:
    torch.manual_seed(0)
    adam = partial(torch.optim.Adam, lr=1e-3)
    return GAN(
        MLPGenerator(4, 1, 8, Unconditional(), hidden=(16,)),
        MLPDiscriminator(1, 8, Unconditional(), units=(16,), pieces=2, dropout=0.0),
        loss=loss,
        prior=Gaussian(4),
        optimizer={"generator": adam, "discriminator": adam},
        regularizers={"top_k": top_k},
    )


def test_the_game_counts_real_images() -> None:
    seen: list[int] = []

    class Noted(TopK):
        def kept(self, batch: int, images: int) -> int:
            seen.append(images)
            return super().kept(batch, images)

    play(game(Hinge(), Noted()), lambda number: torch.randn(8, 1, 8, 8), steps=3)
    assert seen == [0, 8, 16]


def test_a_loss_of_pairs_is_refused() -> None:
    with pytest.raises(InputError, match=r"regularizers\.top_k leaves fakes out.*loss=rasgan"):
        game(RelativisticPairing(), TopK())
    play(game(RelativisticAverage(), TopK(epoch_images=1)), lambda _: torch.randn(8, 1, 8, 8), 1)


@pytest.mark.parametrize("wrong", [{"gamma": 0.0}, {"gamma": 1.1}, {"nu": 0.0}, {"nu": 1.5}])
def test_impossible_shares_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"regularizers\.top_k: .* must lie in \(0, 1\]"):
        TopK(**wrong)  # type: ignore[arg-type]


def test_an_empty_epoch_is_refused() -> None:
    with pytest.raises(InputError, match="epoch_images=0 must be at least 1"):
        TopK(epoch_images=0)
