"""The gallery: which runs it makes, and what its page says of the runs that are there."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from benchmarks import gallery
from benchmarks.gallery import Selection
from benchmarks.gallery_page import write_page
from benchmarks.gallery_records import read_records, record_runs, strip
from gan.errors import InputError
from gan.pictures import picture
from gan.runs import training
from gan.runs.checkpoints import load
from gan.runs.results import Results
from gan.sweeps.job import Outcome, State
from gan.sweeps.signals import FORWARDER
from tests.conftest import composing

MLP = ["model=mlp", "model.generator.hidden=[16]", "model.discriminator.units=[8]", "data=digits"]
STAMP = {"backbone": "domain", "weights_hash": "0123456789", "num_fakes": 50, "resize": "none"}
STAMP |= {"real_count": 40, "real_data": "digits", "real_split": "train"}


def overrides(seed: int, *more: str) -> list[str]:
    return ["model=mlp", "data=digits", "size=tiny", f"seed={seed}", *more]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of one step."""
    folder = tmp_path_factory.mktemp("gallery")
    with composing(folder) as config:
        training.train(config(*MLP, "steps=1", "callbacks=[checkpoints]"))
    return folder / "run"


def add(out: Path, run: Path, seed: int, fid: float, *more: str, **changes: Any) -> Path:
    """Put a finished run into a gallery."""
    folder = out / "runs" / f"{seed}{''.join(more)}"
    shutil.copytree(run, folder)
    results = Results.read(folder)
    assert results is not None
    given: dict[str, Any] = {
        "protocols": {"domain/fid": "aaaa"},
        "stamp": STAMP,
        "final": {"domain/fid": fid},
        "hardware": "a CPU",
    }
    replace(results, run=str(folder), **(given | changes)).save()
    Outcome(State.FINISHED, seconds=90.0, overrides=overrides(seed, *more)).save(folder)
    return folder


def page(out: Path) -> list[str]:
    return write_page(out, "python -m benchmarks.gallery").read_text().splitlines()


def rows(lines: list[str]) -> list[list[str]]:
    """Return the cells of the rows of all tables, without heads."""
    cells = [[c.strip() for c in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    return [row for row in cells if row[0] not in ("model", "---")]


@pytest.mark.slow
def test_seeds_are_one_row_with_mean_and_deviation(tmp_path: Path, trained: Path) -> None:
    add(tmp_path, trained, 0, 10.0)
    add(tmp_path, trained, 1, 14.0)
    lines = page(tmp_path)
    ((model, strips, fid, *_, minutes, sizes, images, seeds, command),) = rows(lines)
    assert (model, fid, minutes, images, seeds) == ("`mlp`", "12 ± 2.8", "1.5", "8", "0, 1")
    assert command == "`python train.py model=mlp data=digits size=tiny`"
    game = load(trained, "last")
    counts = [sum(p.numel() for p in n.parameters()) for n in (game.generator, game.discriminator)]
    assert sizes == f"{counts[0]:,} + {counts[1]:,}"
    expected = picture(game.sample(10, seed=0), 10)
    for seed, text in enumerate(strips.split("<br>")):
        name = f"strips/data-digits+model-mlp+seed-{seed}+size-tiny.png"
        assert text == f"![10 samples, seed {seed}]({name})"
        shown = torch.tensor(list(Image.open(tmp_path / name).getdata()))
        assert torch.equal(shown.T.reshape(expected.shape), expected.int())


@pytest.mark.slow
def test_records_replace_the_folders_of_their_runs(
    tmp_path: Path, trained: Path, made: list[str]
) -> None:
    add(tmp_path / "a", trained, 0, 10.0, baseline={"domain/fid": 1.25}, hardware="a GPU")
    add(tmp_path / "b", trained, 1, 14.0, "data.verify=false")
    for out in (tmp_path / "a", tmp_path / "b"):
        page(out)
        for kind in ("records", "strips"):
            shutil.copytree(out / kind, tmp_path / kind, dirs_exist_ok=True)
    text = "\n".join(page(tmp_path))
    assert "| 12 ± 2.8 |" in text
    assert "| unseen reals | | 1.25 |" in text
    assert "Trained on: a CPU; a GPU." in text
    assert "`python train.py model=mlp data=digits size=tiny`" in text
    assert "Not finished" not in text
    given = ["models=mlp", "data=digits", f"out={tmp_path}", "seeds=0,1,2"]
    gallery.main([*given, "accelerator=cpu"])
    assert made == ["accelerator=cpu"]  # seed 2
    strip(tmp_path, read_records(tmp_path)[0].name).unlink()
    gallery.main([*given, "steps=2"])  # another recipe
    assert made == ["accelerator=cpu", *["steps=2"] * 3]
    gallery.main(given)  # a run without samples is made again
    assert made[4:] == ["seed=0", "seed=2"]


@pytest.mark.slow
def test_runs_before_and_after_a_change_of_their_recipe_are_two_rows(
    tmp_path: Path, trained: Path
) -> None:
    add(tmp_path, trained, 0, 10.0)
    add(tmp_path, trained, 1, 14.0, images=16)
    assert [(row[2], row[7]) for row in rows(page(tmp_path))] == [("10", "8"), ("14", "16")]


@pytest.mark.slow
def test_a_damaged_record_is_refused(tmp_path: Path, trained: Path) -> None:
    add(tmp_path, trained, 0, 10.0)
    page(tmp_path)
    shutil.rmtree(tmp_path / "runs")
    (path,) = tmp_path.glob("records/*.json")
    path.write_text(path.read_text().replace("images", "image"))
    with pytest.raises(InputError, match="is no record of a run"):
        page(tmp_path)


@pytest.mark.slow
def test_what_limits_the_numbers_is_said(tmp_path: Path, trained: Path) -> None:
    add(tmp_path, trained, 0, 10.0, "steps=1", "data.verify=false")
    text = "\n".join(page(tmp_path))
    assert "**Rows with `steps=1` do not show what the recipe draws.**" in text
    assert "There is no test split of digits here" in text
    assert "There are 40 real images here, fewer than fakes" in text
    add(tmp_path, trained, 1, 10.0, baseline={"domain/fid": 1.25}, stamp=STAMP | {"real_count": 60})
    for folder in ("records", "runs"):
        (first,) = tmp_path.glob(f"{folder}/*steps*1*")
        first.unlink() if first.is_file() else shutil.rmtree(first)
    text = "\n".join(page(tmp_path))
    assert "| unseen reals | | 1.25 |" in text
    assert not any(words in text for words in ("no test split", "fewer than fakes", "Rows with"))


@pytest.mark.slow
def test_protocols_never_share_a_table(tmp_path: Path, trained: Path) -> None:
    add(tmp_path, trained, 0, 10.0)
    add(tmp_path, trained, 1, 12.0, "data=cifar10")
    add(tmp_path, trained, 2, 14.0, protocols={"domain/fid": "bbbb"})
    lines = page(tmp_path)
    assert [row[2] for row in rows(lines)] == ["12", "10", "14"]
    assert [line.split(":")[0] for line in lines if line.startswith(("protocol", "##"))] == [
        "## cifar10",
        "protocol aaaa",
        "## digits",
        "protocol aaaa",
        "protocol bbbb",
    ]


@pytest.mark.slow
def test_runs_that_are_not_finished_are_listed(tmp_path: Path, trained: Path) -> None:
    runs = tmp_path / "runs"
    for name, outcome in {
        "a": Outcome(State.FAILED, "no such thing", overrides=overrides(0)),
        "b": Outcome(State.RUNNING, overrides=overrides(1)),
        "c": Outcome(State.PREEMPTED, "stopped by a signal", overrides=overrides(2)),
    }.items():
        (runs / name).mkdir(parents=True)
        outcome.save(runs / name)
    (runs / "d").mkdir()
    damaged = add(tmp_path, trained, 5, 1.0)
    (damaged / "checkpoints" / "last.ckpt").write_bytes(b"no")
    others = record_runs(tmp_path)
    assert read_records(tmp_path) == []
    text = "\n".join(page(tmp_path))
    assert "No run is finished." in text
    assert "* `model=mlp data=digits size=tiny seed=0`: failed: no such thing" in text
    assert "seed=1`: running: its process was killed" in text
    assert "* `d`: unreadable: it has no job.json" in text
    assert "last.ckpt is not a whole checkpoint" in text
    assert len(others) == 5


def test_an_empty_gallery(tmp_path: Path) -> None:
    assert "No run is finished." in page(tmp_path / "new")


def test_the_selection() -> None:
    chosen = Selection.read(["models=mlp,vae", "data=mnist", "seeds=1,0", "minutes=2.5", "steps=9"])
    assert chosen.minutes == 2.5
    assert [*chosen.runs()] == [
        [f"model={model}", "data=mnist", "size=tiny", f"seed={seed}", "steps=9"]
        for seed in (1, 0)
        for model in ("mlp", "vae")
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("models=dcgna", "did you mean 'dcgan'"),
        ("data=minst", "did you mean 'mnist'"),
        ("seeds=a", "seeds=a"),
        ("seeds=", "from 0"),
        ("minutes=-1", "from 0"),
        ("minutes=soon", "minutes=soon"),
        ("steps", "steps: give KEY=VALUE"),
    ],
)
def test_what_is_no_selection_is_refused(given: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Selection.read([given])


def test_games_on_images_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "options", lambda group: ["mlp", "pix2pix"])
    assert gallery.latent_models() == ["mlp"]


def test_what_does_not_compose_has_failed(tmp_path: Path) -> None:
    outcome = gallery.train(["model=mlp", "data=mnist", "size=tiny", "seed=0", "sizes=1"], tmp_path)
    assert outcome.state == State.FAILED
    (folder,) = tmp_path.iterdir()
    assert Outcome.read(folder) == outcome


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the runs that would be made."""
    runs: list[str] = []

    def note(given: list[str], _: Path) -> Outcome:
        runs.append(given[-1])
        return Outcome(State.FINISHED)

    monkeypatch.setattr(gallery, "train", note)
    yield runs
    FORWARDER.restore()


def test_without_time_only_the_page_is_written(made: list[str], tmp_path: Path) -> None:
    gallery.main(["models=mlp", "data=mnist", "minutes=0", f"out={tmp_path}"])
    assert made == []
    assert (tmp_path / "README.md").exists()
    gallery.main(["models=mlp", "data=mnist", "seeds=0,1", f"out={tmp_path}"])
    assert made == ["seed=0", "seed=1"]
