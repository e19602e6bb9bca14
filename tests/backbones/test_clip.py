import urllib.error
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_clip import (
    MODEL_METADATA,
    FeatureExtractorCLIP,
    VisionTransformer,
)

from gan.backbones.clip import CLIPBackbone
from gan.errors import InputError
from tests.metrics.tiny_data import TinyDataset

SMALL = "clip-vit-b-32"


class StandIn(nn.Module):
    """A CLIP of two layers, 28 pixels and 16 features."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = VisionTransformer(28, 14, 64, 2, 1, 16)
        self.text_projection = nn.Parameter(torch.zeros(8, 16))

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.visual(images) @ self.text_projection.T
        return out


class Plain(nn.Module):
    """Another network."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))

    def forward(self, images: Tensor) -> Tensor:
        return images * self.weight.sum()


def archive(net: nn.Module, file: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(net, torch.rand(1, 3, 28, 28))  # type: ignore[no-untyped-call]
        torch.jit.save(traced, str(file))
    return file


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.random.fork_rng(devices=[]):
        return archive(StandIn(), tmp_path_factory.mktemp("weights") / "clip.pt")


def prepared(dataset: TinyDataset, weights: Path | None = None) -> CLIPBackbone:
    backbone = CLIPBackbone(SMALL, str(weights) if weights else None)
    backbone.prepare(dataset, torch.device("cpu"))
    return backbone


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_equals_torch_fidelity(weights: Path, dataset: TinyDataset) -> None:
    before = torch.get_rng_state()
    backbone = prepared(dataset, weights)
    assert torch.equal(before, torch.get_rng_state())
    reference = FeatureExtractorCLIP(SMALL, ["clip"], str(weights))
    images = torch.randint(0, 256, (2, 1, 16, 16), dtype=torch.uint8)
    features = backbone(images.float() / 127.5 - 1)
    assert torch.equal(features.pool, reference(images.repeat(1, 3, 1, 1))[0])
    assert features.pool.std() > 0
    assert features.pool.shape == (2, backbone.num_features) == (2, 16)
    assert features.logits.shape == (2, 0)
    assert features.pool.dtype == features.logits.dtype == torch.float32


def test_frozen_and_stamped_with_what_the_file_holds(weights: Path, dataset: TinyDataset) -> None:
    backbone = prepared(dataset, weights)
    assert not any(p.requires_grad for p in backbone.parameters())
    assert not any(m.training for m in backbone.train().modules())
    stamp = backbone.stamp()
    assert len(str(stamp["weights_hash"])) == 64
    assert str(stamp["resize"]).startswith("28x28")
    assert not backbone.has_logits


@pytest.mark.filterwarnings("error")
def test_loads_without_a_warning(weights: Path, dataset: TinyDataset) -> None:
    prepared(dataset, weights)


def test_reads_the_hub_cache(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: TinyDataset
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    place = tmp_path / f"checkpoints/{SMALL}-{MODEL_METADATA[SMALL]['hash']}.pt"
    place.parent.mkdir()
    place.write_bytes(weights.read_bytes())
    assert prepared(dataset).weights_hash == prepared(dataset, weights).weights_hash


def test_no_file_and_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: TinyDataset
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    with pytest.raises(InputError, match=r"no CLIP weights: .*clip-vit-b-32-40d36571") as caught:
        prepared(dataset)
    assert "backbone.weights=FILE" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_archive_of_another_network(tmp_path: Path, dataset: TinyDataset) -> None:
    file = archive(Plain(), tmp_path / "plain.pt")
    with pytest.raises(InputError, match=r"plain\.pt .*CLIP \(visual\..* is absent\)"):
        prepared(dataset, file)


def test_an_archive_of_wrong_shapes(tmp_path: Path, dataset: TinyDataset) -> None:
    net = StandIn()
    net.visual.ln_post = nn.LayerNorm(64, bias=False)
    file = archive(net, tmp_path / "bare.pt")
    with pytest.raises(InputError, match=r"bare\.pt .*\"visual\.ln_post\.bias\""):
        prepared(dataset, file)


def test_what_is_no_archive(tmp_path: Path, weights: Path, dataset: TinyDataset) -> None:
    state, short = tmp_path / "state.pt", tmp_path / "short.pt"
    torch.save(StandIn().state_dict(), state)
    short.write_bytes(weights.read_bytes()[:100_000])
    for file in (state, short):
        with pytest.raises(InputError, match=rf"{file.name} .*no whole TorchScript archive"):
            prepared(dataset, file)


def test_models_are_torch_fidelitys() -> None:
    with pytest.raises(InputError, match="clip-vit-h is none of clip-rn50"):
        CLIPBackbone("clip-vit-h")
