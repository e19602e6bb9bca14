import urllib.error
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_dinov2 import MODEL_METADATA, FeatureExtractorDinoV2

from gan.backbones.dinov2 import WIDTHS, DinoV2Backbone
from gan.errors import InputError
from tests.metrics.tiny_data import TinyDataset

SMALL = "dinov2-vit-s-14"


class StandIn(nn.Module):
    """A small network in the place of DINOv2, with its last input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Linear(3, width)
        self.read = torch.empty(0)

    def forward(self, images: Tensor) -> Tensor:
        self.read = images
        out: Tensor = self.head(images.mean((2, 3)))
        return out


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Repository and model of each request to the torch hub."""
    names: list[tuple[str, str]] = []

    def load(repository: str, model: str) -> StandIn:
        names.append((repository, model))
        return StandIn(384)

    monkeypatch.setattr(torch.hub, "load", load)
    return names


def prepared(dataset: TinyDataset, model: str = SMALL) -> DinoV2Backbone:
    backbone = DinoV2Backbone(model)
    backbone.prepare(dataset, torch.device("cpu"))
    return backbone


@pytest.mark.usefixtures("asked")
def test_equals_torch_fidelity(dataset: TinyDataset) -> None:
    before = torch.get_rng_state()
    backbone = prepared(dataset)
    assert torch.equal(before, torch.get_rng_state())
    reference = FeatureExtractorDinoV2(SMALL, ["dinov2"])
    reference.load_state_dict(backbone.net.state_dict())  # type: ignore[union-attr]
    images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    features = backbone(images.float() / 127.5 - 1)
    assert torch.equal(features.pool, reference(images)[0])
    assert features.pool.shape == (2, backbone.num_features)
    assert features.logits.shape == (2, 0)
    assert features.pool.dtype == features.logits.dtype == torch.float32
    assert not features.pool.requires_grad


@pytest.mark.usefixtures("asked")
def test_what_the_network_reads(dataset: TinyDataset) -> None:
    backbone = prepared(dataset)
    backbone(torch.ones(2, 1, 8, 8))
    read = backbone.net.model.read  # type: ignore[union-attr]
    assert read.shape == (2, 3, 224, 224)
    assert backbone.resize.startswith("224x224")
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(read.mean((0, 2, 3)), (1 - mean) / std)


def test_loads_from_the_hub_once_and_is_frozen(
    dataset: TinyDataset, asked: list[tuple[str, str]]
) -> None:
    backbone = prepared(dataset)
    backbone.prepare(dataset, torch.device("cpu"))
    assert asked == [("facebookresearch/dinov2", "dinov2_vits14")]
    assert not any(p.requires_grad for p in backbone.parameters())
    assert not any(m.training for m in backbone.train().modules())
    stamp = backbone.stamp()
    assert len(str(stamp["weights_hash"])) == 64
    assert stamp["model"] == SMALL
    assert not backbone.has_logits


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("Name or service not known"),
        RuntimeError("no internet connection and the\nrepo could not be found"),
        ModuleNotFoundError("No module named 'dinov2'"),
    ],
)
def test_no_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: TinyDataset, error: Exception
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(torch.hub, "load", fails)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError) as caught:
        prepared(dataset)
    message = str(caught.value)
    assert str(tmp_path / "facebookresearch_dinov2_main") in message
    assert str(tmp_path / "checkpoints/dinov2_vits14_pretrain.pth") in message
    assert "backbone=domain" in message
    assert "\n" not in message


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: TinyDataset) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match="no internet connection"):
        prepared(dataset)


@pytest.mark.usefixtures("asked")
def test_a_file_is_not_read(tmp_path: Path, dataset: TinyDataset) -> None:
    backbone = DinoV2Backbone(SMALL, str(tmp_path / "dinov2.pth"))
    with pytest.raises(InputError, match=r"leave backbone\.weights out"):
        backbone.prepare(dataset, torch.device("cpu"))


def test_models_are_torch_fidelitys() -> None:
    assert WIDTHS.keys() == MODEL_METADATA.keys()
    with pytest.raises(InputError, match="dinov2-vit-h-14 is none of dinov2-vit-s-14"):
        DinoV2Backbone("dinov2-vit-h-14")
