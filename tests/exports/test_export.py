import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import nn

import gan
from gan.algorithms.acgan import ACGAN
from gan.algorithms.interfaces import interfaces
from gan.algorithms.latent import LatentGame
from gan.algorithms.sampling import Langevin
from gan.algorithms.translation import TranslationGame
from gan.commands.main import dispatch
from gan.commands.train import train
from gan.errors import InputError
from gan.exports import graphs
from gan.exports.card import measured, ranking
from gan.exports.graphs import Graph, Onnx, TorchExport, plain
from gan.layers.spectral import apply_spectral_norm
from gan.runs import weights
from gan.runs.evaluations import Evaluations, Record
from gan.runs.folder import Run
from gan.settings.trust import build
from tests.commands.test_train import SMALL, WIDTHS
from tests.configs import ROOT, options
from tests.conftest import Compose, composing
from tests.sweeps.launching import fid, results

FRESH = """
import sys
import gan
print(gan.load(sys.argv[1]).sample(5, seed=3).double().sum().item().hex())
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of a conditional model with a classifier."""
    folder = tmp_path_factory.mktemp("export")
    with composing(folder) as config:
        train(config("model=acgan", "data=digits", *WIDTHS))
    return folder / "run"


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    """Return an export of it."""
    out = run.parent / "digits_acgan"
    dispatch(["export", f"run={run}", f"out={out}", "licence=mit"])
    return out


def test_an_export_answers_as_its_run_does(run: Path, exported: Path) -> None:
    original, loaded = gan.load(run, kind=ACGAN), gan.load(exported, kind=ACGAN)
    assert torch.equal(loaded.sample(5, seed=3), original.sample(5, seed=3))
    assert torch.equal(loaded.sample(5, seed=3, labels=["7"]), original.sample(5, 3, labels=[7]))
    images = original.sample(5)
    assert torch.equal(loaded.classify(images), original.classify(images))
    assert loaded.clock == original.clock
    assert loaded.generator is loaded.averaged


def test_commands_take_an_export(run: Path, exported: Path, tmp_path: Path) -> None:
    pictures = []
    for folder in (run, exported):
        pictures.append(tmp_path / f"{folder.name}.png")
        dispatch(["sample", f"run={folder}", "n=6", "seed=2", f"out={pictures[-1]}"])
    assert pictures[0].read_bytes() == pictures[1].read_bytes()


def test_images_of_an_export_beside_real_ones(run: Path, exported: Path, tmp_path: Path) -> None:
    found = []
    for folder in (run, exported):
        out = tmp_path / f"{folder.name}.png"
        given = ["pixels=true", "n=3", "k=2", "checkpoint=last", f"out={out}"]
        dispatch(["nearest", f"run={folder}", *given])
        found.append(json.loads(out.with_suffix(".json").read_text())["indices"])
    assert found[0] == found[1]


def test_the_folder_is_ready_for_a_hub(run: Path, exported: Path) -> None:
    names = {path.name for path in exported.iterdir()}
    hub = {"README.md", "config.json", "model.safetensors", "samples.png"}
    assert names == hub | {"card.json", "classes.json"}
    page = (exported / "README.md").read_text()
    _, front, body = page.split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "mit"
    assert yaml.safe_load(front)["pipeline_tag"] == "unconditional-image-generation"
    assert "| generator, takes | y | (batch) | int64 | 0..9 |" in body
    for path in ("README.md", "config.json", "card.json"):
        assert str(run.parent) not in (exported / path).read_text()


@pytest.mark.slow
def test_without_its_discriminator_an_export_is_smaller(tmp_path: Path, config: Compose) -> None:
    train(config("data=digits", *WIDTHS, "critic_norm=none"))
    for name, given in (("plain", "false"), ("whole", "true")):
        command = [f"run={tmp_path / 'run'}", f"out={tmp_path / name}", f"discriminator={given}"]
        dispatch(["export", *command])
    original = gan.load(tmp_path / "run", kind=LatentGame)
    game, whole = (gan.load(tmp_path / name, kind=LatentGame) for name in ("plain", "whole"))
    assert {name.split(".")[0] for name in load_file(tmp_path / "plain" / "model.safetensors")} == {
        "generator"
    }
    assert game.discriminator is None
    chain, z = Langevin(2), original.latents(3)
    assert torch.equal(chain(whole, z, None, seed=1), chain(original, z, None, seed=1))
    with pytest.raises(InputError, match="langevin: the model has no discriminator"):
        chain(game, z, None, seed=1)


@pytest.mark.slow
def test_pixel_noise_of_an_image_is_that_of_the_run(tmp_path: Path, config: Compose) -> None:
    train(config("model=stylegan2", "data=digits", *SMALL["stylegan2"]))
    dispatch(["export", f"run={tmp_path / 'run'}"])
    original, loaded = (
        gan.load(path, kind=LatentGame) for path in (tmp_path / "run", tmp_path / "run" / "export")
    )
    for game in (original, loaded):
        for name, strength in game.averaged.named_parameters():
            if name.endswith("noise.strength"):
                strength.fill_(1.0)
    assert torch.equal(loaded.sample(3, seed=4), original.sample(3, seed=4))


def copied(exported: Path, out: Path) -> Path:
    """Return a copy of an export."""
    out.mkdir()
    for path in exported.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    return out


def test_changed_files_are_refused(exported: Path, tmp_path: Path) -> None:
    folder = copied(exported, tmp_path / "copy")
    path = folder / "model.safetensors"
    content = load_file(path)
    first = sorted(content)[0]
    for changed, message in (
        ({k: v for k, v in content.items() if k != first}, f"weights has no {first}"),
        (content | {"other": torch.ones(1)}, "weights has 'other', which is not expected"),
        (content | {first: content[first] * torch.nan}, "not finite"),
        (content | {first: torch.ones(3, 1)}, "has the shape"),
    ):
        save_file(changed, path)
        with pytest.raises(InputError, match=message):
            gan.load(folder)
    path.write_bytes(b"{}")
    with pytest.raises(InputError, match="no whole safetensors file"):
        gan.load(folder)
    path.unlink()
    with pytest.raises(InputError, match=r"has no model\.safetensors: copy the export again"):
        gan.load(folder)
    (folder / "config.json").write_text('{"ganymede": "0.2.0"}')
    with pytest.raises(InputError, match="is no description of an export"):
        gan.load(folder)


def test_settings_of_an_export_can_name_no_other_code(exported: Path, tmp_path: Path) -> None:
    folder = copied(exported, tmp_path / "copy")
    content = json.loads((folder / "config.json").read_text())
    content["settings"]["loss"] = {"_target_": "os.system", "command": "touch ran"}
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"loss\._target_=os\.system: no class of"):
        gan.load(folder)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("format=onx", "format=onx: did you mean 'onnx'"),
        ("checkpoint=best", "has no best.ckpt"),
        ("out={run}", "files are in it already"),
    ],
)
def test_wrong_settings_are_refused(run: Path, given: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        dispatch(["export", f"run={run}", given.format(run=run)])
    assert not (run / "export").exists()


def test_an_export_has_one_checkpoint_and_no_state_of_training(exported: Path) -> None:
    with pytest.raises(InputError, match="is an export of the weights 'last'"):
        gan.load(exported, "best")
    gan.load(exported, "last")
    with pytest.raises(InputError, match="it is an export, which holds no state of training"):
        Run(exported)


def test_nothing_is_written_if_a_file_differs(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = weights.write

    def changed(path: Path, parts: nn.ModuleDict) -> None:
        next(parts.parameters()).data.add_(1e-3)
        write(path, parts)
        next(parts.parameters()).data.sub_(1e-3)

    monkeypatch.setattr(weights, "write", changed)
    with pytest.raises(InputError, match=r"the generator differs from the original by .*e-\d+"):
        dispatch(["export", f"run={run}", f"out={tmp_path / 'out'}"])
    assert [*tmp_path.iterdir()] == []


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(InputError, match=r"needs onnxscript: run pip install 'SOURCE\[export\]'"):
        Onnx().check()


def test_normalised_weights_become_numbers_in_a_copy_alone() -> None:
    linear = nn.Linear(3, 4)
    network = nn.Sequential(linear, nn.Conv2d(2, 2, 3))
    apply_spectral_norm(network)
    network.eval()
    weight = linear.weight.clone()
    copy = plain(network).state_dict()
    assert not any("parametrizations" in name for name in copy)
    assert torch.equal(copy["0.weight"], weight)
    assert torch.equal(linear.weight, weight)
    assert len(network.state_dict()) == 8


def test_metrics_on_the_card_are_those_of_the_checkpoint(tmp_path: Path) -> None:
    results(tmp_path, **fid(3.0)).save()
    stamp = {"num_fakes": 9}
    for name, value in (("best", 5.0), ("last", 7.0)):
        Evaluations(tmp_path / "evaluation.json").add(
            Record(name, 1, name, 0, "p", stamp, {"fid": "p"}, {"fid": value}, 1.0)
        )
    found = measured(tmp_path, "last")
    assert [(m.source, m.checkpoint) for m in found] == [
        ("results.json", "last"),
        ("evaluation.json", "last"),
    ]
    assert ("fid", "p", 7.0) in ranking(found)
    assert ("fid", "p", 5.0) not in ranking(found)


@pytest.mark.slow
@pytest.mark.parametrize("model", options("model"))
def test_every_model_is_exported(config: Compose, tmp_path: Path, model: str) -> None:
    train(config(f"model={model}", "data=digits", "n_critic=1", *SMALL.get(model, WIDTHS)))
    run = tmp_path / "run"
    dispatch(["export", f"run={run}"])
    original, loaded = gan.load(run), gan.load(run / "export")
    if isinstance(original, TranslationGame):
        assert isinstance(loaded, TranslationGame)
        images = torch.rand(2, 1, 16, 16) * 2 - 1
        for direction in original.directions:
            expected = original.translate(images, direction)
            assert torch.equal(loaded.translate(images, direction), expected)
        return
    assert isinstance(original, LatentGame)
    assert isinstance(loaded, LatentGame)
    assert torch.equal(loaded.sample(3, seed=1), original.sample(3, seed=1))
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(run / "export")],
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == float(original.sample(5, seed=3).double().sum()).hex()


@pytest.mark.slow
@pytest.mark.parametrize("graph", [TorchExport(), Onnx()], ids=["torch_export", "onnx"])
@pytest.mark.parametrize("model", options("model"))
def test_every_model_has_graphs(config: Compose, tmp_path: Path, model: str, graph: Graph) -> None:
    node = config(f"model={model}", "data=digits", *SMALL.get(model, WIDTHS))
    game = build(node.model).eval().requires_grad_(False)
    for part in interfaces(game, (1, 16, 16)):
        path = tmp_path / f"{part.name}{graph.suffix}"
        graph.write(part, path)
        function = graph.read(path)
        for count in (1, 5):
            inputs = part.examples(count, seed=count)
            difference = (function(*inputs) - part.module(*inputs)).abs().max()
            assert difference <= graph.tolerance
