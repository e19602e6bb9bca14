import hashlib
import http.client
import io
import socket
import urllib.error
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from urllib.response import addinfourl

import pytest
import torch
from torch import Tensor, nn

from gan.backbones import weights
from gan.backbones.weights import TIMEOUT, WeightsFile
from gan.errors import InputError
from tests.metrics.tiny_data import Corners, TinyDataset

URL = "https://example.org/models/net.pth"


class Armed:
    """A pickle that writes a file when its code is run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))


def saved(folder: Path, content: object) -> WeightsFile:
    path = folder / "net.pth"
    torch.save(content, path)
    return WeightsFile(path, "Net")


def complaint(act: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        act()
    message = str(caught.value)
    assert "\n" not in message
    assert "backbone.weights=FILE" in message
    return message


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch hub cache."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub/checkpoints"


def network(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[float | None]:
    """Answer every request with the same bytes, and return the timeout of each request."""
    asked: list[float | None] = []

    def answer(*_: object, **__: object) -> addinfourl:
        asked.append(socket.getdefaulttimeout())
        return addinfourl(io.BytesIO(content), Message(), URL)

    monkeypatch.setattr("torch.hub.urlopen", answer)
    return asked


def test_fills_a_network_in_its_own_precision(tmp_path: Path) -> None:
    state = {name: value.half() for name, value in net().state_dict().items()}
    filled = net()
    saved(tmp_path, state).load_into(filled)
    for name, value in filled.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[name].float())


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"1.weight": torch.zeros(4, 2)}, r"size mismatch for 1\.weight: .*\[4, 2\].*\[4, 3\]"),
        ({"0.weight": None}, r"Missing.*\"0\.weight\""),
        ({"2.weight": torch.zeros(1)}, r"Unexpected.*\"2\.weight\""),
    ],
)
def test_names_the_first_wrong_tensor(
    tmp_path: Path, change: dict[str, Tensor | None], fault: str
) -> None:
    state = {k: v for k, v in (net().state_dict() | change).items() if v is not None}
    file = saved(tmp_path, state)
    with pytest.raises(InputError, match=rf"net\.pth does not hold the weights of Net.*{fault}"):
        file.load_into(net())


def test_a_long_list_of_faults_is_cut(tmp_path: Path) -> None:
    deep = nn.Sequential(*(nn.Linear(1, 1) for _ in range(100)))
    message = complaint(lambda: saved(tmp_path, {}).load_into(deep))
    assert '"0.weight"' in message
    assert len(message) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(3), {"state": {"a": torch.zeros(1)}}])
def test_what_is_no_state_dict(tmp_path: Path, content: object) -> None:
    assert "no state dict" in complaint(saved(tmp_path, content).state)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04" + bytes(200)])
def test_what_is_no_torch_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    message = complaint(WeightsFile.at(str(path), "Net").state)
    assert "no whole file of tensors" in message
    assert "delete" not in message  # the user's own


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    file, mark = saved(tmp_path, Armed(tmp_path / "mark")), tmp_path / "mark"
    torch.load(file.path, weights_only=False)
    assert mark.exists()
    mark.unlink()
    complaint(file.state)
    assert not mark.exists()


def test_a_named_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "absent.pth"
    assert str(path) in complaint(lambda: WeightsFile.at(str(path), "Net"))
    assert str(tmp_path) in complaint(lambda: WeightsFile.at(str(tmp_path), "Net"))
    monkeypatch.setenv("HOME", str(tmp_path))
    path.touch()
    assert WeightsFile.at("~/absent.pth", "Net").path == path


def test_downloads_once_with_a_timeout(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, before = b"weights", socket.getdefaulttimeout()
    asked = network(monkeypatch, content)
    sha256 = hashlib.sha256(content).hexdigest()
    for _ in range(2):
        file = WeightsFile.download(URL, "Net", sha256[:8])
        assert file.path == hub / "net.pth"
        assert file.path.read_bytes() == content
    assert asked == [TIMEOUT]
    assert socket.getdefaulttimeout() == before
    assert "delete it to download it again" in complaint(file.state)


def test_a_broken_download_is_not_kept(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network(monkeypatch, b"half of the wei")
    message = complaint(lambda: WeightsFile.download(URL, "Net", "0123abcd"))
    assert "0123abcd" in message
    assert URL in message
    assert not hub.exists()


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("Name or service not known"),
        TimeoutError("timed out"),
        http.client.IncompleteRead(b""),
    ],
)
def test_no_network(hub: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    message = complaint(lambda: WeightsFile.download(URL, "Net", "0123abcd", "other.pt"))
    assert str(hub / "other.pt") in message
    assert "backbone=domain" in message


def test_a_cache_that_cannot_be_written(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network(monkeypatch, b"weights")
    hub.parent.write_text("a file where a folder should be")
    assert str(hub) in complaint(lambda: WeightsFile.download(URL, "Net", ""))


def test_an_error_without_a_message() -> None:
    assert weights.first_fault(TimeoutError()) == ""


def prepared(weights_hash: str, dataset: TinyDataset, cpu: torch.device) -> Corners:
    backbone = Corners(weights_hash=weights_hash)
    backbone.prepare(dataset, cpu)
    return backbone


def test_the_expected_hash(dataset: TinyDataset, cpu: torch.device) -> None:
    plain = Corners()
    plain.prepare(dataset, cpu)
    for digits in (1, 8, 64):
        assert prepared(plain.weights_hash[:digits], dataset, cpu).weights_hash
    other = ("1" if plain.weights_hash[0] == "0" else "0") + plain.weights_hash[1:8]
    message = complaint(lambda: prepared(other, dataset, cpu))
    assert f"backbone.weights_hash={other}" in message
    assert plain.weights_hash in message


@pytest.mark.parametrize("weights_hash", ["", "6726825D", "latest", "0" * 65, "a\n"])
def test_a_hash_that_is_none(weights_hash: str) -> None:
    with pytest.raises(InputError, match="hexadecimal digits"):
        Corners(weights_hash=weights_hash)
