"""Weights under published names: their images are those of the published networks.

``published.json`` holds names, shapes and images of the networks of mimicry and of
PyTorch-StudioGAN, which computed them in 64 bits with the weights of a formula.
"""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import gan
from gan.algorithms.latent import LatentGame
from gan.commands.main import dispatch
from gan.errors import InputError
from gan.imports.files import Source, read
from gan.imports.known import LAYOUTS, find_layout
from tests.configs import thinned
from tests.imports.weights import latents, weights

PUBLISHED: dict[str, Any] = json.loads((Path(__file__).parent / "published.json").read_text())
SMALL = {"studiogan_stylegan2": "model.discriminator.capacity=64"}


def state(case: str) -> dict[str, Tensor]:
    """Return the weights of a case in 32 bits."""
    found = weights(PUBLISHED[case]["shapes"])
    return {name: v.float() if v.is_floating_point() else v for name, v in found.items()}


def bring_in(path: Path, case: str, *given: str) -> Path:
    """Import a file, and return the folder."""
    side = {"studiogan_sngan": 64, "studiogan_stylegan2": 16}.get(case, 32)
    settings = [SMALL.get(case, "model.discriminator.width=8"), f"data.resolution={side}"]
    if PUBLISHED[case]["classes"]:
        settings.append(f"data.num_classes={PUBLISHED[case]['classes']}")
    out = path.parent / "imported"
    command = [f"weights={path}", "data=cifar10", f"out={out}", f"settings=[{','.join(settings)}]"]
    dispatch(["import", *command, *given])
    return out


@pytest.mark.parametrize("case", thinned(PUBLISHED, keep=7))
def test_images_are_those_of_the_published_network(
    tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrapped = {"state_dict": {f"module.{k}": v for k, v in state(case).items()}, "step": 7}
    torch.save(wrapped, tmp_path / "G.pth")
    game = gan.load(bring_in(tmp_path / "G.pth", case), kind=LatentGame)
    known = PUBLISHED[case]
    y = torch.arange(3) if known["classes"] else None
    images = game.averaged(latents(known["dim"]).float(), y)[:, :, ::9, 1::13]
    assert torch.allclose(images.flatten(), torch.tensor(known["images"]), rtol=0, atol=2e-5)
    assert game.sample(2, seed=3).shape[1] == 3
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(f"{tmp_path / 'G.pth'}: ")
    assert "largest difference" in printed[1]
    assert printed[-1] == str(tmp_path / "imported")
    page = (tmp_path / "imported" / "README.md").read_text()
    assert "The file of the weights says nothing" in page
    assert "n\\_critic" not in page  # of this project's recipe


def test_safetensors_is_read_as_a_state_dict_is(tmp_path: Path) -> None:
    save_file(state("mimicry_sngan"), tmp_path / "G.safetensors")
    torch.save(state("mimicry_sngan"), tmp_path / "G.pth")
    found, expected = (read(tmp_path / f"G.{kind}") for kind in ("safetensors", "pth"))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("case", PUBLISHED)
def test_every_tensor_is_taken_by_one_layout(case: str) -> None:
    source = Source(Path("G.pth"), weights(PUBLISHED[case]["shapes"]))
    (layout,) = (layout for layout in LAYOUTS if layout.recognises(source))
    layout.settings(source)
    layout.state(source)
    assert layout.shape(source)[2] == PUBLISHED[case]["classes"]


class Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))


def test_no_code_of_a_pickle_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": state("mimicry_sngan"), "args": Code()}, "G.pth")
    Path("plain.pth").write_bytes(pickle.dumps(Code()))
    for name in ("G.pth", "plain.pth"):
        with pytest.raises(InputError, match=r"save its tensors alone"):
            read(Path(name))
    assert not Path("ran").exists()


def test_averaged_copies_are_chosen_by_name(tmp_path: Path) -> None:
    raw, average = state("mimicry_sngan"), state("mimicry_sngan")
    average["l1.bias"] = average["l1.bias"] + 1
    torch.save({"G": raw, "G_ema": average, "step": 3}, tmp_path / "G.pth")
    with pytest.raises(InputError, match=r"several networks, G, G_ema: choose one by key="):
        read(tmp_path / "G.pth")
    assert torch.equal(read(tmp_path / "G.pth", "G_ema")["l1.bias"], average["l1.bias"])
    with pytest.raises(InputError, match=r"key=ema: .* it has G, G_ema"):
        read(tmp_path / "G.pth", "ema")


@pytest.mark.parametrize("case", ["mimicry_sngan", "studiogan_biggan", "studiogan_stylegan2"])
def test_missing_extra_and_infinite_tensors_are_named(case: str) -> None:
    for name in (sorted(PUBLISHED[case]["shapes"])[4], "blocks.1.0.bn1.gain.weight_u"):
        less = weights(PUBLISHED[case]["shapes"])
        if less.pop(name, None) is not None and "num_batches" not in name:
            source = Source(Path("G.pth"), less)
            with pytest.raises(InputError, match=rf"it lacks {name}:|are of no known layout"):
                find_layout(source).state(source)
    more = Source(
        Path("G.pth"), weights(PUBLISHED[case]["shapes"]) | {"other.weight": torch.ones(2)}
    )
    with pytest.raises(InputError, match=r"it has other\.weight, which a generator of this layout"):
        find_layout(more).state(more)
    infinite = Source(Path("G.pth"), weights(PUBLISHED[case]["shapes"]))
    next(v for v in infinite.state.values() if v.dim() == 2)[0, 0] = torch.inf
    with pytest.raises(InputError, match="not finite"):
        find_layout(infinite).state(infinite)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"conv.weight": torch.ones(2, 2)}, "are of no known layout"),
        ({"step": 3}, "it holds no tensors by name"),
        ([torch.ones(2)], "it holds no tensors by name"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "G.pth"
    torch.save(content, path)
    with pytest.raises(InputError, match=message):
        find_layout(Source(path, read(path)))


def test_damaged_files_and_other_data_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "G.pth"
    torch.save(state("mimicry_sngan"), path)
    with pytest.raises(InputError, match=r"data=mnist: its channels is 1, that of the weights 3"):
        dispatch(["import", f"weights={path}", "data=mnist", f"out={tmp_path / 'out'}"])
    with pytest.raises(InputError, match=r"data=cifra10: did you mean 'cifar10'"):
        dispatch(["import", f"weights={path}", "data=cifra10", f"out={tmp_path / 'out'}"])
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match=r"no whole file of weights|save its tensors alone"):
        read(path)
    (tmp_path / "G.safetensors").write_bytes(b"\x10" * 40)
    with pytest.raises(InputError, match="no whole safetensors file"):
        read(tmp_path / "G.safetensors")
    assert not (tmp_path / "out").exists()
