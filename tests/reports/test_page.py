"""What the page holds, and that nothing of a run folder is read as HTML."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gan.commands.main import dispatch
from gan.errors import InputError
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
