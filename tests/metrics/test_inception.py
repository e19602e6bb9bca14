import time
import urllib.error
from pathlib import Path

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan.errors import InputError
from gan.metrics.inception import InceptionBackbone
from tests.metrics.tiny import TinySource


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights in the form of torch-fidelity's."""
    file = tmp_path_factory.mktemp("weights") / "inception.pth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", lambda *_, **__: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        net = FeatureExtractorInceptionV3("random", ["2048"], str(file))
    torch.save(net.state_dict(), file)
    return file


def test_equals_torch_fidelity(weights: Path, source: TinySource, cpu: torch.device) -> None:
    before = torch.get_rng_state()
    backbone = InceptionBackbone(str(weights))
    backbone.prepare(source, cpu)
    assert torch.equal(before, torch.get_rng_state())
    gray = torch.randint(0, 256, (2, 1, 16, 16), dtype=torch.uint8)
    reference = FeatureExtractorInceptionV3("net", ["2048", "logits_unbiased"], str(weights))
    pool, logits = reference(gray.repeat(1, 3, 1, 1))
    features = backbone(gray.float() / 127.5 - 1)
    # random weights shrink the signal
    assert (features.pool - pool).norm() < 1e-4 * pool.norm()
    assert (features.logits - logits).norm() < 1e-4 * logits.norm()
    assert features.pool.shape == (2, backbone.num_features)
    assert len(backbone.weights_hash) == 64


def test_no_file_and_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: TinySource, cpu: torch.device
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        InceptionBackbone().prepare(source, cpu)
    assert time.perf_counter() - start < 5
    message = str(caught.value)
    assert str(tmp_path / "checkpoints") in message
    assert "metrics.weights=FILE" in message
    assert "metrics=domain" in message
    assert "\n" not in message


def test_file_that_is_not_there(tmp_path: Path, source: TinySource, cpu: torch.device) -> None:
    with pytest.raises(InputError, match=r"no Inception weights at .*absent\.pth"):
        InceptionBackbone(str(tmp_path / "absent.pth")).prepare(source, cpu)


def test_truncated_file(
    tmp_path: Path, weights: Path, source: TinySource, cpu: torch.device
) -> None:
    file = tmp_path / "short.pth"
    file.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(InputError, match=r"short\.pth"):
        InceptionBackbone(str(file)).prepare(source, cpu)


@pytest.mark.parametrize("content", [{"weight": torch.zeros(2)}, [1, 2], torch.zeros(3)])
def test_foreign_file(
    tmp_path: Path, content: object, source: TinySource, cpu: torch.device
) -> None:
    file = tmp_path / "foreign.pth"
    torch.save(content, file)
    with pytest.raises(InputError, match=r"foreign\.pth") as caught:
        InceptionBackbone(str(file)).prepare(source, cpu)
    assert "\n" not in str(caught.value)
