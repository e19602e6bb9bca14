import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image
from torchvision.models import squeezenet1_1

from gan.backbones import squeezenet
from gan.backbones.squeezenet import SqueezeNetBackbone
from gan.errors import InputError
from tests.configs import ROOT
from tests.metrics.tiny_data import TinyDataset

REAL = ROOT.parent / "shared/data/weights/squeezenet1_1_imagenet_fp16.pth"
STUPA = 832  # number of the class in ImageNet


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights in half precision."""
    file = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    state = squeezenet1_1(weights=None).state_dict()
    torch.save({name: value.half() for name, value in state.items()}, file)
    return file


@pytest.fixture
def backbone(weights: Path, dataset: TinyDataset, cpu: torch.device) -> SqueezeNetBackbone:
    made = SqueezeNetBackbone(str(weights))
    made.prepare(dataset, cpu)
    return made


def test_equals_torchvision(weights: Path, backbone: SqueezeNetBackbone) -> None:
    reference = squeezenet1_1(weights=None).eval()
    reference.load_state_dict(torch.load(weights, weights_only=True))
    images = torch.randint(0, 256, (2, 3, 16, 16)).float()
    features = backbone(images / 127.5 - 1)
    blue_first = torch.nn.functional.interpolate(
        images[:, [2, 1, 0]], (227, 227), mode="bilinear", align_corners=False
    )
    read = blue_first - torch.tensor([104.0, 117.0, 123.0])[:, None, None]
    with torch.no_grad():
        maps, logits = reference.features(read), reference(read)
    assert (features.logits - logits).norm() < 1e-4 * logits.norm()
    assert (features.pool - maps.mean((2, 3))).norm() < 1e-4 * maps.mean((2, 3)).norm()
    assert features.pool.shape == (2, backbone.num_features)
    assert features.logits.shape == (2, 1000)
    assert features.pool.dtype == features.logits.dtype == torch.float32


def test_large_images_are_averaged_not_sampled(backbone: SqueezeNetBackbone) -> None:
    stripes = torch.zeros(1, 3, 908, 908, dtype=torch.uint8)
    stripes[..., 2::4] = 255
    read = (backbone.pixels(stripes) + backbone.mean)[..., 10:-10]
    torch.testing.assert_close(read, torch.full_like(read, 255 / 4), rtol=0.02, atol=0)
    assert "antialiased" in backbone.resize


def test_gray_is_repeated(backbone: SqueezeNetBackbone) -> None:
    gray = torch.rand(2, 1, 8, 8)
    colour = backbone(gray.repeat(1, 3, 1, 1))
    assert torch.equal(backbone(gray).pool, colour.pool)


def test_frozen_and_identified(
    backbone: SqueezeNetBackbone, weights: Path, dataset: TinyDataset, cpu: torch.device
) -> None:
    before = torch.get_rng_state()
    other = SqueezeNetBackbone(str(weights))
    other.prepare(dataset, cpu)
    assert torch.equal(before, torch.get_rng_state())
    assert not any(p.requires_grad for p in backbone.parameters())
    assert not any(m.training for m in backbone.train().modules())
    assert backbone.weights_hash == other.weights_hash
    assert {p.dtype for p in backbone.parameters()} == {torch.float32}


def test_names_the_file_to_give(dataset: TinyDataset, cpu: torch.device) -> None:
    with pytest.raises(InputError, match=r"backbone\.weights=FILE") as caught:
        SqueezeNetBackbone().prepare(dataset, cpu)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_network(tmp_path: Path, dataset: TinyDataset, cpu: torch.device) -> None:
    file = tmp_path / "resnet.pth"
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, file)
    with pytest.raises(InputError, match=r"resnet\.pth .*SqueezeNet 1\.1 .*features\.0\.weight"):
        SqueezeNetBackbone(str(file)).prepare(dataset, cpu)


def test_weights_of_other_pixels_are_refused(
    weights: Path, monkeypatch: pytest.MonkeyPatch, dataset: TinyDataset, cpu: torch.device
) -> None:
    begins = hashlib.sha256(weights.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(squeezenet, "TORCHVISION_SHA256", begins)
    with pytest.raises(InputError, match="torchvision's own"):
        SqueezeNetBackbone(str(weights)).prepare(dataset, cpu)


def test_the_published_weights_classify_a_stupa(dataset: TinyDataset, cpu: torch.device) -> None:
    if not REAL.is_file():
        pytest.skip("the weights of SqueezeNet are not in shared/data/weights")
    backbone = SqueezeNetBackbone(str(REAL))
    backbone.prepare(dataset, cpu)
    photograph = torch.from_numpy(np.array(load_sample_image("china.jpg"))[:, 106:533])
    image = photograph.permute(2, 0, 1)[None].float() / 127.5 - 1
    right = backbone(image).logits.softmax(1)[0]
    swapped = backbone(image.flip(1)).logits.softmax(1)[0]
    assert right.argmax() == STUPA
    assert right[STUPA] > 0.5 > 0.2 > swapped[STUPA]
