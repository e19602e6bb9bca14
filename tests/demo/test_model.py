import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from gan.demo.model import EACH_IN_TURN, Model
from gan.errors import InputError
from gan.runs.folder import Run
from tests.commands.test_cli import MLP, TINY, cli


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Return a conditional model of gray images of 16 pixels."""
    run = tmp_path_factory.mktemp("model") / "run"
    given = [*TINY, *MLP, "conditioning=projection", "steps=1"]
    assert cli(*given, f"hydra.run.dir={run}") == 0
    return Model.load(Run(run), None, torch.device("cpu"))


def test_uploads_become_images_of_the_run(model: Model, tmp_path: Path) -> None:
    Image.new("RGBA", (40, 24), (255, 0, 0, 255)).save(tmp_path / "red.png")
    image, done = model.upload(str(tmp_path / "red.png"), 16)
    assert image.shape == (1, 1, 16, 16)
    torch.testing.assert_close(image, torch.full_like(image, 76 / 127.5 - 1))  # luma of red
    assert done
    image, _ = model.upload(str(tmp_path / "red.png"), None)
    assert image.shape == (1, 1, 24, 40)


def test_bad_uploads_are_refused_in_words(model: Model, tmp_path: Path) -> None:
    good = tmp_path / "good.png"
    Image.new("L", (30, 30)).save(good)
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:50])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    with zipfile.ZipFile(tmp_path / "two.png", "w") as file:
        file.write(good, "a.png")
        file.write(good, "b.png")
    Image.new("L", (2001, 2000)).save(tmp_path / "large.png")
    for name in ("cut", "text", "empty"):
        with pytest.raises(InputError, match=rf"{name}\.png") as caught:
            model.upload(str(tmp_path / f"{name}.png"), 16)
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(InputError, match="holds 2 pictures"):
        model.upload(str(tmp_path / "two.png"), 16)
    with pytest.raises(InputError, match="more than 4,000,000 pixels"):
        model.upload(str(tmp_path / "large.png"), None)
    with pytest.raises(InputError, match="Upload a picture first"):
        model.upload(None, 16)


def test_classes(model: Model) -> None:
    assert model.classes == [str(k) for k in range(10)]
    for name in (None, EACH_IN_TURN):
        labels = model.labels(name, 12)
        assert labels is not None
        assert labels.tolist() == [*range(10), 0, 1]
    labels = model.labels("7", 2)
    assert labels is not None
    assert labels.tolist() == [7, 7]
    with pytest.raises(InputError, match="no class 'seven'"):
        model.labels("seven", 2)
