"""What the page holds, and that nothing of a run folder is read as HTML."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError
from PIL import Image

from gan.commands.main import dispatch
from gan.errors import InputError
from gan.reports import page
from gan.reports.history import History, Track
from gan.reports.page import Page
from gan.reports.pictures import Album
from gan.reports.summary import RunSummary
from gan.sweeps.job import Outcome, State
from tests.reports import made_up
from tests.reports.made_up import FID

EVIL = "</script><script>alert(1)<!--"


def data(page: Path) -> Any:
    """Return what the script of a page reads."""
    found = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "pages" / "report.html"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def report(runs: Path | str, out: Path) -> str:
    dispatch(["report", f"runs={runs}", f"out={out}"])
    text = out.read_text()
    return text[: text.index("<script>")]  # without the libraries


def test_numbers_of_runs(runs: Path, out: Path) -> None:
    for seed in (0, 1):
        made_up.run(runs / str(seed), 4.0 + seed, seed=seed)
    made_up.run(runs / "mlp", 9.0, "mlp", steps=200)
    text, found = report(runs, out), data(out)
    assert "4.5 ± 0.71" in text
    assert ">1,500<" in text  # parameters
    assert [run["seed"] for run in found["runs"]] == ["0", "1", "0"]
    assert found["chosen"] == [0, 1, 2]
    assert found["settings"].keys() == {"model.generator._target_", "steps"}
    assert found["settings"]["steps"] == {"values": ["150", "200"], "of": [0, 0, 1][1:]}
    (track,) = (t for t in found["runs"][2]["tracks"] if FID in t["values"])
    assert track["steps"] == [50, 100, 150, 200]
    assert track["hours"] == pytest.approx([64 * s / 1000 / 3600 for s in track["steps"]], 1e-4)
    assert track["values"][FID] == [24.0, 19.0, 14.0, 9.0]
    assert found["runs"][2]["protocols"][FID] == "aaaaaaaa"
    (table,) = found["classes"]
    assert table["labels"][3] == "class 3"
    assert table["rows"][0]["values"] == [4.0 + label for label in range(10)]


def test_texts_of_a_run_folder_are_no_html(runs: Path, out: Path) -> None:
    run = made_up.run(runs / "<img src=x onerror=alert(1)>", model="<b>&amp;", loss=EVIL)
    (run / "classes.json").write_text(json.dumps([EVIL, *"abcdefghi"]))
    made_up.run(runs / "other")
    Outcome(State.FAILED, EVIL, overrides=[f"name={EVIL}"]).save(runs / "failed<i>")
    text, found = report(runs, out), data(out)
    assert "<script>" not in text
    assert not re.search(r"<(img src=x|b|i)>", text)
    assert found["classes"][0]["labels"][0] == EVIL
    assert out.read_text().count("<script>") == 2
    assert "default-src 'none'" in text


def test_damaged_and_failed_runs_are_shown_with_their_reasons(
    runs: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up.run(runs / "good")
    (made_up.run(runs / "garbled", model="mlp") / "results.json").write_text("{")
    (runs / "failed").mkdir()
    Outcome(State.FAILED, "CUDA out of memory").save(runs / "failed")
    Outcome(State.PRUNED, "median").save(made_up.run(runs / "pruned", steps=90))
    (made_up.run(runs / "picture", seed=1) / "samples" / "step_00000050.png").write_text("none")
    text = report(runs, out)
    for reason in (
        "is no result of a run",
        "CUDA out of memory",
        "is no whole picture",
        "training, pruned",
    ):
        assert reason in text
    assert "left out: " in capsys.readouterr().out


def test_not_finite_values(runs: Path, out: Path) -> None:
    inf = float("inf")
    made_up.run(runs / "a", best={"step": 50, FID: inf}, final={FID: float("nan")})
    table = runs / "a" / "metrics.csv"
    table.write_text(table.read_text().replace("24.0", "nan"))
    report(runs, out)
    assert "NaN" not in json.dumps(data(out))


def test_only_failures_make_a_page_but_no_table(runs: Path, out: Path) -> None:
    (runs / "a").mkdir(parents=True)
    Outcome(State.FAILED, "the reason").save(runs / "a")
    assert "the reason" in report(runs, out)
    with pytest.raises(InputError, match=r"no results\.json"):
        dispatch(["report", f"runs={runs}"])


def test_bad_input(runs: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.mkdir()
    for pattern in (runs, f"{runs}/*"):
        with pytest.raises(InputError, match=r"no results\.json"):
            report(pattern, out)
    made_up.run(runs / "a")
    with pytest.raises(InputError, match=r"ends in \.html or \.csv"):
        report(runs, out.with_suffix(".pdf"))
    monkeypatch.setitem(__import__("sys").modules, "plotly.offline", None)
    with pytest.raises(InputError, match=r"needs plotly: run pip install"):
        report(runs, out)
    assert not out.exists()


def test_pictures_of_a_run_with_steps_and_names(
    runs: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made_up.run(runs / "a", pictures=(50, 100))
    made_up.run(runs / "none", 9.0, "mlp")
    (run / "figures").mkdir()
    Image.new("L", (1500, 300)).save(run / "figures" / "a.png")
    Image.new("L", (600, 60)).save(run / "samples" / "step_00000150.png")
    report(runs, out)
    shown, other = data(out)["runs"]
    sizes = [(s["step"], s["width"], s["height"], s["reduced"]) for s in shown["samples"]]
    assert sizes == [(50, 341, 273, False), (100, 341, 273, False), (150, 480, 48, True)]
    (figure,) = shown["figures"]
    assert (figure["name"], figure["width"], figure["height"]) == ("a", 1000, 200)
    assert other["samples"] == other["figures"] == []
    assert "<h2>Notes</h2>" not in out.read_text()
    monkeypatch.setattr(page, "_SAMPLES", 100)
    monkeypatch.setattr(page, "_FIGURES", 100)
    report(runs, out)
    assert "4 pictures left out to keep the page small" in out.read_text()


def test_pictures_share_the_place_of_the_runs_that_have_some(tmp_path: Path) -> None:
    """Seven and four MiB, with samples of at most 480 and figures of at most 1000 pixels."""
    made, runs = [], [RunSummary(tmp_path / name) for name in "abc"]
    runs[0].samples, runs[1].samples = {1: tmp_path / "a"}, {1: tmp_path / "b"}
    runs[2].figures = [tmp_path / "c"]

    class Seen(Album):
        def __init__(self, *given: int) -> None:
            made.append(given)
            super().__init__(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "Album", Seen)
        notes = Page(runs).data()["notes"]
    assert made == [(7 * 2**20, 2, 480), (4 * 2**20, 1, 1000)]
    assert len(notes) == 3  # the files are missing


def grouped(*sizes: int) -> list[RunSummary]:
    """Return runs in groups of these sizes."""
    return [
        RunSummary(Path(f"runs/g{group}-{seed}"), settings={"x": str(group), "seed": str(seed)})
        for group, size in enumerate(sizes)
        for seed in range(size)
    ]


@pytest.mark.parametrize(
    ("sizes", "count"), [((6, 6, 1), 12), ((6, 5, 2), 11), ((15, 1), 12), ((2, 1), 3)]
)
def test_whole_groups_are_chosen_up_to_twelve_runs(sizes: tuple[int, ...], count: int) -> None:
    assert Page(grouped(*sizes)).data()["chosen"] == list(range(count))


def test_the_best_groups_come_first_and_are_chosen() -> None:
    runs = grouped(1, 1, 1)
    for run, fid in zip(runs, (None, 9.0, 2.0), strict=True):
        if fid is not None:
            run.results = made_up.results(run.folder, fid, 100, 0)
    page = Page(runs)
    assert page.ordered == [runs[2], runs[1], runs[0]]
    found = page.data()
    assert found["chosen"] == [0, 1]
    assert [run["name"] for run in found["runs"]] == ["g2-0", "g1-0", "g0-0"]
    assert [found["groups"][run["group"]]["label"] for run in found["runs"]] == [
        "g2-0",
        "g1-0",
        "g0-0",
    ]
    assert found["ranking"] == [FID, made_up.RECALL]
    assert page.unfinished == [runs[0]]


def test_what_is_shown_of_runs_that_did_not_finish() -> None:
    runs = grouped(2, 1)
    for run in runs[:2]:
        run.results = made_up.results(run.folder, 1.0, 100, 0)
    runs[1].faults = ["damaged"]
    page = Page([*runs, RunSummary(Path("runs/unknown"))])
    assert [run.folder.name for run in page.unfinished] == ["g0-1", "g1-0", "unknown"]
    assert page.labels[runs[2]] == "g1-0, seed 0"
    assert page.labels[page.runs[3]] == "unknown"


def test_folders_are_named_below_the_one_that_has_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = Page([RunSummary(Path("runs/a/x")), RunSummary(tmp_path / "runs" / "b")])
    assert page.parent == tmp_path / "runs"
    assert list(page.names.values()) == ["a/x", "b"]


def test_values_of_a_run_without_results_have_the_protocols_of_others() -> None:
    runs = grouped(1, 1)
    for run in runs:
        run.history = History([Track([1], [8], [0.1], {FID: [3.0]})], "whole", [FID])
    runs[0].results = made_up.results(runs[0].folder, 1.0, 100, 0)
    assert [run["protocols"] for run in Page(runs).data()["runs"]] == [{FID: "aaaaaaaa"}] * 2
    (curve,) = Page(runs[1:]).data()["runs"]
    assert curve["protocols"] == {FID: "whole"}
    assert curve["tracks"][0]["steps"] == [1]


def test_memorisation_has_a_table_for_each_stamp(runs: Path, out: Path) -> None:
    stamps = {"a": {}, "b": {"sample_seed": 3}, "c": {"num_fakes": 9}}
    for fid, (name, new) in enumerate(stamps.items(), start=3):
        made_up.run(runs / name, fid, name, stamp={**made_up.STAMP, **new})
    made_up.run(runs / "d", 9.0, "d", best={"step": 1, FID: 9.0})
    text = report(runs, out)
    _, _, shown = text.partition('<section id="memorisation">')
    shown = shown.partition("</section>")[0]
    assert [(table.count("<tbody"), "9 fakes" in table) for table in shown.split("<table")] == [
        (0, False),
        (2, True),  # the protocol of the second table stands before it
        (1, False),
    ]
    names = re.findall(r'<th .*?title="domain/(\w+)"', shown)
    assert names == ["nearest_real", "copies", "copying_z", "fid_gap"] * 2
    assert [float(x) for x in re.findall(r'alarm" data-best="(.*?)"', shown)] == [-17, -16, -15]


def test_a_page_allows_its_own_scripts_alone(runs: Path, out: Path) -> None:
    made_up.run(runs / "a")
    report(runs, out)
    text = out.read_text()
    scripts = re.findall(r"<script>(.*?)</script>\n", text, re.DOTALL)
    hashes = {b64encode(sha256(script.encode()).digest()).decode() for script in scripts}
    assert set(re.findall(r"&#39;sha256-(.*?)&#39;", text[: text.index("<style>")])) == hashes
    assert len(hashes) == 2


def test_a_template_refuses_unknown_names_and_escapes() -> None:
    environment = page._template().environment
    with pytest.raises(UndefinedError):
        environment.from_string("{{ nothing }}").render()
    lines = "{% if text %}\n    {% if text %}\n{{ text }}\n    {% endif %}\n{% endif %}\n"
    assert environment.from_string(lines).render(text="<b>") == "&lt;b&gt;\n"
