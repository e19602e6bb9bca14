import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan.backbones.base import digest
from gan.backbones.inception import InceptionBackbone
from gan.errors import InputError
from tests.metrics.inception_weights import random_weights
from tests.metrics.tiny_data import TinyDataset


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_weights(tmp_path_factory.mktemp("weights") / "inception.pth")


def test_equals_torch_fidelity(weights: Path, dataset: TinyDataset, cpu: torch.device) -> None:
    before = torch.get_rng_state()
    backbone = InceptionBackbone(str(weights))
    backbone.prepare(dataset, cpu)
    assert torch.equal(before, torch.get_rng_state())
    gray = torch.randint(0, 256, (2, 1, 16, 16), dtype=torch.uint8)
    reference = FeatureExtractorInceptionV3("net", ["2048", "logits_unbiased"], str(weights))
    pool, logits = reference(gray.repeat(1, 3, 1, 1))
    features = backbone(gray.float() / 127.5 - 1)
    assert (features.pool - pool).norm() < 1e-4 * pool.norm()
    assert (features.logits - logits).norm() < 1e-4 * logits.norm()
    assert features.pool.shape == (2, backbone.num_features)
    assert len(backbone.weights_hash) == 64
    stored = digest({f"net.{name}": value for name, value in reference.state_dict().items()})
    for _ in range(2):
        backbone.prepare(dataset, cpu)
        assert backbone.weights_hash == stored
    assert not [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]


def test_no_file_and_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: TinyDataset, cpu: torch.device
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    with pytest.raises(InputError) as caught:
        InceptionBackbone().prepare(dataset, cpu)
    message = str(caught.value)
    assert str(tmp_path / "checkpoints") in message
    assert "backbone.weights=FILE" in message
    assert "backbone=domain" in message
    assert "\n" not in message


def test_file_that_is_not_there(tmp_path: Path, dataset: TinyDataset, cpu: torch.device) -> None:
    with pytest.raises(InputError, match=r"no Inception weights at .*absent\.pth"):
        InceptionBackbone(str(tmp_path / "absent.pth")).prepare(dataset, cpu)


def test_truncated_file(
    tmp_path: Path, weights: Path, dataset: TinyDataset, cpu: torch.device
) -> None:
    file = tmp_path / "short.pth"
    file.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(InputError, match=r"short\.pth"):
        InceptionBackbone(str(file)).prepare(dataset, cpu)


@pytest.mark.parametrize("content", [{"weight": torch.zeros(2)}, [1, 2], torch.zeros(3)])
def test_foreign_file(
    tmp_path: Path, content: object, dataset: TinyDataset, cpu: torch.device
) -> None:
    file = tmp_path / "foreign.pth"
    torch.save(content, file)
    with pytest.raises(InputError, match=r"foreign\.pth") as caught:
        InceptionBackbone(str(file)).prepare(dataset, cpu)
    assert "\n" not in str(caught.value)


def test_names_the_first_wrong_tensor(
    tmp_path: Path, weights: Path, dataset: TinyDataset, cpu: torch.device
) -> None:
    state = torch.load(weights, weights_only=True)
    file = tmp_path / "narrow.pth"
    torch.save(state | {"fc.bias": torch.zeros(1000)}, file)
    with pytest.raises(InputError, match=r"fc\.bias.*\[1000\].*\[1008\]"):
        InceptionBackbone(str(file)).prepare(dataset, cpu)


class Armed:
    """A pickle that writes a file when its code is run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)


def test_a_pickle_is_not_run(tmp_path: Path, dataset: TinyDataset, cpu: torch.device) -> None:
    file = tmp_path / "armed.pth"
    torch.save({"weight": Armed(tmp_path / "mark")}, file)
    with pytest.raises(InputError, match=r"armed\.pth"):
        InceptionBackbone(str(file)).prepare(dataset, cpu)
    assert not (tmp_path / "mark").exists()
