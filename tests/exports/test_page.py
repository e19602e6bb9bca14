"""The card of an export and its page, from what is on it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan.algorithms.interfaces import Interface, Port
from gan.errors import InputError
from gan.exports import writer
from gan.exports.card import (
    Card,
    Check,
    Metrics,
    card_of,
    describe_data,
    describe_training,
    measured,
    ranking,
)
from gan.exports.graphs import Onnx, TorchExport, plain
from gan.exports.readme import page
from gan.exports.writer import _compared, _write_graph
from gan.runs.evaluations import Evaluations, Record
from tests.sweeps.launching import fid, results

LATENTS = {"name": "z", "shape": ["batch", 8], "dtype": "float32", "values": "latents"}
LABELS = {"name": "y", "shape": ["batch"], "dtype": "int64", "values": "0..2"}
IMAGES = {"name": "images", "shape": ["batch", 1, 8, 8], "dtype": "float32", "values": "[-1, 1]"}
GENERATOR = {"name": "generator", "inputs": [LATENTS, LABELS], "output": IMAGES}
BACK = {"name": "translator_ba", "inputs": [IMAGES], "output": IMAGES}


def card(**others: Any) -> Card:
    """Return a small card."""
    given: dict[str, Any] = {
        "name": "a_b",
        "game": "GAN",
        "task": "unconditional-image-generation",
        "networks": {"generator": {"class": "Net", "parameters": 12345}},
        "interfaces": [GENERATOR],
        "classes": ["no", "<b>", "c|d"],
        "data": {"class": "Digits", "channels": 1, "none": None},
        "training": {"steps": 3, "loss": None},
        "checks": [Check("generator.onnx", "generator", 1.234e-6, 1e-4)],
        "data_terms": "Terms.",
        "licence": "mit",
    }
    return Card(**given | others)


PAGE = """\
---
license: mit
library_name: ganymede
pipeline_tag: unconditional-image-generation
tags:
- gan
- pytorch
- ganymede
---
# a\\_b

GAN, trained on Digits: generator (Net, 12,345 parameters).

## Use

```python
import gan

game = gan.load("FOLDER")
images = game.sample(16, seed=0, labels=[0])  # (16, C, H, W) in [-1, 1]
```

By command: `python -m gan sample run=FOLDER n=64`.

## Interface

| function | tensor | shape | type | values |
|---|---|---|---|---|
| generator, takes | z | (batch, 8) | float32 | latents |
| generator, takes | y | (batch) | int64 | 0..2 |
| generator, returns | images | (batch, 1, 8, 8) | float32 | [-1, 1] |

Classes: 0 no, 1 &lt;b&gt;, 2 c\\|d.

## Training data

* class: Digits
* channels: 1

## Training

* steps: 3

## Metrics

Not measured.

## Files, compared with the original

* generator.onnx: generator, largest difference 1.2e-06 (tolerance 1e-04)

## Licence

Weights: mit. Terms.

## Intended use

Use.

## Misuse and limits

None.
"""


def test_the_page_of_a_card() -> None:
    assert page(card(intended_use="Use.", misuse="None.")) == PAGE


def test_what_else_a_page_says() -> None:
    stamp = {"n": 9, "x": "`"}
    metrics = [
        Metrics("results.json", "best", 3, {"fid": 1.23456789, "is": 2.0}, {"fid": "p"}, stamp),
        Metrics("results.json", "best", 3, {"kid": 0.5}, {"kid": "q", "absent": "q"}, stamp),
        Metrics("evaluation.json", "best", 3, {"fid": 4.0}, {"fid": "r"}, {"n": 8}),
    ]
    assert ranking(metrics) == [("fid", "p", 1.23456789), ("kid", "q", 0.5), ("fid", "r", 4.0)]
    text = page(card(metrics=metrics, samples="s.png", source="a file", training={}, noise=True))
    for line in (
        "Weights: a file.",
        "![samples](s.png)",
        "| fid | 1.2346 | p |",
        "| kid | 0.5 | q |",
        '* results.json: `{"n": 9, "x": "\'"}`',
        '* evaluation.json: `{"n": 8}`',
        "The file of the weights says nothing about it.",
    ):
        assert f"\n{line}\n" in text
    assert text.count("* results.json") == 1
    assert "Each sample has its own pixel noise" in text
    assert "pixel noise" not in page(card())
    assert "pixel noise" not in page(card(noise=True, checks=[]))
    assert "pixel noise" not in page(card(noise=True, checks=[Check("model", "g", 0.0, 0.0)]))
    assert "labels" not in page(card(interfaces=[{**GENERATOR, "inputs": [LATENTS]}], classes=[]))
    assert "Classes" not in page(card(classes=[]))
    back = page(card(interfaces=[BACK]))
    assert 'back = game.translate(images, "ba")' in back
    assert "python -m gan translate run=FOLDER images=DIR out=DIR" in back


SETTINGS: dict[str, Any] = {
    "data": {"_target_": "a.b.Digits", "channels": 1, "resolution": 8, "num_classes": 3},
    **{"size": "tiny", "batch_size": 4, "n_critic": 2, "seed": 5},
    **dict.fromkeys(["augment", "averaging", "prior", "task"]),
    "loss": {"_target_": "x.Hinge"},
    "conditioning": {"_target_": "x.None_"},
    "regularizers": {"r1": {}, "pl": {}},
    "optimizer": {
        "generator": {"_target_": "t.Adam", "lr": 0.1},
        "discriminator": {"_target_": "t.SGD", "lr": 0.2},
    },
}


def test_data_and_training_in_words() -> None:
    found = describe_training(SETTINGS, 7, 70)
    assert {key: value for key, value in found.items() if value is not None} == {
        **{"steps": 7, "images seen": 70, "size": "tiny", "batch_size": 4, "n_critic": 2},
        **{"seed": 5, "loss": "Hinge", "conditioning": "None_", "regularizers": "r1, pl"},
        "optimizer of the generator": "Adam, lr 0.1",
        "optimizer of the discriminator": "SGD, lr 0.2",
    }
    assert describe_training({**SETTINGS, "regularizers": {}}, 7, 70)["regularizers"] is None
    data = {**SETTINGS["data"], "a": {"_target_": "x.A"}, "b": None}
    shape = {"channels": 1, "resolution": 8, "num_classes": 3}
    assert describe_data(data) == {"class": "Digits", **shape, "domain a": "A"}


class Double(nn.Module):
    """Twice the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((3,), 2.0))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


def doubling(scale: float = 1.0) -> Interface:
    def draw(count: int, generator: torch.Generator) -> Tensor:
        return scale * torch.rand(count, 3, generator=generator)

    return Interface("generator", Double(), ((Port("x", (3,), "any"), draw),), Port("y", (3,), "n"))


def test_the_card_of_a_game() -> None:
    game: Any = SimpleNamespace(clock=SimpleNamespace(step=7, images=70))
    networks = nn.ModuleDict({"generator": Double()})
    given = (game, networks, [doubling()], SETTINGS)
    found = card_of(*given, name="n", classes=[])
    assert (found.game, found.task) == ("SimpleNamespace", "unconditional-image-generation")
    assert found.networks == {"generator": {"class": "Double", "parameters": 3}}
    port = {"shape": ["batch", 3], "dtype": "float32"}
    assert found.interfaces == [
        {
            "name": "generator",
            "inputs": [{"name": "x", "values": "any", **port}],
            "output": {"name": "y", "values": "n", **port},
        }
    ]
    assert (found.training["steps"], found.training["images seen"], found.source) == (7, 70, None)
    assert found.data["class"] == "Digits"
    other = card_of(*given, "a file", name="n", classes=[])
    assert (other.training, other.source) == ({}, "a file")


def test_metrics_of_either_checkpoint(tmp_path: Path) -> None:
    assert measured(tmp_path, "best") == []
    results(tmp_path, **fid(3.0)).save()
    record = Record("best", 1, "w", 0, "p", {"n": 9}, {"fid": "p"}, {"fid": 5.0}, 1.0)
    Evaluations(tmp_path / "evaluation.json").add(record)
    first, second = measured(tmp_path, "best")
    known = results(tmp_path, **fid(3.0))
    assert first.values == known.best
    assert (first.step, first.protocols) == (known.best_step, known.protocols)
    assert (second.step, second.values, second.stamp) == (1, {"fid": 5.0}, {"n": 9})
    without = results(tmp_path, **fid(3.0))
    without.protocols = {}
    without.save()
    assert [m.source for m in measured(tmp_path, "best")] == ["evaluation.json"]


@pytest.mark.parametrize(("scale", "worst"), [(0.25, 0.1), (10.0, 0.1)])
def test_differences_are_relative_to_large_outputs(scale: float, worst: float) -> None:
    part, path = doubling(scale), Path("g.onnx")
    largest = max(2 * float(part.examples(n)[0].max()) for n in (1, 4))
    assert (largest > 1) == (scale > 1)

    def near(x: Tensor) -> Tensor:
        found = 2 * x
        if len(x) == 4:
            found[0, 0] -= worst * max(1.0, float(found.abs().max()))
        return found

    check = _compared(part, near, path, 0.2)
    assert (check.file, check.name, check.tolerance) == ("g.onnx", "generator", 0.2)
    assert check.difference == pytest.approx(worst, rel=1e-5)
    exact = _compared(part, lambda x: 2 * x, path, 0.0)
    assert exact.difference == 0
    with pytest.raises(InputError, match=r"differs from the original by 1\.0e-01.* 5e-02"):
        _compared(part, near, path, 0.05)
    with pytest.raises(InputError, match="by nan"):
        _compared(part, lambda x: x * torch.nan, path, 1.0)


def test_a_graph_of_any_batch_is_read_again(tmp_path: Path) -> None:
    check = _write_graph(TorchExport(), doubling(), tmp_path)
    assert (check.file, check.difference) == ("generator.pt2", 0)


def test_weights_of_a_graph_are_fixed_and_in_evaluation_mode() -> None:
    module = Double()
    fixed = plain(module)
    assert not any(weight.requires_grad for weight in fixed.parameters())
    assert (fixed.training, module.training) == (False, True)
    assert module.weight.requires_grad


def test_a_graph_that_cannot_be_traced_is_refused(tmp_path: Path) -> None:
    class Broken(TorchExport):
        def write(self, interface: Interface, path: Path) -> None:
            raise ZeroDivisionError("x " * 200 if path.parent == tmp_path else "")

    with pytest.raises(InputError, match=r"generator\.pt2: .* \((x ){10}.*format=safetensors"):
        _write_graph(Broken(), doubling(), tmp_path)
    with pytest.raises(InputError, match=r"\(ZeroDivisionError\)"):
        _write_graph(Broken(), doubling(), tmp_path / "other")


def test_names_and_place_of_weights_of_onnx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr("gan.exports.graphs._program", lambda part: part.name)
    monkeypatch.setattr(
        torch.onnx, "export", lambda program, **named: given.update(named, p=program)
    )
    Onnx().write(doubling(), tmp_path / "a.onnx")
    names = {"input_names": ["x"], "output_names": ["y"], "f": str(tmp_path / "a.onnx")}
    assert given == {**names, "external_data": False, "verbose": False, "p": "generator"}


def test_the_picture_of_samples_or_that_of_the_game(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    game: Any = SimpleNamespace()
    for picture, there in ((None, False), (tmp_path / "a.png", True)):
        original = writer.Original(game, (1, 8, 8), {}, "best", picture=picture)
        assert writer._draw(original, tmp_path / "b.png") is there
    assert (tmp_path / "b.png").read_bytes() == b"picture"
