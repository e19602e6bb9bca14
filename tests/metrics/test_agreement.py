"""Values of folders of images, compared with torch-fidelity and torchmetrics."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import torch_fidelity as reference
from PIL import Image
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore as TheirInceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from gan.backbones.inception import InceptionBackbone
from gan.metrics.evaluation import Evaluation
from gan.metrics.feature_metric import FeatureMetric
from gan.metrics.frechet import FrechetDistance
from gan.metrics.inception_score import InceptionScore
from gan.metrics.kernel import KernelDistance
from gan.metrics.neighbours import Neighbours
from tests.metrics.inception_weights import random_weights
from tests.metrics.tiny_data import TinyDataset, TinySplit

SPLITS, SUBSETS = 3, 5
RELATIVE = 1e-4
FEW, MANY = 12, 48


@dataclass
class Sides:
    """Return as many fakes as real images, uint8 (N, 3, 32, 32), and the file of the weights."""

    fakes: Tensor
    reals: Tensor
    weights: Path

    @property
    def subset_size(self) -> int:
        return 2 * len(self.fakes) // 3


def waves(count: int, seed: int, brightness: float = 1.0, contrast: float = 60.0) -> Tensor:
    """Waves of random direction and colour on a random background."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    across, down, phase = torch.rand(3, count, 3, 1, 1, generator=generator)
    ground = 255 * torch.rand(count, 3, 1, 1, generator=generator)
    wave = torch.sin(2 * torch.pi * (across * x / 8 + down * y / 8 + phase))
    return ((ground + contrast * wave) * brightness).clamp(0, 255).to(torch.uint8)


@pytest.fixture(scope="module")
def sides(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sides:
    """Return fakes of which most are darker than the real images and some are far from them."""
    file = random_weights(tmp_path_factory.mktemp("weights") / "inception.pth")
    far = request.param // 4
    fakes = torch.cat([waves(request.param - far, 0, 0.3), waves(far, 1, contrast=400.0)])
    return Sides(fakes, waves(request.param, 2), file)


def measured(sides: Sides, cache: Path, *metrics: FeatureMetric) -> dict[str, float]:
    """Return the values of this package, from images in [-1, 1] in batches of another size."""
    evaluation = Evaluation(
        InceptionBackbone(str(sides.weights)),
        {type(metric).__name__: metric for metric in metrics},
        every=0,
        num_fakes=len(sides.fakes),
        cache=str(cache),
        monitor=None,
        min_fakes=2,
    )
    split = TinySplit(sides.reals, torch.zeros(len(sides.reals), dtype=torch.int64))
    evaluation.prepare(TinyDataset({"train": split}, resolution=32), torch.device("cpu"))
    fakes = ((part.float() / 127.5 - 1, None) for part in torch.split(sides.fakes, 10))
    values = evaluation.measure(fakes)
    return {key.removeprefix("inception/"): value for key, value in values.items()}


@pytest.fixture(scope="module")
def ours(sides: Sides, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """One pass for all."""
    return measured(
        sides,
        tmp_path_factory.mktemp("cache"),
        FrechetDistance(),
        InceptionScore(SPLITS),
        KernelDistance(SUBSETS, sides.subset_size),
        Neighbours(),
    )


def folder(path: Path, images: Tensor) -> str:
    """PNG files whose names keep the order."""
    for i, image in enumerate(images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path / f"{i:03}.png")
    return str(path)


@pytest.mark.parametrize(
    "sides", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], indirect=True, ids=str
)
class TestTorchFidelity:
    def test_features_separate_these_images(self, ours: dict[str, float]) -> None:
        assert ours["fid"] > 1
        assert ours["kid"] > 0.01
        assert ours["kid_std"] > 0.01
        assert ours["is"] > 1.1
        assert ours["is_std"] > 0.01
        assert 0 < ours["precision"] < 1
        assert 0 < ours["recall"] < 1

    def test_equal_from_folders(
        self, sides: Sides, ours: dict[str, float], tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        theirs = reference.calculate_metrics(
            input1=folder(tmp_path_factory.mktemp("fakes"), sides.fakes),
            input2=folder(tmp_path_factory.mktemp("reals"), sides.reals),
            feature_extractor="inception-v3-compat",
            feature_extractor_weights_path=str(sides.weights),
            feature_layer_prc="2048",
            **dict.fromkeys(["fid", "isc", "kid", "prc", "save_cpu_ram"], True),
            **dict.fromkeys(["cuda", "cache", "verbose"], False),
            isc_splits=SPLITS,
            kid_subsets=SUBSETS,
            kid_subset_size=sides.subset_size,
        )
        expected = {
            "fid": theirs[reference.KEY_METRIC_FID],
            "kid": theirs[reference.KEY_METRIC_KID_MEAN],
            "kid_std": theirs[reference.KEY_METRIC_KID_STD],
            "is": theirs[reference.KEY_METRIC_ISC_MEAN],
            "is_std": theirs[reference.KEY_METRIC_ISC_STD],
            "precision": theirs[reference.KEY_METRIC_PRECISION],
            "recall": theirs[reference.KEY_METRIC_RECALL],
        }
        found = {key: ours[key] for key in expected}
        assert found == pytest.approx(expected, rel=RELATIVE)


class Layer(nn.Module):
    """One layer of torch-fidelity's network, with a cache of the features."""

    num_features = 2048
    seen: dict[int, Tensor]

    def __init__(self, net: FeatureExtractorInceptionV3, place: int) -> None:
        super().__init__()
        self.net, self.place = net, place

    def forward(self, images: Tensor) -> Tensor:
        key = hash(images.numpy().tobytes())
        memory = self.net.__dict__.setdefault("seen", {})
        if key not in memory:
            memory[key] = self.net(images)
        features: Tensor = memory[key][self.place]
        return features


@pytest.mark.slow
@pytest.mark.parametrize("sides", [FEW], indirect=True, ids=str)
def test_equal_to_torchmetrics(sides: Sides, tmp_path: Path) -> None:
    """KID and inception score of all images at once: its subsets are its own."""
    net = FeatureExtractorInceptionV3("net", ["2048", "logits_unbiased"], str(sides.weights))
    fid = FrechetInceptionDistance(Layer(net, 0), antialias=False)
    kid = KernelInceptionDistance(Layer(net, 0), subsets=1, subset_size=len(sides.fakes))
    score = TheirInceptionScore(Layer(net, 1), splits=1)
    for metric in (fid, kid):
        metric.update(sides.reals, real=True)
        metric.update(sides.fakes, real=False)
    score.update(sides.fakes)
    expected = {
        "fid": float(fid.compute()),
        "kid": float(kid.compute()[0]),
        "is": float(score.compute()[0]),
    }
    mine = FrechetDistance(), KernelDistance(1), InceptionScore(1)
    found = measured(sides, tmp_path, *mine)
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=RELATIVE)
