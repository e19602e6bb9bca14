"""What commands print and write, with stand-ins for what they load."""

import ast
import json
import signal
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor

from gan.algorithms.class_names import ClassNames
from gan.commands import (
    demo,
    encode,
    export,
    import_,
    models,
    outputs,
    reconstruct,
    report,
    translations,
)
from gan.commands import help as pages
from gan.commands.encode import EncodeOptions
from gan.commands.main import dispatch
from gan.commands.real_images import ImageSource
from gan.commands.report import Entry
from gan.errors import InputError
from gan.runs.evaluations import Spread
from gan.settings import stored
from tests.configs import ROOT


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines that were printed, without spaces at their ends."""
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_the_page_of_all_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    groups = {"Look": [("a", "First [x]."), ("longer", "Second.")], "List": [("b", "Third.")]}
    pages.show_commands(groups)
    assert lines(capsys) == [
        "ganymede COMMAND key=value ...",
        "",
        "Look",
        "a       First [x].",
        "longer  Second.",
        "",
        "List",
        "b       Third.",
        "",
        "ganymede COMMAND --help shows the settings of a command, ganymede --version the version.",
        "--debug shows the traceback of an error.",
    ]


@pytest.mark.parametrize("arguments", [[], ["sample", "--help"], ["train", "--help"]])
def test_colours_are_for_headings_alone(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    dispatch(arguments)
    coloured = [line for line in capsys.readouterr().out.splitlines() if "\x1b" in line]
    assert coloured
    assert not any("=" in line or "[0" in line.replace("\x1b[0m", "") for line in coloured)
    assert all("\x1b[1m" in line for line in coloured)


def test_long_cells_of_a_page_are_folded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    dispatch(["evaluate", "--help"])
    shown = lines(capsys)
    assert not any("…" in line for line in shown)
    assert any(line.split() == ["setting", "type", "default", "meaning"] for line in shown)


ROWS = [
    Entry("runs/[a]", "training, best", 5, {("fid", "p"): Spread.of([4.0])}, {"p": {}}),
    Entry("b", "evaluate", 6, {("fid", "q"): Spread.of([1.0, 3.0])}, {"q": {}}),
    Entry("c", "evaluate", 7, {("kid", "p"): Spread.of([9.0])}, {"p": {}}),
]


def test_the_table_of_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(report, "describe", lambda stamp: f"STAMP {stamp}")
    columns = report._columns(ROWS, ["fid"])
    assert columns == [("fid", "p"), ("fid", "q")]
    assert len(report._columns(ROWS, None)) == 3
    report._print(ROWS, columns)
    shown = lines(capsys)
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown]
    assert ["runs/[a]", "training, best", "5", "4", ""] in cells
    assert ["b", "evaluate", "6", "", "2 ± 1.4"] in cells
    assert not any(row[0] == "c" for row in cells)
    assert shown[-2:] == ["[p] STAMP {}", "[q] STAMP {}"]
    table = report._table(ROWS, columns)
    assert [column.justify for column in table.columns] == ["left"] * 3 + ["right"] * 2


def test_the_file_of_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "entries", lambda runs: (ROWS, []))
    path = tmp_path / "deep" / "er" / "t.csv"
    for _ in range(2):
        report._write_table(path, [], ["fid"])
    assert path.read_text().splitlines() == [
        "run,where,step,fid [p],fid [q]",
        'runs/[a],"training, best",5,4.0,',
        "b,evaluate,6,,2.0",
    ]


def test_the_psnr_of_images() -> None:
    targets = torch.zeros(2, 1, 2, 2)
    images = torch.stack([torch.zeros(1, 2, 2), torch.full((1, 2, 2), 0.2)])
    assert reconstruct._psnr(targets, targets) == pytest.approx(100)
    assert reconstruct._psnr(images, targets) == pytest.approx((100 + 20) / 2)


class Pictures:
    """Pictures of files of growing levels.

    Args:
        names: of the files.
        side: height; the width is half of it.
        channels: of each.
    """

    found = ("converted", "cropped")

    def __init__(self, names: list[str], side: int = 4, channels: int = 1) -> None:
        self.names, self.shape = names, (channels, side, side // 2)

    def read(self, name: str) -> Tensor:
        """Return uint8 pixels."""
        return torch.full(self.shape, 10 * self.names.index(name), dtype=torch.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_written_under_their_names_with_a_sheet(
    channels: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(translations, "save_grid", lambda *given: kept.append(given))
    monkeypatch.setattr(translations, "tile", lambda images, columns: (images, columns))
    names, numbers = [f"d/{k}.jpg" for k in range(9)], list[int]()

    def convert(number: int, image: Tensor) -> list[Tensor]:
        numbers.append(number)
        return [image, image + 100 / 127.5]

    out = tmp_path / "out"
    translations.write_translations(out, Pictures(names, 4, channels), convert)  # type: ignore[arg-type]
    assert numbers == list(range(9))
    for k in (0, 8):
        with Image.open(out / f"d/{k}.png") as image:
            assert (image.format, image.mode, image.size) == (
                "PNG",
                "L" if channels == 1 else "RGB",
                (2, 4),
            )
            assert image.convert("L").getextrema() == (10 * k + 100,) * 2
    (((shown, columns), path),) = kept
    assert (columns, shown.shape, path) == (8, (16, 3, 4, 4), tmp_path / "out_before_after.png")
    middle = ((shown[:, 0, 0, 1] + 1) * 127.5).round().int().tolist()
    assert middle == [*range(0, 80, 10), *range(100, 180, 10)]
    assert lines(capsys) == ["converted", "cropped", str(out), str(path)]


@pytest.mark.parametrize(("sides", "cell"), [((300, 20), 256), ((200, 40), 200), ((256, 1), 256)])
def test_cells_of_a_sheet_are_as_large_as_the_largest_picture(
    sides: tuple[int, int], cell: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translations, "tile", lambda images, columns: images)
    one, other = (torch.zeros(1, side, max(side // 2, 1)) for side in sides)
    assert translations._sheet([[one, other], [other, other]]).shape == (4, 3, cell, cell)


def test_names_that_differ_in_case_alone() -> None:
    assert translations._written_names(["a/x.jpg", "X.png"]) == {
        "a/x.jpg": "a/x.png",
        "X.png": "X.png",
    }
    with pytest.raises(ValueError, match=r"x\.jpg and X\.bmp would both be X\.png"):
        translations._written_names(["x.jpg", "X.bmp"])


class Opened:
    """A stand-in of twenty real images, each of its number."""

    found = ("cropped",)

    def __init__(self, labels: bool) -> None:
        self.names = [str(k) for k in range(20)]
        self.labels = torch.arange(20) % 3 if labels else None

    def read(self, rows: slice) -> Tensor:
        """Return images."""
        return torch.arange(20.0)[rows].view(-1, 1, 1, 1)


@pytest.fixture
def encoding(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let ``encode`` read no run; return what it asks for and maps."""
    found = SimpleNamespace(asked=[], mapped=[], known=[], opened=Opened(True), kind="Encoder")
    game = SimpleNamespace(clock=SimpleNamespace(step=7))
    game.to = lambda device: game
    run = SimpleNamespace(path=Path("RUN"))

    class Encoding:
        def encode_all(self, images: Opened) -> Tensor:
            return torch.arange(float(len(images.names)))[:, None].expand(-1, 2)

    class Searched(Encoding):
        pass

    def choose(*given: Any) -> Encoding:
        found.asked.append(given)
        return Searched() if found.kind == "Searched" else Encoding()

    def accuracies(*given: Tensor) -> dict[str, float]:
        found.known.append(given)
        return {"linear": 0.5}

    monkeypatch.setattr(encode, "check_run", lambda *_: None)
    monkeypatch.setattr("gan.runs.folder.open_run", lambda *_: run)
    monkeypatch.setattr("gan.runs.checkpoints.load", lambda *_: game)
    monkeypatch.setattr("gan.runs.encoding.encoding_of", choose)
    monkeypatch.setattr("gan.runs.encoding.SearchedStyles", Searched)
    monkeypatch.setattr("gan.metrics.probes.accuracies", accuracies)
    monkeypatch.setattr("gan.runs.classes.read_class_names", lambda path: [])
    monkeypatch.setattr("gan.metrics.plane.plane", lambda vectors, seed: (vectors, seed))
    monkeypatch.setattr("gan.pictures.class_map", lambda *given: given)
    monkeypatch.setattr("gan.pictures.save_grid", lambda *given: found.mapped.append(given))
    monkeypatch.setattr(ImageSource, "open", lambda self, run: found.opened)
    return found


def test_latents_accuracies_and_a_map(
    encoding: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "z.npz"
    encode.encode(EncodeOptions("RUN", str(out), steps=3, seed=4, map=9))
    ((_, example, *rest),) = encoding.asked
    assert (example.shape, rest) == ((1, 1, 1, 1), [3, 4])
    ((train, labels, latents, own),) = encoding.known
    assert (train.shape, latents.shape) == ((20, 2), (20, 2))
    assert torch.equal(labels, own)
    (((plane, known, names), path),) = encoding.mapped
    assert (len(plane[0]), plane[1], path) == (9, 4, tmp_path / "z.png")
    assert known.tolist() == [0, 1, 2] * 3
    assert names == ["0", "1", "2"]
    content = json.loads((tmp_path / "z.json").read_text())
    assert content == {"images": 20, "dim": 2, "step": 7, "linear": 0.5}
    places = [str(tmp_path / f"z.{kind}") for kind in ("npz", "json", "png")]
    assert lines(capsys) == ["cropped", "linear: 50.00%", *places]


@pytest.mark.parametrize("given", [{"split": "train"}, {"split": "test"}])
def test_accuracies_are_of_held_out_images(
    given: dict[str, str], encoding: Any, tmp_path: Path
) -> None:
    encode.encode(EncodeOptions("RUN", str(tmp_path / "z.npz"), **given, map=0))  # type: ignore[arg-type]
    assert len(encoding.known) == (given["split"] == "test")
    assert encoding.mapped == []


@pytest.mark.parametrize(("n", "count"), [(None, 16), (20, 20)])
def test_sixteen_styles_are_searched_by_default(
    n: int | None, count: int, encoding: Any, tmp_path: Path
) -> None:
    encoding.kind = "Searched"
    encode.encode(EncodeOptions("RUN", str(tmp_path / "z.npz"), n=n))
    with np.load(tmp_path / "z.npz") as arrays:
        assert len(arrays["latents"]) == len(arrays["names"]) == len(arrays["labels"]) == count
    assert encoding.known == []
    assert len(encoding.mapped) == 1


@pytest.mark.parametrize(("most", "drawn"), [(4, False), (5, True)])
def test_a_map_has_five_points_or_more(
    most: int, drawn: bool, encoding: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoding.opened = Opened(False)
    encode.encode(EncodeOptions("RUN", str(tmp_path / "z.npz"), map=most))
    assert len(encoding.mapped) == drawn
    assert (lines(capsys)[-1] == str(tmp_path / "z.png")) == drawn
    for (_, known, names), _ in encoding.mapped:
        assert (known, names) == (None, [])


@pytest.mark.parametrize("named", [True, False])
def test_the_card_of_a_run(named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan.exports.card.card_of", lambda *given, **named: (given, named))
    monkeypatch.setattr("gan.exports.card.measured", lambda *given: given)
    monkeypatch.setattr("gan.runs.portable.plain", lambda config: f"plain {config}")
    original: Any = SimpleNamespace(
        game="G", networks=lambda: "N", interfaces=lambda: "I", classes=("a",), checkpoint="last"
    )
    run: Any = SimpleNamespace(path=tmp_path, config="C")
    options = (
        export.ExportOptions("r", name="NAME", licence="mit")
        if named
        else export.ExportOptions("r")
    )
    card: Any = export._card(run, original, options)
    given, rest = card
    assert given == ("G", "N", "I", "plain C")
    assert rest == {
        "name": "NAME" if named else tmp_path.name,
        "licence": "mit" if named else "unknown",
        "classes": ["a"],
        "metrics": (tmp_path, "last"),
    }
    imported = import_.ImportOptions("x/w.pth", name=options.name, licence=options.licence)
    card = import_._card("C", original, imported, "SOURCE")  # type: ignore[arg-type]
    given, rest = card
    assert given == ("G", "N", "I", "plain C")
    name = "NAME" if named else "w"
    assert rest == {
        "name": name,
        "licence": "mit" if named else "unknown",
        "classes": [],
        "source": "SOURCE",
    }


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_exported_of_a_run(
    kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "samples").mkdir()
    for step in (1, 3, 2):
        (tmp_path / "samples" / f"step_{step}.png").touch()
    loaded: list[Any] = []
    monkeypatch.setattr("gan.runs.checkpoints.load_game", lambda *given: loaded.append(given))
    monkeypatch.setattr("gan.runs.classes.read_class_names", lambda path: ["a", "b"])
    monkeypatch.setattr("gan.runs.portable.portable", lambda config: "PORTABLE")
    data = SimpleNamespace(channels=3, resolution=8)
    run: Any = SimpleNamespace(
        path=tmp_path, config=SimpleNamespace(data=data), existing=lambda names: ["last"]
    )
    options = export.ExportOptions("r", discriminator=kept, allow_targets=["mine"])
    found: Any = export._original(run, options)
    assert loaded == [(run, "last")]
    assert (found.shape, found.settings, found.checkpoint) == ((3, 8, 8), "PORTABLE", "last")
    assert found.kept == ["discriminator"] * kept
    assert (found.classes, found.allow_targets) == (["a", "b"], ["mine"])
    assert found.picture == tmp_path / "samples" / "step_3.png"


def test_imported_weights_are_ready_for_use(monkeypatch: pytest.MonkeyPatch) -> None:
    network = torch.nn.Linear(2, 2)
    dropped: list[Any] = []

    class Game(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.averaged = network

        def drop_training(self, kept: Any) -> None:
            dropped.append(kept)

        def sample(self, n: int) -> Tensor:
            return torch.zeros(n, 3, 8, 9)

    monkeypatch.setattr(import_, "build", lambda node: Game())
    monkeypatch.setattr("gan.imports.known.load", lambda *given: dropped.append(given))
    monkeypatch.setattr("gan.runs.portable.portable", lambda config: "PORTABLE")
    found: Any = import_._original(SimpleNamespace(model="M"), Path("w"), "STATE")  # type: ignore[arg-type]
    assert dropped == [(network, Path("w"), "STATE"), ()]
    assert (found.shape, found.settings, found.checkpoint) == ((3, 8, 9), "PORTABLE", "imported")
    assert not found.game.training
    assert not any(weight.requires_grad for weight in network.parameters())


def test_progress_of_the_models_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[Any] = []

    def bar(items: Any, name: str, **given: Any) -> Any:
        bars.append((name, given))
        return items

    few = {"model": ["a"], "loss": ["x", "y"], "data": ["d"]}
    composed = SimpleNamespace(chosen=lambda group: ["x"], override=lambda group, option: option)
    monkeypatch.setattr(models, "tqdm", bar)
    monkeypatch.setattr(models, "options", lambda group: few.get(group, []))
    monkeypatch.setattr(models, "ModelConfig", lambda *_: composed)
    monkeypatch.setattr(models, "_composes", lambda *_: "yes [1]")
    monkeypatch.setattr(models, "_row", lambda name, data, parameters: ([name, "P", "G"], None))
    monkeypatch.setattr(models, "description", lambda *_: "TEXT")
    models._show_all("d", False)
    models._show("a", "d")
    assert bars == [
        ("models", {"leave": False, "disable": None}),
        ("a", {"leave": False, "disable": None}),
    ]


def test_the_table_of_models_is_as_wide_as_its_longest_row(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(models, "show", shown.append)
    models._print([["a", "P"], ["b", "P", "[gan]", "l", "c", "r", "1", "2"]])
    (table,) = shown
    assert [str(column.header) for column in table.columns] == list(models._HEADS[:8])
    assert [column.justify for column in table.columns] == ["left"] * 6 + ["right"] * 2
    assert [*table.columns[2].cells] == ["", r"\[gan]"]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let ``demo`` load and serve nothing; return the calls that it makes."""
    calls: list[Any] = []

    def answering(answer: Any) -> Any:
        """Return a function that keeps its arguments and answers."""

        def call(*given: Any) -> Any:
            calls.append(given)
            return answer

        return call

    page = SimpleNamespace(block_thread=lambda: calls.append(signal.getsignal(signal.SIGTERM)))
    fake: Any = ModuleType("gan.demo.page")
    fake.panels_of = lambda model: "PANELS"
    fake.build_page, fake.serve = answering(page), answering("ADDRESS")
    monkeypatch.setattr("gan.demo.model.Model.load", answering(SimpleNamespace(title="TITLE")))
    monkeypatch.setitem(sys.modules, "gan.demo.page", fake)
    monkeypatch.setitem(sys.modules, "gradio", ModuleType("gradio"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(demo, "check_run", lambda *_: None)
    monkeypatch.setattr("gan.runs.folder.open_run", lambda *given: given)
    for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_TEMP_DIR", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "x")
    return calls


def test_the_page_of_a_run_is_served_until_it_is_ended(
    served: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        given = ["checkpoint=last", "device=cpu", "port=8000", "browser=true"]
        dispatch(["demo", "run=RUN", *given])
    finally:
        signal.signal(signal.SIGTERM, before)
    loaded, (model, panels), (_, *address), handler = served
    assert loaded == (("RUN", []), "last", torch.device("cpu"))
    assert (model.title, panels, address) == ("TITLE", "PANELS", [8000, True])
    assert handler is signal.default_int_handler
    assert lines(capsys) == ["TITLE", "ADDRESS", "Ctrl-C ends the page"]
    assert tempfile.tempdir is not None
    assert "ganymede-demo-" in tempfile.tempdir
    assert not Path(tempfile.tempdir).exists()


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let exports load and write nothing; return what would be written."""
    calls: list[Any] = []

    def write(*given: Any) -> list[str]:
        calls.append(given)
        return ["CHECK 1", "CHECK 2"]

    monkeypatch.setattr("gan.exports.writer.write", write)
    return calls


def test_checks_of_an_export_are_printed(
    exported: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    graph = SimpleNamespace(check=lambda: exported.append("checked"))
    monkeypatch.setattr("gan.exports.writer.GRAPHS", {"onnx": graph, "safetensors": None})
    monkeypatch.setattr(export, "check_run", lambda *_: None)
    monkeypatch.setattr(export, "open_run", lambda *given: given)
    monkeypatch.setattr(export, "_original", lambda *given: "ORIGINAL")
    monkeypatch.setattr(export, "_card", lambda *given: "CARD")
    out = tmp_path / "out"
    dispatch(["export", "run=RUN", "format=onnx", f"out={out}"])
    assert exported == ["checked", ("ORIGINAL", "CARD", out, graph)]
    assert lines(capsys) == ["CHECK 1", "CHECK 2", str(out)]
    dispatch(["export", f"run={tmp_path / 'run'}"])
    assert exported[2:] == [("ORIGINAL", "CARD", tmp_path / "run" / "export", None)]


def test_checks_of_an_import_are_printed(
    exported: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    layout = SimpleNamespace(
        title="TITLE", settings=lambda source: ["a=1", "b=2"], state=lambda source: "TENSORS"
    )
    monkeypatch.setattr("gan.imports.known.find_layout", lambda source: layout)
    monkeypatch.setattr("gan.imports.files.read", lambda path, key: {"w": key})
    monkeypatch.setattr("gan.imports.files.digest", lambda path: "0123456789abcdefg")
    monkeypatch.setattr(import_, "_config", lambda *given: "CONFIG")
    monkeypatch.setattr(import_, "_original", lambda *given: given)
    monkeypatch.setattr(import_, "_card", lambda *given: (given[0], given[1], given[3]))
    weights, out = tmp_path / "w.pth", tmp_path / "out"
    weights.touch()
    dispatch(["import", f"weights={weights}", "data=digits", f"out={out}", "key=K"])
    original = ("CONFIG", weights, "TENSORS")
    card = ("CONFIG", original, "TITLE, SHA-256 0123456789abcdef")
    assert exported == [(original, card, out)]
    head = f"{weights}: TITLE, 1 tensors, a=1, b=2"
    assert lines(capsys) == [head, "CHECK 1", "CHECK 2", str(out)]


@pytest.mark.parametrize("given", [("a/b", "a_b"), ("a", "b", "c")])
def test_more_classes_than_names_are_a_fault_of_the_program(given: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        outputs.folder_names(ClassNames(given), 4)


def test_files_and_stages_of_different_numbers_are_a_fault_of_the_program(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        outputs._write_labels(tmp_path / "labels.csv", ["a", "b"], [1])
    one = torch.zeros(1, 2, 2)
    with pytest.raises(ValueError, match="zip"):
        translations._sheet([[one], [one, one]])
    data: Any = {"channels": 1, "resolution": 2, "num_classes": 3}
    options = import_.ImportOptions("w", "digits", "out")
    with pytest.raises(ValueError, match="zip"):
        import_._check_data(options, data, (1, 2))  # type: ignore[arg-type]
    import_._check_data(options, data, (1, 2, 0))  # weights without classes
    for shape in ((3, 2, 3), (1, 4, 3), (1, 2, 4)):
        with pytest.raises(InputError, match="data=digits: its"):
            import_._check_data(options, data, shape)


def test_a_model_that_is_refused_has_a_short_line() -> None:
    assert models._line(["a", "P", "GAN", "hinge"]) == "game GAN; loss hinge"


def test_a_model_is_shown_with_the_sizes_of_its_networks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = {"loss": ["x", "y"], "augment": ["x"]}
    composed = SimpleNamespace(chosen=lambda group: ["x"], override=lambda group, option: option)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(models, "options", lambda group: few.get(group, []))
    monkeypatch.setattr(models, "ModelConfig", lambda *_: composed)
    monkeypatch.setattr(models, "_composes", lambda *given: f"yes {given[2]} [a]")
    row = lambda name, data, parameters: (["a", "P", f"{parameters}"], "REASON")  # noqa: E731
    monkeypatch.setattr(models, "_row", row)
    monkeypatch.setattr(models, "description", lambda *_: "TEXT")
    models._show("a", "d")
    shown = lines(capsys)
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown]
    assert shown[:2] == ["a: TEXT", "game True"]
    assert ["loss", "x (its own)", "yes x [a]"] in cells
    assert ["", "y", "yes y [a]"] in cells
    assert ["augment", "x (its own)", "yes x [a]"] in cells
    assert shown[-1] == "on data=d: REASON"


def test_a_damaged_run_is_left_out_of_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "find_runs", lambda pattern: [tmp_path])
    monkeypatch.setattr(report, "_print", lambda rows, columns: print(len(rows), columns))
    monkeypatch.setattr(report, "describe", str)
    found: tuple[list[Entry], list[str]] = (ROWS, ["one\x1b", "two"])
    monkeypatch.setattr(report, "entries", lambda runs: found)
    dispatch(["report", "runs=x", "metrics=[kid]", f"out={tmp_path / 't.csv'}"])
    shown = lines(capsys)
    assert shown[0] == "3 [('kid', 'p')]"
    assert shown[1].startswith("left out: one")
    assert "\x1b" not in shown[1]
    assert shown[2:] == ["left out: two", f"written: {tmp_path / 't.csv'}"]
    found = ([], ["one", "two"])
    with pytest.raises(InputError, match=r"^one$"):
        dispatch(["report", "runs=x"])
    monkeypatch.setattr(report, "is_run", lambda path: True)
    pages_written: list[Any] = []
    page = lambda path, runs, metrics: pages_written.append((path, runs))  # noqa: E731
    monkeypatch.setitem(report._WRITERS, ".html", page)
    dispatch(["report", "runs=x", f"out={tmp_path / 'p.html'}"])  # shows runs without metrics too
    assert pages_written == [(tmp_path / "p.html", [tmp_path])]
    with pytest.raises(InputError, match=r"^one$"):
        dispatch(["report", "runs=x", f"out={tmp_path / 't.csv'}"])


@pytest.mark.parametrize(
    "path", sorted((ROOT / "gan" / "commands").glob("*.py")), ids=lambda p: p.stem
)
def test_text_files_are_written_alike_on_any_system(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node).partition("(")[2].startswith("'w'"):
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert given == {"newline": "''", "encoding": "'utf-8'"}, ast.unparse(node)


@pytest.mark.parametrize(("known", "taken"), [(None, 10), (10, 10), (7, None)])
def test_classes_of_imported_weights_count_where_the_data_state_none(
    known: int | None, taken: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    data = {"channels": 3, "resolution": 32, "num_classes": known}
    config = OmegaConf.create({"data": data, "run_dir": "OLD"})

    def composed(arguments: list[str]) -> Any:
        calls.append(arguments)
        return config

    monkeypatch.setattr(import_, "compose", composed)
    monkeypatch.setattr(stored, "resolve", calls.append)
    monkeypatch.setattr(import_, "validate", calls.append)
    layout: Any = SimpleNamespace(model="M", shape=lambda source: (3, 32, 10))
    options = import_.ImportOptions("w", "digits", "out", settings=["data.root=x"])
    if taken is None:
        with pytest.raises(InputError, match="its num_classes is 7, that of the weights 10"):
            import_._config(options, layout, "SOURCE", ["a=1"])  # type: ignore[arg-type]
        return
    found = import_._config(options, layout, "SOURCE", ["a=1"])  # type: ignore[arg-type]
    chosen = ["model=M", "data=digits", "averaging=none", "size=paper", "a=1", "++data.root=x"]
    assert calls == [chosen, config, config]
    assert (found.data.num_classes, found.run_dir) == (taken, ".")


def test_a_leaderboard_is_saved_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    board = SimpleNamespace(
        rows=["ROW"], save=lambda: calls.append("saved"), show=lambda: calls.append("shown")
    )
    monkeypatch.setattr("gan.commands.leaderboard.Leaderboard.of", lambda path: board)
    dispatch(["leaderboard", "sweep=SWEEP"])
    assert calls == ["saved", "shown"]
