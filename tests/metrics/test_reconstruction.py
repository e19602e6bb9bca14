from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from gan.algorithms.vae import VAE
from gan.errors import InputError
from gan.likelihoods.gaussian import GaussianLikelihood
from gan.metrics.likelihood import EvidenceLowerBound
from gan.metrics.outputs import Outputs
from gan.metrics.paired import PerceptualDistance, SignalNoiseRatio, StructuralSimilarity
from gan.metrics.reconstruction import Reconstruction
from gan.networks.base import Generator
from gan.networks.vae import DiagonalGaussian, VariationalEncoder
from tests.metrics.generators import StripeGenerator, stripe_game
from tests.metrics.tiny_data import Corners, TinyDataset, TinySplit, tiny_dataset

SIDE = 16


class Pixels(VariationalEncoder):
    """Latents that are the pixels, doubled."""

    latent_dim = SIDE**2

    def forward(self, x: Tensor) -> DiagonalGaussian:
        return DiagonalGaussian(2 * x.flatten(1), torch.zeros(len(x), self.latent_dim))


class Dimmer(Generator):
    """Images of half of the latents, times ``factor``, plus a tenth of the label."""

    latent_dim = SIDE**2

    def __init__(self, factor: float, num_classes: int = 0) -> None:
        super().__init__()
        self.factor, self.num_classes = factor, num_classes
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        images = self.factor * z.view(-1, 1, SIDE, SIDE) / 2
        return images if y is None else images + 0.1 * y.view(-1, 1, 1, 1)


def game(factor: float, num_classes: int = 0) -> VAE:
    adam = partial(torch.optim.Adam, lr=1e-3)
    optimizer = {"generator": adam, "discriminator": adam}
    return VAE(Dimmer(factor, num_classes), Pixels(), GaussianLikelihood(), optimizer=optimizer)


def data(count: int = 130) -> TinyDataset:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 1, SIDE, SIDE), generator=random).to(torch.uint8)
    split = TinySplit(pixels, torch.arange(count) % 3)
    return TinyDataset({"train": split, "test": split}, resolution=SIDE)


def measured(players: VAE, **settings: Any) -> dict[str, float]:
    return Reconstruction(**settings).measure(players, data(), Corners(), 0)


def test_values_are_those_of_the_metrics_of_pairs() -> None:
    x = torch.cat([images for images, _ in data().reals("test", 100)])[:120]
    outputs, backbone = Outputs(0.5 * x, target=x), Corners()
    features = backbone(outputs.images)
    expected = {
        f"reconstruction_{metric.ranking[0]}": float(
            metric.values(outputs, features, backbone).double().mean()
        )
        for metric in (SignalNoiseRatio(), StructuralSimilarity(), PerceptualDistance())
    }
    assert measured(game(0.5), count=120) == pytest.approx(expected, rel=1e-5)
    assert measured(game(0.5), count=1000) != pytest.approx(expected, rel=1e-5)


def test_perfect_reconstructions() -> None:
    values = measured(game(1.0))
    assert values["reconstruction_psnr"] == 100
    assert values["reconstruction_ssim"] == pytest.approx(1)
    assert values["reconstruction_perceptual"] == pytest.approx(0, abs=1e-9)


def test_the_labels_of_the_images_are_given() -> None:
    labels = torch.arange(130) % 3
    x = torch.cat([images for images, _ in data().reals("test", 100)])
    shifted = 0.5 * x + 0.1 * labels.view(-1, 1, 1, 1)
    outputs = Outputs(shifted, target=x)
    expected = SignalNoiseRatio().values(outputs, Corners()(shifted), Corners()).double().mean()
    assert measured(game(0.5, 3))["reconstruction_psnr"] == pytest.approx(float(expected), rel=1e-5)
    with pytest.raises(InputError, match="give labels"):
        game(0.5, 3).reconstruct(x)


def test_small_images_have_no_ssim() -> None:
    names = [type(m).__name__ for m in Reconstruction()._metrics(tiny_dataset(), Corners())]
    assert names == ["SignalNoiseRatio", "PerceptualDistance"]


def test_models_that_cannot_are_refused() -> None:
    players, dataset = stripe_game(StripeGenerator()), tiny_dataset()
    with pytest.raises(InputError, match=r"reconstruction: the model has no encoder"):
        Reconstruction().check(players, dataset)
    with pytest.raises(InputError, match=r"elbo: the model gives images no likelihood"):
        EvidenceLowerBound().check(players, dataset)
    with pytest.raises(InputError, match=r"reconstruction\.count=0"):
        Reconstruction(count=0)
    with pytest.raises(InputError, match=r"elbo\.count=0"):
        EvidenceLowerBound(count=0)
