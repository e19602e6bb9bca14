import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor
from torch_fidelity.generative_model_modulewrapper import GenerativeModelModuleWrapper
from torch_fidelity.metric_ppl import (
    KEY_METRIC_PPL_MEAN,
    KEY_METRIC_PPL_RAW,
    KEY_METRIC_PPL_STD,
    calculate_ppl,
)
from torch_fidelity.registry import register_sample_similarity
from torch_fidelity.sample_similarity_base import SampleSimilarityBase
from torch_fidelity.sample_similarity_lpips import SampleSimilarityLPIPS

from gan.backbones.base import Backbone
from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.latents import Gaussian, Prior
from gan.metrics.image_distance import LPIPS, FeatureDistance, ImageDistance
from gan.metrics.path_length import PerceptualPathLength, trim
from gan.networks.mlp import MLPGenerator
from tests.metrics.generators import LinearGenerator, StripeGenerator, game_of, stripe_game
from tests.metrics.tiny_data import Corners, TinyDataset

BACKBONE = Corners()


class Squares(ImageDistance):
    """Squared distance of pixels."""

    name = "squares"

    def prepare(self, device: torch.device) -> None:
        pass

    def __call__(self, a: Tensor, b: Tensor, backbone: Backbone) -> Tensor:
        return (a - b).flatten(1).square().sum(1)


class TheirSquares(SampleSimilarityBase):  # type: ignore[misc]
    def __init__(self, name: str, **_: object) -> None:
        super().__init__(name)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).flatten(1).square().sum(1)


class TheirLatents(Prior):
    """The latents of torch-fidelity: starts at even places, goals at odd ones."""

    def __init__(self, dim: int, count: int) -> None:
        super().__init__(dim)
        rng = np.random.RandomState(2020)
        ends = [torch.from_numpy(rng.randn(count, dim)).float() for _ in range(2)]
        self.latents = torch.stack(ends, 1).flatten(0, 1)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        raise NotImplementedError

    def sample_each(self, seed: int, indices: range) -> Tensor:
        return self.latents[indices.start : indices.stop]


def ppl(game: object, similarity: ImageDistance | None = None, **options: object) -> float:
    metric = PerceptualPathLength(similarity or Squares(), **options)  # type: ignore[arg-type]
    return metric.measure(game, None, BACKBONE, 0)["ppl"]  # type: ignore[arg-type]


def matrix(channels: int = 3, dim: int = 8, seed: int = 0) -> Tensor:
    return torch.randn(channels, dim, generator=torch.Generator().manual_seed(seed))


def test_closed_form_of_a_linear_generator() -> None:
    a = matrix()
    value = ppl(game_of(LinearGenerator(a)), count=20_000, discard=(0, 100))
    assert value == pytest.approx(2 * float(a.square().sum()), rel=0.03)


@pytest.mark.parametrize("epsilon", [1e-4, 1e-2, 1.0])
def test_the_length_of_a_linear_generator_is_equal_for_any_step(epsilon: float) -> None:
    game = game_of(LinearGenerator(matrix()))
    whole = ppl(game, count=300, epsilon=1.0)
    assert ppl(game, count=300, epsilon=epsilon) == pytest.approx(whole, rel=1e-3)


def test_equals_torch_fidelity() -> None:
    count, dim = 250, 6
    torch.manual_seed(0)
    generator = MLPGenerator(dim, 1, 8, Unconditional(), hidden=(16,))
    register_sample_similarity("squares", TheirSquares)
    theirs = calculate_ppl(
        1,
        input1=GenerativeModelModuleWrapper(generator, dim, "normal", 0),
        input1_model_num_samples=count,
        batch_size=100,
        cuda=False,
        verbose=False,
        ppl_sample_similarity="squares",
        ppl_sample_similarity_dtype="float32",
        ppl_discard_percentile_lower=None,
        ppl_discard_percentile_higher=None,
        ppl_reduction="none",
    )
    game = game_of(generator, TheirLatents(dim, count))
    metric = PerceptualPathLength(Squares(), count=count, discard=(0, 100))
    lengths = metric.lengths(game, BACKBONE, 0).numpy()
    np.testing.assert_allclose(lengths, theirs[KEY_METRIC_PPL_RAW], rtol=5e-3)
    values = metric.measure(game, None, BACKBONE, 0)  # type: ignore[arg-type]
    assert values["ppl"] == pytest.approx(theirs[KEY_METRIC_PPL_MEAN], rel=1e-4)
    assert values["ppl_std"] == pytest.approx(theirs[KEY_METRIC_PPL_STD], rel=1e-4)


def test_percentiles_are_rounded_outwards() -> None:
    values = torch.randperm(251, generator=torch.Generator().manual_seed(0)).double()
    # 2.5 and 247.5
    assert torch.equal(trim(values, 1, 99).sort().values, torch.arange(2, 249).double())
    assert torch.equal(trim(values, 0, 100), values)
    assert len(trim(torch.zeros(9).double(), 1, 99)) == 9


def test_extreme_steps_are_left_out() -> None:
    game = game_of(LinearGenerator(matrix()))
    lengths = PerceptualPathLength(Squares(), count=400).lengths(game, BACKBONE, 0)
    expected = trim(lengths, 1, 99)
    assert len(expected) < 400
    assert ppl(game, count=400) == float(expected.mean())


def test_classes_come_in_turn_and_are_the_same_at_both_ends_of_a_step() -> None:
    metric = PerceptualPathLength(Squares(), count=250)
    plain = metric.lengths(game_of(LinearGenerator(matrix())), BACKBONE, 0)
    lengths = metric.lengths(game_of(LinearGenerator(matrix(), num_classes=3)), BACKBONE, 0)
    torch.testing.assert_close(lengths, plain * (1 + torch.arange(250) % 3) ** 2, rtol=5e-2, atol=0)


def test_latents_depend_on_the_seed_alone() -> None:
    game, metric = game_of(LinearGenerator(matrix())), PerceptualPathLength(Squares(), count=150)
    before = torch.get_rng_state()
    first = metric.lengths(game, BACKBONE, 0)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, metric.lengths(game, BACKBONE, 0))
    assert not torch.equal(first, metric.lengths(game, BACKBONE, 1))
    fewer = PerceptualPathLength(Squares(), count=120).lengths(game, BACKBONE, 0)
    torch.testing.assert_close(fewer, first[:120])


def test_products_are_computed_in_full_float32() -> None:
    seen = []

    class Watched(Squares):
        def __call__(self, a: Tensor, b: Tensor, backbone: Backbone) -> Tensor:
            conv = torch.backends.cudnn.conv.fp32_precision  # type: ignore[attr-defined]
            seen.append((conv, torch.backends.cuda.matmul.fp32_precision))
            return super().__call__(a, b, backbone)

    before = torch.backends.cuda.matmul.fp32_precision
    try:
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        ppl(game_of(LinearGenerator(matrix())), Watched(), count=10)
        assert torch.backends.cuda.matmul.fp32_precision == "tf32"
    finally:
        torch.backends.cuda.matmul.fp32_precision = before
    assert seen == [("ieee", "ieee")]


def test_features_are_compared_at_unit_length_and_without_rounding(dataset: TinyDataset) -> None:
    images = torch.rand(2, 5, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    near = images[0] + 1e-4 * images[1]
    first, second = (x.flatten(1)[:, [0, 7, 30, 60]].double() + 1 for x in (images[0], near))
    expected = (first / first.norm(dim=1)[:, None] - second / second.norm(dim=1)[:, None]) ** 2
    value = FeatureDistance()(images[0], near, BACKBONE)
    torch.testing.assert_close(value, expected.sum(1), rtol=1e-2, atol=0)
    assert ppl(stripe_game(StripeGenerator()), FeatureDistance(), count=100) > 0


def test_features_of_points_are_read_as_they_are() -> None:
    class Plane(Corners):
        def quantize(self, images: Tensor) -> Tensor:
            return images

        def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
            return images.flatten(1), images.flatten(1)

    a, b = torch.tensor([[3.0, 4.0]])[..., None, None], torch.tensor([[3.0, -4.0]])[..., None, None]
    assert float(FeatureDistance()(a, b, Plane())) == pytest.approx(1.6**2)


def test_a_backbone_that_reads_bytes_alone_is_refused(dataset: TinyDataset) -> None:
    class Bytes(Corners):
        def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
            if images.dtype != torch.uint8:
                raise ValueError("Expecting image as torch.Tensor with dtype=torch.uint8")
            return super().extract(images)

    images = torch.zeros(1, 1, 8, 8)
    with pytest.raises(InputError, match=r"corners reads 8-bit images.*LPIPS"):
        FeatureDistance()(images, images, Bytes())
    with pytest.raises(InputError, match="corners reads 8-bit images"):
        PerceptualPathLength().check_backbone(dataset, Bytes())
    PerceptualPathLength().check_backbone(dataset, BACKBONE)
    PerceptualPathLength(Squares()).check_backbone(dataset, Bytes())


def test_settings_are_stamped() -> None:
    stamps = [
        PerceptualPathLength(),
        PerceptualPathLength(Squares()),
        PerceptualPathLength(count=5),
        PerceptualPathLength(epsilon=1e-3),
        PerceptualPathLength(discard=(0, 100)),
    ]
    assert len({str(metric.stamp()) for metric in stamps}) == len(stamps)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 0}, "ppl.count=0"),
        ({"epsilon": 0.0}, "ppl.epsilon=0.0"),
        ({"discard": (99, 1)}, r"ppl.discard=\[99, 1\]"),
    ],
)
def test_impossible_settings(options: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        PerceptualPathLength(Squares(), **options)  # type: ignore[arg-type]


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of the torch hub cache."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


@pytest.fixture
def weights(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights of LPIPS; those of the classifier in VGG are left out."""
    widths = [64, 128, 256, 512, 512]
    state = {f"lin{i}.model.1.weight": torch.rand(1, w, 1, 1) for i, w in enumerate(widths)}
    torch.save(state, checkpoints / "weights-vgg16-lpips.pth")
    torch.save({}, checkpoints / "vgg16-397923af.pth")
    vgg = torchvision.models.vgg
    net = vgg.VGG(vgg.make_layers(vgg.cfgs["D"]), num_classes=1, init_weights=False)
    monkeypatch.setattr(
        "torch_fidelity.sample_similarity_lpips.torchvision_load_pretrained_vgg16", lambda: net
    )


@pytest.mark.usefixtures("weights")
def test_lpips_equals_torch_fidelity_and_does_not_round(cpu: torch.device) -> None:
    similarity = LPIPS()
    before = torch.get_rng_state()
    similarity.prepare(cpu)
    assert torch.equal(before, torch.get_rng_state())
    reference = SampleSimilarityLPIPS("reference", 64, "uint8")
    bytes_ = torch.randint(0, 256, (2, 3, 1, 16, 16), dtype=torch.uint8)
    a, b = bytes_.float() / 127.5 - 1
    expected = reference(*bytes_.expand(-1, -1, 3, -1, -1))
    torch.testing.assert_close(similarity(a, b, BACKBONE), expected)
    assert (similarity(a, a + 1e-3, BACKBONE) > 0).all()


@pytest.mark.usefixtures("checkpoints")
def test_no_lpips_weights_and_no_network(
    monkeypatch: pytest.MonkeyPatch, dataset: TinyDataset
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    with pytest.raises(InputError) as caught:
        PerceptualPathLength(LPIPS()).check(stripe_game(StripeGenerator()), dataset)
    message = str(caught.value)
    assert "weights-vgg16-lpips.pth is absent" in message
    assert "Name or service not known" in message
    assert "leave similarity out" in message
    assert "\n" not in message


def test_broken_lpips_weights(checkpoints: Path, cpu: torch.device) -> None:
    for name in ("weights-vgg16-lpips.pth", "vgg16-397923af.pth"):
        (checkpoints / name).write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"vgg16-397923af\.pth in .* do not hold the weights"):
        LPIPS().prepare(cpu)
    for name in ("weights-vgg16-lpips.pth", "vgg16-397923af.pth"):
        torch.save({"other": torch.zeros(1)}, checkpoints / name)
    with pytest.raises(InputError, match="do not hold the weights"):
        LPIPS().prepare(cpu)


def test_interpolation_is_linear_for_any_prior() -> None:
    game = game_of(LinearGenerator(torch.eye(4)), Gaussian(4))
    z = game.prior.sample_each(0, range(2))
    expected = float((z[1] - z[0]).square().sum())
    assert ppl(game, count=1, epsilon=0.5) == pytest.approx(expected, rel=1e-5)
