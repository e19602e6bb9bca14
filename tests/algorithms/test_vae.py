"""The VAE against a linear Gaussian model, whose posterior and likelihood have closed forms."""

import copy
import math
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan.algorithms.vae import VAE
from gan.augment.base import Augmentation
from gan.augment.diffaugment import DiffAugment
from gan.averaging import ExponentialAverage
from gan.batch import EncodedBatch
from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.latents import Uniform
from gan.likelihoods.gaussian import GaussianLikelihood
from gan.losses.hinge import Hinge
from gan.losses.none import NoLoss
from gan.metrics.likelihood import EvidenceLowerBound, LogLikelihood
from gan.networks.base import Generator
from gan.networks.dcgan import DCGANGenerator
from gan.networks.vae import ConvolutionalEncoder, DiagonalGaussian, VariationalEncoder
from gan.regularizers.orthogonal import Orthogonal
from tests.metrics.tiny_data import Corners, TinyDataset, TinySplit
from tests.play import play

SIGMA, SIDE = 0.5, 2
D: Any = torch.distributions
ADAM = partial(torch.optim.Adam, lr=1e-2)
OPTIMIZERS = {"generator": ADAM, "discriminator": ADAM}


class LinearDecoder(Generator):
    """Images W z of orthogonal columns."""

    num_classes, latent_dim = 0, 2

    def __init__(self) -> None:
        super().__init__()
        columns = torch.tensor([[0.6, 0.6, 0.6, 0.6], [0.3, -0.3, 0.3, -0.3]])
        self.weight = nn.Parameter(columns.T)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return (z @ self.weight.T).view(-1, 1, SIDE, SIDE)


class LinearEncoder(VariationalEncoder):
    """The posterior of `LinearDecoder`, whose covariance is diagonal: W has orthogonal columns."""

    latent_dim = 2

    def __init__(self, decoder: LinearDecoder, shift: float = 0.0) -> None:
        super().__init__()
        weight = decoder.weight.detach()
        precision = 1 + weight.square().sum(0) / SIGMA**2
        self.matrix = nn.Parameter((weight / SIGMA**2 / precision).T.clone())
        self.log_variance = nn.Parameter(-precision.log())
        self.shift = shift

    def forward(self, x: Tensor) -> DiagonalGaussian:
        mean = x.flatten(1) @ self.matrix.T + self.shift
        return DiagonalGaussian(mean, self.log_variance.expand_as(mean))


def linear(shift: float = 0.0, **settings: Any) -> VAE:
    """Return a linear Gaussian model with its posterior, which is moved by ``shift``."""
    decoder = LinearDecoder()
    likelihood = GaussianLikelihood(SIGMA, learned=False)
    return VAE(
        decoder, LinearEncoder(decoder, shift), likelihood, **{"optimizer": OPTIMIZERS} | settings
    )


def small(**settings: Any) -> VAE:
    """Return a convolutional VAE of 8x8 images."""
    torch.manual_seed(0)
    return VAE(
        DCGANGenerator(4, 1, 8, Unconditional(), width=4),
        ConvolutionalEncoder(4, 1, 8, width=4),
        GaussianLikelihood(),
        **{"optimizer": OPTIMIZERS} | settings,
    )


def images(number: int, count: int = 8, side: int = 8) -> Tensor:
    random = torch.Generator().manual_seed(number)
    return torch.rand(count, 1, side, side, generator=random) * 2 - 1


def batch(count: int = 8, side: int = 8, dim: int = 4) -> EncodedBatch:
    torch.manual_seed(1)
    noise = torch.randn(2, count, dim)
    return EncodedBatch(images(0, count, side), None, noise[0], torch.rand(count), noise[1])


def evidence(x: Tensor) -> Tensor:
    """Return log p(x) of the linear model, (B,)."""
    weight = LinearDecoder().weight.detach()
    covariance = weight @ weight.T + SIGMA**2 * torch.eye(SIDE**2)
    value: Tensor = D.MultivariateNormal(torch.zeros(SIDE**2), covariance).log_prob(x.flatten(1))
    return value


def test_the_kl_is_that_of_torch_distributions() -> None:
    torch.manual_seed(0)
    q = DiagonalGaussian(*torch.randn(2, 5, 3))
    normal = D.Independent(D.Normal(q.mean, (q.log_variance / 2).exp()), 1)
    prior = D.Independent(D.Normal(torch.zeros(5, 3), torch.ones(5, 3)), 1)
    torch.testing.assert_close(q.kl(), D.kl_divergence(normal, prior))
    z = torch.randn(5, 3)
    torch.testing.assert_close(q.log_prob(z), normal.log_prob(z))
    torch.testing.assert_close(q.standard().log_prob(z), prior.log_prob(z))


def test_samples_of_a_posterior_have_its_moments() -> None:
    q = DiagonalGaussian(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 2 * math.log(3)]]))
    noise = torch.randn(100_000, 2, generator=torch.Generator().manual_seed(0))
    z = q.sample(noise)
    torch.testing.assert_close(z.mean(0), q.mean[0], atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(0), torch.tensor([1.0, 3.0]), atol=0.05, rtol=0)


def test_the_bound_is_tight_at_the_true_posterior() -> None:
    """log p(x, z) / q(z | x) is p(x) for every z, and the ELBO is log p(x) in the mean over z."""
    game, x = linear(), images(0, 3, SIDE)
    weights = game.log_weights(x, None, torch.randn(7, 3, 2))
    torch.testing.assert_close(weights, evidence(x).expand(7, 3), rtol=1e-4, atol=1e-4)
    many = x[:1].expand(20_000, -1, -1, -1)
    reconstruction, kl = game.evidence(many, None, torch.randn(20_000, 2))
    assert float((reconstruction - kl).mean()) == pytest.approx(float(evidence(x[:1])), abs=0.05)


def test_importance_weights_close_the_gap() -> None:
    """At another posterior the ELBO is too low by KL(q || posterior); K latents come nearer."""
    torch.manual_seed(0)
    game = linear(shift=1.0)
    x = images(0, 1, SIDE).expand(4000, -1, -1, -1)
    exact = float(evidence(x[:1]))
    variance = game.encoder.log_variance.detach().exp()  # type: ignore[operator]
    reconstruction, kl = game.evidence(x, None, torch.randn(4000, 2))
    gap = exact - float((reconstruction - kl).mean())
    assert gap == pytest.approx(float((0.5 / variance).sum()), rel=0.05)
    gaps = [gap]
    for count in (8, 512):
        weights = game.log_weights(x[:200], None, torch.randn(count, 200, 2))
        gaps.append(exact - float((weights.logsumexp(0) - math.log(count)).mean()))
    assert gaps[0] > 1.5 * gaps[1] > 3 * gaps[2]
    assert abs(gaps[2]) < 0.3


def held_out(side: int = SIDE) -> TinyDataset:
    """Return a data set of random images without classes."""
    pixels = torch.randint(256, (130, 1, side, side), generator=torch.Generator().manual_seed(0))
    split = TinySplit(pixels.to(torch.uint8), torch.zeros(130, dtype=torch.int64))
    return TinyDataset({"train": split, "test": split}, resolution=side, num_classes=0)


def test_the_metrics_are_means_over_held_out_images() -> None:
    game, data, backbone = linear(), held_out(), Corners()
    x = torch.cat([images for images, _ in data.reals("test", 100)])[:120]
    exact = float(evidence(x).mean())
    value = LogLikelihood(count=120, samples=3).measure(game, data, backbone, 0)
    assert value["log_likelihood"] == pytest.approx(exact, rel=1e-4)
    bits = -exact / (4 * math.log(2)) + math.log2(127.5)
    assert value["log_likelihood_bits"] == pytest.approx(bits, rel=1e-4)
    bound = EvidenceLowerBound(count=120).measure(game, data, backbone, 0)
    assert bound["elbo"] == pytest.approx(exact, abs=0.3)
    difference = bound["elbo_reconstruction"] - bound["elbo_kl"]
    assert bound["elbo"] == pytest.approx(difference, rel=1e-5)
    assert bound == EvidenceLowerBound(count=120).measure(game, data, backbone, 0)
    assert bound != EvidenceLowerBound(count=120).measure(game, data, backbone, 1)


def test_beta_weighs_the_kl() -> None:
    one, four = (small(beta=beta).generator_loss(batch()) for beta in (1.0, 4.0))
    assert torch.equal(four["kl"], 4 * one["kl"])
    assert torch.equal(four["reconstruction"], one["reconstruction"])
    game, given = small(), batch()
    q = game.encoder(given.real)
    decoded = game.generator(q.sample(given.noise))
    expected = D.Normal(decoded, 0.3).log_prob(given.real).flatten(1).sum(1)
    torch.testing.assert_close(one["reconstruction"], -expected.mean())
    torch.testing.assert_close(one["kl"], q.kl().mean())


def test_training_moves_encoder_decoder_and_scale_and_raises_the_bound() -> None:
    game = small(averaging=ExponentialAverage(half_life=100))
    before = copy.deepcopy(game.state_dict())
    losses: list[float] = []
    forward = game.generator_loss

    def recorded(given: EncodedBatch) -> dict[str, Tensor]:
        terms = forward(given)
        losses.append(float(sum(terms.values())))
        return terms

    game.generator_loss = recorded  # type: ignore[method-assign,assignment]
    play(game, lambda step: images(step % 2), 60)  # type: ignore[arg-type]
    after = game.state_dict()
    still = [n for n, _ in game.named_parameters() if torch.equal(before[n], after[n])]
    assert not still
    assert sum(losses[-10:]) < sum(losses[:10])
    assert not torch.equal(
        after["averaged_encoder.layers.0.weight"], after["encoder.layers.0.weight"]
    )


def test_the_averaged_encoder_encodes() -> None:
    game = small(averaging=ExponentialAverage(half_life=100))
    play(game, images, 3)  # type: ignore[arg-type]
    x = images(9, 5)
    game.train()
    z = game.encode(x)
    assert z.shape == (5, 4)
    assert game.encoder.training
    game.averaged_encoder.eval()
    torch.testing.assert_close(z, game.averaged_encoder(x).mean.detach())
    torch.testing.assert_close(game.encode(x[:2]), z[:2])
    assert torch.equal(game.reconstruct(x), game.decode(z))


def test_noise_is_a_function_of_seed_and_step() -> None:
    drawn: list[Tensor] = []

    def record(game: VAE) -> VAE:
        forward = game.generator_loss

        def recorded(given: EncodedBatch) -> dict[str, Tensor]:
            drawn.append(given.noise)
            assert not torch.equal(given.noise, given.z)
            return forward(given)

        game.generator_loss = recorded  # type: ignore[method-assign,assignment]
        return game

    for seed in (0, 0, 1):
        torch.manual_seed(len(drawn))
        play(record(small(seed=seed)), images, 2)  # type: ignore[arg-type]
    first, second, again, _, other, _ = drawn
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"loss": Hinge()}, "loss: the model has no discriminator .* leave loss out"),
        ({"regularizers": {"orthogonal": Orthogonal()}}, r"regularizers=\[orthogonal\]"),
        ({"augment": DiffAugment()}, "leave augment out"),
        ({"pack": 2}, "pack=2"),
        ({"n_critic": 5}, "n_critic=5"),
        ({"beta": -1.0}, r"model\.beta=-1"),
        ({"prior": Uniform(4)}, "set prior=gaussian"),
    ],
)
def test_what_does_not_apply_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        small(**settings)
    assert small(loss=NoLoss(), regularizers={}, augment=Augmentation()).discriminator is None


def test_encoder_and_decoder_share_latents() -> None:
    with pytest.raises(InputError, match=r"latent_dim=3 must be that of the generator, 4"):
        VAE(
            DCGANGenerator(4, 1, 8, Unconditional(), width=4),
            ConvolutionalEncoder(3, 1, 8, width=4),
            GaussianLikelihood(),
            optimizer=OPTIMIZERS,
        )


def test_devices_take_their_shares_of_the_noise() -> None:
    whole, x = _given(0, 1, images(0)), images(0)
    parts = [_given(rank, 2, x[4 * rank : 4 * rank + 4]) for rank in range(2)]
    assert torch.equal(torch.cat([part.noise for part in parts]), whole.noise)
    assert torch.equal(torch.cat([part.z for part in parts]), whole.z)


def _given(rank: int, world: int, x: Tensor) -> EncodedBatch:
    """Return the batch of one of several processes."""
    game = small()
    game._trainer = SimpleNamespace(world_size=world, global_rank=rank)  # type: ignore[assignment]
    return game.make_batch((x, None), 0)


@pytest.mark.parametrize("classes", [0, 3])
def test_the_likelihood_is_that_given_the_label_of_a_conditional_model(classes: int) -> None:
    given: list[Any] = []

    class Recorded(EvidenceLowerBound):
        def values(self, game: VAE, images: Tensor, labels: Tensor | None, noise: Tensor) -> Tensor:
            given.append(labels)
            return torch.zeros(3, len(images))

    game, labels = linear(), torch.tensor([2, 0, 1, 1])
    game.generator.num_classes = classes
    split = TinySplit(torch.zeros(4, 1, SIDE, SIDE, dtype=torch.uint8), labels)
    data = TinyDataset({"train": split, "test": split}, resolution=SIDE, num_classes=3)
    Recorded(count=4).measure(game, data, Corners(), 0)
    assert [None if y is None else y.tolist() for y in given] == [
        labels.tolist() if classes else None
    ]
