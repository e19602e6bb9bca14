"""The setting ``size``."""

from typing import Any

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.nn.utils import parametrizations
from torch.utils.flop_counter import FlopCounterMode

from gan.commands.models import ModelConfig
from gan.networks.base import Generator
from gan.settings import stored
from gan.settings.trust import build
from gan.settings.validation import validate
from tests.configs import ROOT, options, thinned

SIZES = ("paper", "small", "tiny")
# Parameters of generator and discriminator on CIFAR-10.
PAPER = {
    "acgan": (1109991, 704715),
    "ali": (921475, 12790209),
    "bigan": (4299776, 4250625),
    "biggan": (9416196, 2415170),
    "cgan_pd": (4304387, 1055105),
    "contragan": (9416196, 2517186),
    "cut": (11378179, 2764737),
    "cyclegan": (2 * 11378179, 2 * 2764737),
    "dcgan": (1068931, 663745),
    "fastcut": (11378179, 2764737),
    "infogan": (8617091, 8527297),
    "mlp": (1734912, 852737),
    "pix2pix": (16659075, 2768705),
    "r3gan": (20732160, 20683776),
    "reacgan": (9416196, 2517186),
    "sagan": (4358660, 1074306),
    "semi_supervised": (1844144, 3826770),
    "semi_supervised_cnn": (4941958, 1406804),
    "sngan": (4276739, 1053825),
    "sngan_cnn": (3813379, 5860865),
    "srgan": (1399637, 5342593),
    "ssgan": (4276739, 1053825),
    "stylegan": (22839817, 20724737),
    "stylegan2": (19947539, 21507073),
    "unrolled": (1068931, 167649),
    "vae": (1068931, 1479048),
    "vaegan": (1068931, 663745),
    "wgan_gp": (1204483, 1053825),
}
SAME = {
    "ali",
    "bigan",
    "cgan_pd",
    "fastcut",
    "reacgan",
    "ssgan",
    "vae",
    "vaegan",
}  # networks of another model
RISING = {"lr", "every", "burn_in", "generator_weight"}  # in short runs of small networks
EITHER = {"batch_size", "gamma", "weight"}  # rise or fall
HALVED = {"mlp"}  # whose steps cost little at any width
NETWORKS = sorted(set(options("model")) - SAME - HALVED)
Networks = tuple[nn.Module, nn.Module]


def networks(model: str, size: str, *overrides: str) -> Networks:
    """Return the networks of a model without storage."""
    node = ModelConfig(model, "cifar10", f"size={size}", *overrides).config.model
    with torch.device("meta"):
        return build(node.generator), build(node.get("discriminator") or node.encoder)


def config_of(*overrides: str) -> DictConfig:
    """Return the config of a command."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", [*overrides, "run_dir=run"])


def parts(network: nn.Module) -> set[str]:
    """Return the names of the kinds of layers."""
    return {type(module).__name__ for module in network.modules()}


def each(network: nn.Module) -> list[nn.Module]:
    """Return a network, or those of which a player has several."""
    return list(network.values()) if isinstance(network, nn.ModuleDict) else [network]


def first_convolution(network: nn.Module) -> int:
    """Return the channels of the images that a network takes."""
    return next(m.in_channels for m in network.modules() if isinstance(m, nn.Conv2d))


def cost(*players: nn.Module) -> tuple[int, int]:
    """Return the number of parameters, and the operations of two images through all networks."""
    y = torch.zeros(2, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter:
        for generator, discriminator in zip(*map(each, players), strict=True):
            if isinstance(generator, Generator):
                images = generator(torch.empty(2, generator.latent_dim, device="meta"), y)
            else:
                source = 32 // int(getattr(generator, "scale", 1))
                images = generator(torch.empty(2, 3, source, source, device="meta"))
                images = images.repeat(1, first_convolution(discriminator) // 3, 1, 1)
            discriminator(images, y)
    weights = [weight for player in players for weight in player.parameters()]
    return sum(weight.numel() for weight in weights), int(counter.get_total_flops())


@pytest.fixture
def no_power_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the first power iterations of spectral normalisation, most of the time here."""
    monkeypatch.setattr(parametrizations._SpectralNorm, "_power_method", lambda *rest: None)


@pytest.mark.usefixtures("no_power_method")
@pytest.mark.parametrize("model", thinned(options("model"), keep=4))
def test_the_networks_of_the_paper_are_as_before(model: str) -> None:
    counts = [sum(p.numel() for p in network.parameters()) for network in networks(model, "paper")]
    assert tuple(counts) == PAPER[model]


@pytest.mark.usefixtures("no_power_method")
@pytest.mark.parametrize("model", thinned(NETWORKS, keep=5))
def test_smaller_networks_have_the_same_parts(model: str) -> None:
    made = [networks(model, size, "progressive=false") for size in SIZES]
    for players in zip(*made, strict=True):
        assert parts(players[0]) == parts(players[1]) == parts(players[2])
    (weights, paper), (fewer, small), (fewest, tiny) = (cost(*players) for players in made)
    assert weights > 2.5 * fewer
    assert fewer > 1.9 * fewest
    assert paper > 3.5 * small
    assert small > 1.8 * tiny


# Steps of size=small and size=tiny, an hour and ten minutes of a CPU.
STEPS = {
    **dict.fromkeys(("biggan", "cgan_pd", "sagan", "sngan", "ssgan"), (6000, 4000)),
    **dict.fromkeys(("stylegan", "stylegan2"), (10_000, 8000)),
    **dict.fromkeys(("acgan", "dcgan"), (30_000, 8000)),
    "ali": (40_000, 12_000),
    "bigan": (18_750, 16_000),
    "contragan": (6000, 4000),
    "r3gan": (9000, 6000),
    "reacgan": (3000, 4000),
    "sngan_cnn": (12_000, 5000),
    "unrolled": (8000, 4000),
    "vae": (20_000, 8000),
    "vaegan": (10_000, 8000),
    "wgan_gp": (10_000, 5000),
}


@pytest.mark.parametrize("model", thinned(options("model"), keep=3))
def test_long_recipes_are_shorter(model: str) -> None:
    paper, small, tiny = (config_of(f"model={model}", f"size={size}").steps for size in SIZES)
    others = (paper, paper) if paper < 50_000 else (paper // 10, 2000)
    assert (small, tiny) == STEPS.get(model, others)


@pytest.mark.parametrize("experiment", thinned(options("experiment"), keep=3))
def test_a_tiny_experiment_sees_at_most_three_million_images(experiment: str) -> None:
    config = config_of(f"experiment={experiment}", "size=tiny")
    assert config.steps * config.batch_size * config.n_critic <= 3_000_000


@pytest.mark.parametrize("size", SIZES)
def test_a_mapped_label_has_as_many_numbers_as_z(size: str) -> None:
    game = config_of("experiment=stylegan2_cifar10", f"size={size}").model
    label = game.generator.conditioning
    assert label.embedding_dim == game.generator.latent_dim == game.prior.dim


def test_every_value_by_size_is_ordered() -> None:
    """Each size of a yaml is at most the one before; what is RISING is at least that.

    What is in EITHER does one or the other. Steps have a test of their own: small networks have
    time for more.
    """
    found = 0
    for path in (ROOT / "conf").glob("*/*.yaml"):
        for key, text in stored._leaves(OmegaConf.to_container(OmegaConf.load(path))):
            if str(text).startswith("${by_size:") and key != "steps":
                sizes = yaml.safe_load(f"[{text.removeprefix('${by_size:')[:-1]}]")
                assert len(sizes) == 3, (path, key)
                name = key.split(".")[-1]
                ordered = sorted(sizes, reverse=name not in RISING)
                assert sizes in ([ordered, ordered[::-1]] if name in EITHER else [ordered]), key
                found += 1
    assert found > 20


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        ("model=dcgan model.generator.width=5", "model.generator.width", 5),
        ("model=dcgan", "model.discriminator.width", 16),
        ("model=mlp model.generator.hidden=[7,7,7]", "model.generator.hidden", [7, 7, 7]),
        ("model=mlp", "model.generator.hidden", [128, 256]),
        ("model=r3gan steps=7", "steps", 7),
        ("model=r3gan steps=10 batch_size=10", "regularizers.r1.schedule.end", 100),
        ("model=stylegan2 prior.dim=9", "prior.dim", 9),
        ("experiment=digits", "model.generator.width", 32),
        ("experiment=ring", "model.generator.hidden", [128, 128, 128]),
        ("experiment=stylegan2_cifar10", "model.discriminator.capacity", 1024),
        ("experiment=stylegan2_cifar10", "steps", 8000),
    ],
)
def test_what_is_given_counts_before_the_size(given: str, key: str, value: Any) -> None:
    config = config_of("size=tiny", *given.split())
    assert OmegaConf.select(config, key) == value
    validate(config)


@pytest.mark.parametrize("model", thinned(options("model"), keep=3))
def test_plain_values_are_stored(model: str) -> None:
    config = config_of(f"model={model}", "size=small", "cache_dir=cache")
    validate(config)
    stored.resolve(config)
    text = OmegaConf.to_yaml(config)
    assert "size: small" in text
    assert "by_size" not in text
