from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan.algorithms.gan import GAN
from gan.algorithms.latent import LatentGame
from gan.algorithms.sampling import Langevin, apply_sampling, set_standing_statistics
from gan.averaging import ExponentialAverage, NoAveraging
from gan.conditioning.base import Head, Unconditional
from gan.errors import InputError
from gan.latents import Gaussian, Truncated, Uniform, keyed_generator
from gan.layers.noise import PixelNoise
from gan.losses.logistic import NonSaturating
from gan.networks.base import Discriminator, Generator
from gan.networks.stylegan2 import StyleGAN2Generator
from gan.settings.sampling import Sampling, sampling_changes

DRAWN = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


class Normalised(Generator):
    """Two layers of batch normalisation beside what must not move."""

    def __init__(self, num_classes: int = 0) -> None:
        super().__init__()
        self.latent_dim, self.num_classes = 3, num_classes
        self.first, self.second = nn.BatchNorm1d(4, momentum=0.3), nn.BatchNorm2d(2)
        self.spectral, self.dropout = spectral_norm(nn.Linear(2, 2)), nn.Dropout(0.5)
        nn.init.normal_(self.first.weight)
        nn.init.normal_(self.first.bias)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        self.noise = torch.rand(1)
        h = z @ DRAWN.T if y is None else z @ DRAWN.T + y[:, None]
        h = self.second(self.first(h).view(-1, 2, 1, 2))
        images: Tensor = self.dropout(self.spectral(h))
        return images


class Plain(Generator):
    """Images that are their latents."""

    def __init__(self, dim: int = 2, num_classes: int = 0) -> None:
        super().__init__()
        self.latent_dim, self.num_classes = dim, num_classes
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.scale * z[:, :, None, None]


class Slope(Head):
    """Logits a.h, and those of class y from row y of a."""

    def __init__(self, a: Tensor) -> None:
        super().__init__(a.shape[-1])
        self.a = nn.Parameter(a)

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = h @ self.a if y is None else (h * self.a[y]).sum(1)
        return logits


class Linear(Discriminator):
    """Logits that are linear in the pixels."""

    def __init__(self, a: Tensor, num_classes: int = 0) -> None:
        super().__init__()
        self.num_classes, self.dropout = num_classes, nn.Dropout(0.5)
        self.head = Slope(a)

    def body(self, x: Tensor) -> Tensor:
        h: Tensor = self.dropout(x.flatten(1))
        return h

    def features(self, x: Tensor) -> Tensor:
        return self.body(x)


class Patches(Linear):
    """One logit a pixel."""

    def score(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        return h


class Comparing(Linear):
    """Logits that depend on the other images."""

    def score(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        return super().score(h, y) + (h - h.mean(0)).abs().sum()


def game(generator: Generator, discriminator: nn.Module | None = None, **given: Any) -> LatentGame:
    sgd = partial(torch.optim.SGD, lr=0.1)
    return GAN(
        generator,
        discriminator or Linear(torch.zeros(2), generator.num_classes),  # type: ignore[arg-type]
        NonSaturating(),
        **{"prior": Gaussian(generator.latent_dim)} | given,
        optimizer={"generator": sgd, "discriminator": sgd},
    )


def by_hand(network: Normalised, batches: list[Tensor]) -> dict[str, Tensor]:
    """Return the means over batches of mean and unbiased variance, each layer after the other."""
    found: dict[str, list[Tensor]] = {"mean1": [], "var1": [], "mean2": [], "var2": []}
    for h in batches:
        found["mean1"].append(h.mean(0))
        found["var1"].append(h.var(0, correction=1))
        x = (h - h.mean(0)) / (h.var(0, correction=0) + 1e-5).sqrt()
        x = (x * network.first.weight + network.first.bias).view(-1, 2, 2).transpose(0, 1)
        found["mean2"].append(x.flatten(1).mean(1))
        found["var2"].append(x.flatten(1).var(1, correction=1))
    return {key: torch.stack(values).mean(0) for key, values in found.items()}


def statistics(network: Normalised) -> dict[str, Tensor]:
    first, second = network.first, network.second
    pairs = zip((first, second), "12", strict=True)
    return {
        f"{name}{i}": getattr(norm, f"running_{name}").clone()
        for norm, i in pairs
        for name in ("mean", "var")
    }


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("threshold", [None, 0.5])
def test_standing_statistics_are_plain_means_over_batches(
    classes: int, threshold: float | None
) -> None:
    played = game(Normalised(classes), averaging=ExponentialAverage(), seed=7)
    network, raw = played.averaged, played.generator
    assert isinstance(network, Normalised)
    assert isinstance(raw, Normalised)
    if threshold is not None:
        played.prior = Truncated(played.prior, threshold)
    for norm in (network.first, network.second):
        norm.running_mean.fill_(3.0)  # type: ignore[union-attr]
        norm.num_batches_tracked.fill_(9)  # type: ignore[union-attr]
    untrained = statistics(raw)
    set_standing_statistics(played, 5, size=10)
    latents = [played.prior.sample(10, keyed_generator(7, b, 0, 1)) for b in range(5)]
    labels = torch.arange(10)[:, None] % 3 if classes else torch.zeros(10, 1)
    with torch.no_grad():
        expected = by_hand(network, [z @ DRAWN.T + labels for z in latents])
    torch.testing.assert_close(statistics(network), expected)
    torch.testing.assert_close(statistics(raw), untrained)


def test_standing_statistics_leave_everything_else_alone() -> None:
    played = game(Normalised(), averaging=NoAveraging())
    network = played.averaged
    assert isinstance(network, Normalised)
    network.train()
    network.second.eval()
    network.first.num_batches_tracked.fill_(9)  # type: ignore[union-attr]
    before = {k: v.clone() for k, v in played.state_dict().items()}
    modes = [module.training for module in played.modules()]
    random = torch.get_rng_state()
    set_standing_statistics(played, 3)
    moved = {k for k, v in played.state_dict().items() if not torch.equal(v, before[k])}
    assert {k.rpartition(".")[2] for k in moved} == {"running_mean", "running_var"}
    assert [module.training for module in played.modules()] == modes
    assert (network.first.momentum, network.second.momentum) == (0.3, 0.1)
    assert torch.equal(random, torch.get_rng_state())
    assert all(p.grad is None for p in network.parameters())


def test_standing_statistics_depend_on_the_seed_alone() -> None:
    def found(seed: int, before: int = 0) -> Tensor:
        torch.manual_seed(0)
        played = game(Normalised(), seed=seed)
        torch.rand(before)
        set_standing_statistics(played, 2)
        assert isinstance(played.averaged, Normalised)
        drawn = played.averaged.noise
        return torch.cat([*statistics(played.averaged).values(), drawn])

    assert torch.equal(found(1), found(1, before=7))
    assert not torch.equal(found(1), found(2))


def test_a_generator_without_batch_statistics_is_refused() -> None:
    with pytest.raises(InputError, match="no batch normalisation"):
        set_standing_statistics(game(Plain()), 4)
    for batches, size in ((0, 10), (3, 1)):
        with pytest.raises(InputError, match="standing="):
            set_standing_statistics(game(Normalised()), batches, size)


def test_sampling_truncates_before_it_takes_statistics() -> None:
    torch.manual_seed(0)
    networks = Normalised(), Normalised()
    networks[1].load_state_dict(networks[0].state_dict())
    whole, cut = (game(network) for network in networks)
    assert apply_sampling(cut, Sampling(0.5, 4)) is cut
    set_standing_statistics(whole, 4)
    narrow, wide = (statistics(network)["var1"] for network in networks[::-1])
    assert (narrow < 0.2 * wide).all()
    torch.testing.assert_close(cut.latents(5), whole.latents(5, truncation=0.5))


def test_what_is_changed_is_stamped() -> None:
    assert Sampling().stamp() == {}
    assert sampling_changes(Sampling(0.7, psi=0.5).stamp()) == ", truncation 0.7, psi 0.5"
    assert Sampling(0.7).stamp() == {"truncation": 0.7}
    assert Sampling(1, 16).stamp() == {"truncation": 1.0, "standing": "16 batches of 100"}
    played = game(Plain())
    assert apply_sampling(played, Sampling()).prior is played.prior
    assert isinstance(played.prior, Gaussian)


def styled() -> LatentGame:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"style_dim": 8, "depth": 2, "capacity": 64}
    return game(StyleGAN2Generator(3, 1, 8, Unconditional(), **settings))


def test_samples_have_pixel_noise_of_their_own() -> None:
    played = styled()
    for layer in played.averaged.modules():
        if isinstance(layer, PixelNoise):
            nn.init.ones_(layer.strength)
    images, z = played.sample(104, seed=7), played.latents(104, seed=7)
    assert torch.equal(played.decode(z, seed=7), images)
    assert torch.equal(played.sample(104, seed=7), images)
    torch.testing.assert_close(played.generate(7, range(99, 104)).cpu(), images[99:])
    alike = played.decode(z[:1].expand(2, -1))
    assert torch.equal(alike[0], alike[1])
    others = played.decode(z[:1].expand(2, -1), seed=7)
    assert (others[0] - others[1]).abs().max() > 0.1


def test_psi_draws_styles_to_their_mean() -> None:
    played = styled()
    assert isinstance(played.averaged, StyleGAN2Generator)
    whole = played.sample(6)
    assert torch.equal(apply_sampling(played, Sampling(psi=1.0)).sample(6), whole)
    alike = apply_sampling(played, Sampling(psi=0.0)).sample(6)
    assert torch.allclose(alike, alike[:1].expand(6, -1, -1, -1), atol=1e-6)
    assert Sampling(psi=0.5).stamp() == {"psi": 0.5}
    with pytest.raises(InputError, match="psi: the generator has no styles"):
        apply_sampling(game(Plain()), Sampling(psi=0.5))


@pytest.mark.parametrize(
    "given",
    [{"truncation": 0.0}, {"truncation": -1.0}, {"standing": -1}, {"psi": float("nan")}],
)
def test_impossible_sampling(given: dict[str, Any]) -> None:
    (name, value), *_ = given.items()
    with pytest.raises(InputError, match=f"{name}={value}"):
        Sampling(**given)


def test_truncated_samples_are_images_of_truncated_latents() -> None:
    played = game(Plain())
    images = played.sample(50, seed=3, truncation=0.4).flatten(1)
    z = played.prior.sample_each(3, range(50))
    torch.testing.assert_close(images, Gaussian(2).truncate(z, 0.4))
    assert images.abs().max() <= 0.4
    torch.testing.assert_close(played.sample(50, seed=3).flatten(1), z)
    with pytest.raises(InputError, match="truncation=0"):
        played.sample(2, truncation=0)


def walked(played: LatentGame, steps: int, eps: float, n: int) -> Tensor:
    return Langevin(steps, eps)(played, played.latents(n), played.labels_for(n, None), seed=1)


def test_a_chain_without_a_critic_leaves_the_prior_invariant() -> None:
    z = walked(game(Plain()), 15, 0.02, 4000)
    assert z.mean(0).abs().max() < 0.06
    torch.testing.assert_close(z.T.cov(), torch.eye(2), atol=0.08, rtol=0)
    # that of the discretised chain: v = (1 - eps/2)^2 v + eps
    z = walked(game(Plain()), 15, 0.8, 4000)
    torch.testing.assert_close(z.T.cov(), torch.eye(2) / (1 - 0.8 / 4), atol=0.1, rtol=0)


def test_a_linear_critic_moves_the_mean_by_its_slope() -> None:
    a = torch.tensor([1.5, -0.5])
    z = walked(game(Plain(), Linear(a)), 15, 0.8, 4000)
    torch.testing.assert_close(z.mean(0), a, atol=0.07, rtol=0)
    torch.testing.assert_close(z.T.cov(), torch.eye(2) / (1 - 0.8 / 4), atol=0.1, rtol=0)


@pytest.mark.parametrize("classes", [0, 3])
def test_steps_by_hand(classes: int) -> None:
    a = DRAWN[:3, :2] if classes else DRAWN[0, :2]
    played = game(Plain(num_classes=classes), Linear(a, classes), averaging=ExponentialAverage())
    nn.init.constant_(played.averaged.scale, 3.0)  # type: ignore[arg-type]
    z, eps = played.latents(4), 0.25
    expected = z.clone()
    keys = [keyed_generator(1, k, 0, 2) for k in range(4)]
    slope = 3 * (a[torch.arange(4) % 3] if classes else a)
    for _ in range(2):
        noise = torch.cat([torch.randn(1, 2, generator=key) for key in keys])
        expected = expected - eps / 2 * (expected - slope) + eps**0.5 * noise
    before = torch.get_rng_state()
    torch.testing.assert_close(walked(played, 2, eps, 4), expected)
    assert torch.equal(before, torch.get_rng_state())
    assert played.discriminator is not None
    assert played.discriminator.training
    assert all(p.grad is None for p in played.parameters())


def test_chain_k_is_the_same_whatever_runs_beside_it() -> None:
    played = game(Plain(), Linear(torch.tensor([1.0, 2.0])))
    torch.testing.assert_close(walked(played, 5, 0.1, 230)[:3], walked(played, 5, 0.1, 3))
    torch.testing.assert_close(walked(played, 5, 0.1, 230)[:101], walked(played, 5, 0.1, 101))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: game(Plain(), prior=Uniform(2)), "Uniform latents.*prior=gaussian"),
        (lambda: game(Plain(), Patches(torch.zeros(2))), r"logits of shape \(2,\) an image"),
        (lambda: game(Plain(), Comparing(torch.zeros(2))), "depends on other images"),
        (lambda: game(Plain(), pack=2), "depends on other images"),
    ],
)
def test_games_without_an_energy(make: Callable[[], LatentGame], words: str) -> None:
    with pytest.raises(InputError, match=words):
        walked(make(), 2, 0.1, 5)


def test_a_player_that_gives_no_logits() -> None:
    played = game(Plain())
    played.discriminator = nn.Flatten()
    with pytest.raises(InputError, match="no discriminator of logits"):
        walked(played, 2, 0.1, 5)


def test_steps_that_are_too_long() -> None:
    with pytest.raises(InputError, match=r"langevin_step=1000\.0: .* lower it"):
        walked(game(Plain()), 30, 1000.0, 2)


@pytest.mark.parametrize(("steps", "eps"), [(0, 0.1), (5, 0.0), (5, float("nan"))])
def test_impossible_chains(steps: int, eps: float) -> None:
    with pytest.raises(InputError, match=f"langevin={steps} .* langevin_step={eps}"):
        Langevin(steps, eps)
