"""Two processes with half of each batch equal one process with all of it."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from gan import processes
from gan.algorithms.acgan import ACGAN
from gan.algorithms.gan import GAN
from gan.algorithms.infogan import InfoGAN
from gan.algorithms.strategy import PlayerwiseDDP
from gan.averaging import ExponentialAverage
from gan.conditioning.base import Conditioning, Unconditional
from gan.conditioning.contrastive import Contrastive, DataToData
from gan.conditioning.projection import Projection
from gan.latents import Codes, Gaussian
from gan.layers.minibatch import MinibatchDiscrimination
from gan.layers.noise import PixelNoise
from gan.layers.synchronised import SynchronisedBatchNorm
from gan.losses.hinge import Hinge
from gan.losses.logistic import NonSaturating
from gan.losses.relativistic import RelativisticAverage, RelativisticPairing
from gan.losses.wasserstein import Wasserstein
from gan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan.networks.mlp import MLPDiscriminator, MLPGenerator
from gan.networks.stylegan import StyleGANDiscriminator, StyleGANGenerator
from gan.optimizers import LazyAdam
from gan.regularizers.consistency import ConsistencyRegularization
from gan.regularizers.feature_matching import FeatureMatching
from gan.regularizers.gradient import DRAGAN, R1, R2, GradientPenalty
from gan.regularizers.lecam import LeCam
from gan.regularizers.orthogonal import Orthogonal
from gan.schedules import Growth

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork")

STEPS, BATCH = 20, 8
SGD = partial(torch.optim.SGD, lr=0.05, momentum=0.5)
ADAM = partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.9))
LAZY = partial(LazyAdam, every=4)


class Shards:
    """Steps of batches of which each process gets its share."""

    def __init__(self, n_critic: int) -> None:
        self.n_critic = n_critic

    def __len__(self) -> int:
        return STEPS

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        random = torch.Generator().manual_seed(number)
        images = torch.rand(BATCH, 1, 8, 8, generator=random, dtype=torch.float64) * 2 - 1
        labels = torch.randint(3, (BATCH,), generator=random)
        size = BATCH // processes.world_size()
        share = slice(size * processes.rank(), size * (processes.rank() + 1))
        return images[share].to(torch.get_default_dtype()), labels[share]

    def __iter__(self) -> Iterator[list[tuple[Tensor, Tensor]]]:
        for step in range(STEPS):
            yield [self.batch(step * self.n_critic + turn) for turn in range(self.n_critic)]


def plain(conditioning: Conditioning | None = None, **ingredients: object) -> GAN:
    """Return players without batch statistics."""
    torch.manual_seed(0)
    told = conditioning or Unconditional()
    settings = {"loss": NonSaturating(), "optimizer": {"generator": ADAM, "discriminator": ADAM}}
    return GAN(
        MLPGenerator(4, 1, 8, told, hidden=(16,)),
        MLPDiscriminator(1, 8, told, units=(16,), pieces=2, dropout=0.0),
        prior=Gaussian(4),
        averaging=ExponentialAverage(half_life=100),
        **{**settings, **ingredients},  # type: ignore[arg-type]
    )


def contrasted(conditioning: Conditioning) -> GAN:
    """Return players whose class loss compares the images of a batch."""
    torch.manual_seed(0)
    return ACGAN(
        MLPGenerator(4, 1, 8, conditioning, hidden=(16,)),
        MLPDiscriminator(1, 8, conditioning, units=(16,), pieces=2, dropout=0.0),
        loss=NonSaturating(),
        prior=Gaussian(4),
        optimizer={"generator": ADAM, "discriminator": ADAM},
        regularizers={"cr": ConsistencyRegularization(partial(torch.flip, dims=(3,)))},
        fakes=False,
    )


def compared() -> GAN:
    """Return players of which D compares the images of a batch."""
    torch.manual_seed(0)
    discrimination = partial(MinibatchDiscrimination, kernels=4, dim=3)
    return GAN(
        MLPGenerator(4, 1, 8, Unconditional(), hidden=(16,)),
        MLPDiscriminator(
            *(1, 8, Unconditional()),
            minibatch=discrimination,
            units=(16,),
            pieces=2,
            dropout=0.0,
        ),
        loss=NonSaturating(),
        prior=Gaussian(4),
        optimizer={"generator": ADAM, "discriminator": ADAM},
    )


def convolutional() -> GAN:
    """Return a DCGAN with batch normalisation over all processes in both players."""
    torch.manual_seed(0)
    game = GAN(
        DCGANGenerator(4, 1, 8, Unconditional(), width=4),
        DCGANDiscriminator(1, 8, Unconditional(), width=4),
        loss=NonSaturating(),
        prior=Gaussian(4),
        optimizer={"generator": ADAM, "discriminator": ADAM},
        averaging=ExponentialAverage(half_life=100),
        n_critic=2,
    )
    SynchronisedBatchNorm.convert(game)
    return game


def informed() -> GAN:
    """Return an InfoGAN, whose Q learns with the generator and has batch normalisation."""
    torch.manual_seed(0)
    game = InfoGAN(
        MLPGenerator(6, 1, 8, Unconditional(), hidden=(16,)),
        MLPDiscriminator(1, 8, Unconditional(), units=(16,), pieces=2, dropout=0.0),
        loss=NonSaturating(),
        prior=Codes(6, categories=(3,), continuous=1),
        optimizer={"generator": ADAM, "discriminator": ADAM},
        averaging=ExponentialAverage(half_life=100),
        hidden=8,
    )
    SynchronisedBatchNorm.convert(game)
    return game


def growing() -> GAN:
    """Return a StyleGAN without dice that fades in while it trains."""
    torch.manual_seed(0)
    growth = Growth(8, start=4, stable=5 * BATCH, fade=10 * BATCH)
    shape = (1, 8, Unconditional(), growth, True)
    generator = StyleGANGenerator(
        4, *shape, 1e-8, style_dim=8, depth=2, mixing=0.0, capacity=32, most=8
    )
    nn.init.normal_(generator.constant)  # else a bias has gradient 0, which Adam makes noise of
    game = GAN(
        generator,
        StyleGANDiscriminator(*shape, capacity=32, most=8, group=1),
        loss=NonSaturating(),
        prior=Gaussian(4),
        optimizer={"generator": LAZY, "discriminator": LAZY},
        averaging=ExponentialAverage(half_life=100),
        regularizers={"r1": R1(gamma=1.0, every=4)},
    )
    for module in game.modules():
        if isinstance(module, PixelNoise):
            module.strength.requires_grad_(False)
    return game


GAMES: dict[str, Callable[[], GAN]] = {
    "n_critic": lambda: plain(n_critic=3),
    "sgd": lambda: plain(optimizer={"generator": SGD, "discriminator": SGD}),
    "lazy_r1": lambda: plain(regularizers={"r1": R1(gamma=1.0, every=4)}, n_critic=3),
    "relativistic": lambda: plain(
        loss=RelativisticPairing(), regularizers={"r1": R1(1.0), "r2": R2(1.0)}
    ),
    "relativistic_average": lambda: plain(  # its bias has gradient 0, which Adam makes noise of
        loss=RelativisticAverage(), optimizer={"generator": SGD, "discriminator": SGD}
    ),
    "gradient_penalty": lambda: plain(
        loss=Wasserstein(), regularizers={"gradient_penalty": GradientPenalty()}, n_critic=3
    ),
    "contrastive": lambda: contrasted(Contrastive(3, 4, dim=5)),
    "data_to_data": lambda: contrasted(DataToData(3, 4, dim=5)),
    "minibatch_discrimination": compared,
    "labels": lambda: plain(Projection(3, 4), loss=Hinge()),
    "lecam": lambda: plain(regularizers={"lecam": LeCam(weight=1.0, start=2)}),
    "feature_matching": lambda: plain(regularizers={"feature_matching": FeatureMatching()}),
    "orthogonal": lambda: plain(regularizers={"orthogonal": Orthogonal(beta=0.1)}),
    "accumulate": lambda: plain(accumulate=2, clip_norm={"generator": 0.1}),
    "accumulated_lecam": lambda: plain(
        accumulate=2, regularizers={"lecam": LeCam(weight=1.0, start=2)}
    ),
    "batch_norm": convolutional,
    "codes": informed,
    "growing": growing,
}


def trained(game: GAN, devices: int, precision: str) -> GAN:
    """Let one process, or several of their own, play the game, and return it."""
    pl.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy=PlayerwiseDDP(start_method="fork") if devices > 1 else "auto",
        precision=precision,  # type: ignore[arg-type]
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_val_batches=0,
    ).fit(game, Shards(game.n_critic))
    return game


def largest_difference(name: str, precision: str) -> float:
    """Return the largest difference of any weight, average or buffer."""
    dtype = torch.float64 if precision == "64-true" else torch.float32
    start = GAMES[name]().to(dtype).state_dict()
    one, two = (trained(GAMES[name]().to(dtype), k, precision).state_dict() for k in (1, 2))
    assert any(not torch.equal(start[key], two[key]) for key in start)
    return max(float((one[key].double() - two[key].double()).abs().max()) for key in one)


@pytest.mark.parametrize("name", GAMES)
def test_two_processes_equal_one(name: str) -> None:
    assert largest_difference(name, "64-true") < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("name", GAMES)
def test_two_processes_equal_one_in_32_bits(name: str) -> None:
    assert largest_difference(name, "32-true") < 5e-3  # Adam amplifies rounding early on


class Noted(GAN):
    """A GAN each of whose processes writes down what it would draw next."""

    folder: Path

    def on_train_end(self) -> None:
        name = f"{self.global_rank}-{self.clock.step}"
        torch.save((torch.rand(4), dict(self.readings)), self.folder / name)


def test_processes_draw_noise_of_their_own_and_log_what_is_common(tmp_path: Path) -> None:
    game = plain(regularizers={"dragan": DRAGAN()})
    game.__class__ = Noted
    assert isinstance(game, Noted)
    game.folder = tmp_path
    trained(game, 2, "32-true")
    (first, first_readings), (second, second_readings) = (
        torch.load(tmp_path / f"{r}-{STEPS}") for r in (0, 1)
    )
    assert not torch.equal(first, second)
    assert first_readings.keys() >= {"discriminator/dragan", "logits/real", "lr/generator"}
    assert {k: float(v) for k, v in first_readings.items()} == {
        k: float(v) for k, v in second_readings.items()
    }
