import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gan
from gan.algorithms.class_names import ClassNames
from gan.algorithms.latent import LatentGame
from gan.algorithms.samples import Samples
from gan.algorithms.sampling import Langevin
from gan.backbones.pixels import to_uint8
from gan.commands.main import dispatch
from gan.commands.outputs import folder_names
from gan.commands.train import train
from gan.errors import InputError
from tests.conftest import composing

DIGITS = ["zero", "one", "two", "../three", "four", "five", "six", "seven", "eight", "nine"]
WIDTHS = ["model.generator.width=4", "model.discriminator.width=4"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of an unconditional model of digits."""
    folder = tmp_path_factory.mktemp("plain")
    with composing(folder) as config:
        train(config("data=digits", *WIDTHS, "critic_norm=none", "steps=1"))
    return folder / "run"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of a conditional model whose classes have names."""
    folder = tmp_path_factory.mktemp("labelled")
    with composing(folder) as config:
        train(config("data=digits", *WIDTHS, "conditioning=projection", "steps=1"))
    (folder / "run" / "classes.json").write_text(json.dumps(DIGITS))
    return folder / "run"


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.asarray(image)


def expected(images: torch.Tensor) -> np.ndarray:
    return to_uint8(images).permute(0, 2, 3, 1).numpy()


def test_one_gray_file_an_image_named_by_its_number(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "samples"
    dispatch(["sample", f"run={plain}", "n=103", "seed=4", f"out={out}"])
    assert [path.name for path in sorted(out.iterdir())] == [f"{k:06}.png" for k in range(103)]
    images = expected(gan.load(plain).sample(103, seed=4))
    for k in (0, 99, 100, 102):
        assert np.array_equal(pixels(out / f"{k:06}.png"), images[k, :, :, 0])


def test_one_folder_a_class_and_a_table_of_labels(labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "samples.v2"
    dispatch(["sample", f"run={labelled}", "n=3", "labels=[nine,'../three',0]", f"out={out}/"])
    with (out / "labels.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "label"]
    assert rows[1:] == [
        ["nine/000000.png", "9"],
        ["_.._three/000001.png", "3"],
        ["zero/000002.png", "0"],
    ]
    images = expected(gan.load(labelled).sample(3, labels=["nine", 3, "zero"]))
    for k, (name, _) in enumerate(rows[1:]):
        assert np.array_equal(pixels(out / name), images[k, :, :, 0])
    assert [path.name for path in tmp_path.iterdir()] == ["samples.v2"]


def test_arrays_for_the_evaluator_of_adm(labelled: Path, plain: Path, tmp_path: Path) -> None:
    for run, keys in ((labelled, ["arr_0", "arr_1"]), (plain, ["arr_0"])):
        out = tmp_path / f"{run.parent.name}.npz"
        dispatch(["sample", f"run={run}", "n=103", f"out={out}"])
        with np.load(out) as arrays:
            assert list(arrays) == keys
            assert arrays["arr_0"].dtype == np.uint8
            assert np.array_equal(arrays["arr_0"], expected(gan.load(run).sample(103)))
            if len(keys) == 2:
                assert arrays["arr_1"].tolist() == [k % 10 for k in range(103)]


def test_settings_of_sampling_apply_to_files(plain: Path, tmp_path: Path) -> None:
    for name, given in (("a", "truncation=0.3"), ("b", "langevin=2"), ("c", "standing=2")):
        base = ["sample", f"run={plain}", "n=102", "seed=1", given]
        dispatch([*base, f"out={tmp_path / name}.npz"])
        dispatch([*base, f"out={tmp_path / name}.png", "columns=102"])
        with np.load(tmp_path / f"{name}.npz") as arrays:
            images = torch.from_numpy(arrays["arr_0"]).permute(0, 3, 1, 2) / 127.5 - 1
        unchanged = gan.load(plain).sample(102, seed=1)
        assert not np.array_equal(expected(images)[101], expected(unchanged)[101])
        with Image.open(tmp_path / f"{name}.png") as opened:
            assert np.array_equal(
                np.asarray(opened)[2:18, -18:-2, 0], expected(images)[101, ..., 0]
            )


def test_chains_do_not_depend_on_their_batch(plain: Path) -> None:
    game, langevin = gan.load(plain), Langevin(2, 0.3)
    parts = [images for _, images in Samples(game, 103, 5, None, langevin).batches()]
    z = langevin(game, game.latents(103, 5), None, 5)
    assert torch.allclose(torch.cat(parts), game.decode(z, seed=5), atol=1e-5)


def test_pixel_noise_is_that_of_the_number_of_an_image(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[int] = []
    images = LatentGame._images

    def recorded(
        self: LatentGame,
        z: torch.Tensor,
        labels: torch.Tensor | None,
        seed: int | None,
        indices: Sequence[int],
    ) -> torch.Tensor:
        keys.extend(indices)
        return images(self, z, labels, seed, indices)

    monkeypatch.setattr(LatentGame, "_images", recorded)
    list(Samples(gan.load(plain), 103, 5).batches())
    assert keys == list(range(103))


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("full", "files are in it already: name a new folder"),
        ("there.npz", "it is there already: choose another name"),
        ("file/", "it is there already"),
        ("grid.jpg", r"NAME\.png, arrays, NAME\.npz, or a folder"),
    ],
)
def test_nothing_is_overwritten(out: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    for name in ("full/a.txt", "there.npz", "file"):
        (tmp_path / name).write_text("kept")
    with pytest.raises(InputError, match=words):
        dispatch(["sample", "run=nowhere", f"out={tmp_path}/{out}"])
    assert (tmp_path / "full" / "a.txt").read_text() == "kept"


def test_an_empty_folder_is_filled_and_an_interruption_leaves_nothing(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    given = ["sample", f"run={plain}", "n=101", f"out={tmp_path / 'empty'}"]
    decode = LatentGame.decode

    def interrupted(self: LatentGame, *arguments: object) -> torch.Tensor:
        if arguments[-1] == 100:
            raise KeyboardInterrupt
        return decode(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(LatentGame, "decode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            dispatch(given)
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]
    dispatch(given)
    assert len(list((tmp_path / "empty").iterdir())) == 101


def test_points_are_no_pictures(tmp_path: Path) -> None:
    with composing(tmp_path) as config:
        train(config("experiment=ring", "steps=1", "metrics=[]"))
    for out in ("points.npz", "points"):
        with pytest.raises(InputError, match="it draws points"):
            dispatch(["sample", f"run={tmp_path / 'run'}", "n=2", f"out={tmp_path / out}"])
        assert not (tmp_path / out).exists()


def test_folders_of_classes() -> None:
    assert folder_names(ClassNames(), 11)[::10] == ["00", "10"]
    bad = ("..", "a/b", "a\\c", "x\ny", ".hidden", "__MACOSX", "é" * 300)
    safe = folder_names(ClassNames(bad), 7)
    assert safe[:6] == ["_..", "a_b", "a_c", "x_y", "_.hidden", "___MACOSX"]
    assert safe[6] == "é" * 100
    assert folder_names(ClassNames(("a/b", "a_b")), 2) == ["0_a_b", "1_a_b"]


@pytest.mark.parametrize("command", ["sample", "interpolate gif=false steps=2"])
def test_commands_take_names(command: str, labelled: Path, tmp_path: Path) -> None:
    def drawn(label: str) -> bytes:
        out = tmp_path / "drawn.png"
        dispatch([*command.split(), f"run={labelled}", f"out={out}", f"labels=[{label}]"])
        return out.read_bytes()

    assert drawn("six") == drawn("6") != drawn("seven")
    with pytest.raises(InputError, match="no class 'sx'; did you mean 'six'"):
        drawn("sx")


def test_projection_takes_a_name(labelled: Path, tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    Image.new("L", (16, 16)).save(image)
    given = ["project", f"run={labelled}", f"image={image}", "steps=1", "gif=false"]
    written = []
    for label in ("six", "6", "seven"):
        dispatch([*given, f"label={label}", f"out={tmp_path / label}.png"])
        written.append((tmp_path / f"{label}.png").read_bytes())
    assert written[0] == written[1] != written[2]
    with pytest.raises(InputError, match="did you mean 'six'"):
        dispatch([*given, "label=sixx"])


def test_names_of_other_classes_are_refused(labelled: Path, tmp_path: Path) -> None:
    run = shutil.copytree(labelled, tmp_path / "run")
    (run / "classes.json").write_text('["cat", "dog"]')
    with pytest.raises(InputError, match="names 2 classes and the model has 10"):
        gan.load(run)


def test_names_of_the_data_do_not_disturb_an_unconditional_model(
    plain: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(plain, tmp_path / "run")
    (run / "classes.json").write_text('["cat", "dog"]')
    assert gan.load(run).sample(2).shape == (2, 1, 16, 16)
