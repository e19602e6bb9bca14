import os
from pathlib import Path

import pytest

from gan.runs.cleanup import Cleanup
from gan.settings.start import run_start

REFUSED = 2


def hydra(folder: Path, content: str = "new") -> None:
    """Write the settings of a run."""
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    (folder / ".hydra" / "config.yaml").write_text(content)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def play(folder: Path, cleanup: Cleanup, status: int, trained: bool) -> None:
    """Write what a run does and exit."""
    with cleanup:
        hydra(folder)
        cleanup.folder, cleanup.owned = folder, True
        if trained:
            (folder / "metrics.csv").write_text("step\n1\n")
        raise SystemExit(status)


def run(
    folder: Path, named: Path | None = None, status: int = REFUSED, trained: bool = False
) -> None:
    with pytest.raises(SystemExit):
        play(folder, Cleanup(str(named) if named else None), status, trained)


def test_a_refused_run_leaves_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    run(folder, folder)
    assert names(tmp_path) == set()


def test_a_folder_without_a_name_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = f"now-{run_start()[1]}"
    run(tmp_path / "runs" / "today" / own)
    assert names(tmp_path) == set()
    hydra(tmp_path / "runs" / "today" / "before")
    before = names(tmp_path)
    run(tmp_path / "runs" / "today" / own)
    assert names(tmp_path) == before


def test_a_folder_that_may_have_been_there_keeps_its_files(tmp_path: Path) -> None:
    """One that a config names and the command line does not."""
    folder = tmp_path / "results"
    (folder / "of_others").mkdir(parents=True)
    (folder / "thesis.txt").write_text("words")
    run(folder)
    assert {"thesis.txt", "of_others"} <= names(folder)


@pytest.mark.parametrize("spelling", ["{}/", "{}/../run", "link"])
def test_a_folder_in_any_spelling(
    spelling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hydra(tmp_path / "run", "old")
    (tmp_path / "link").symlink_to("run")
    run(tmp_path / "run", Path(spelling.format(tmp_path / "run")))
    assert (tmp_path / "run" / ".hydra" / "config.yaml").read_text() == "old"


def test_what_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    run(tmp_path / "empty", tmp_path / "empty")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").touch()
    run(tmp_path / "used", tmp_path / "used")
    assert names(tmp_path) == {"empty", "used", "used/notes.txt"}


def test_settings_are_put_back(tmp_path: Path) -> None:
    hydra(tmp_path / "run", "old")
    run(tmp_path / "run", tmp_path / "run")
    assert (tmp_path / "run" / ".hydra" / "config.yaml").read_text() == "old"


@pytest.mark.parametrize(("status", "trained"), [(0, False), (75, False), (REFUSED, True)])
def test_a_run_that_trained_keeps_everything(status: int, trained: bool, tmp_path: Path) -> None:
    hydra(tmp_path / "run", "old")
    run(tmp_path / "run", tmp_path / "run", status=status, trained=trained)
    assert (tmp_path / "run" / ".hydra" / "config.yaml").read_text() == "new"


def test_a_refusal_before_hydra_changes_nothing(tmp_path: Path) -> None:
    hydra(tmp_path / "run", "old")
    with pytest.raises(SystemExit), Cleanup(str(tmp_path / "run")):
        raise SystemExit(REFUSED)
    assert (tmp_path / "run" / ".hydra" / "config.yaml").read_text() == "old"


@pytest.mark.parametrize("name", ["config.yaml", "overrides.yaml", "expressions.yaml"])
def test_links_and_pipes_of_a_stranger_are_left_alone(name: str, tmp_path: Path) -> None:
    other, folder = tmp_path / "other", tmp_path / "run"
    other.write_text("of another")
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / name).symlink_to(other)
    before = other.stat().st_mtime_ns
    with pytest.raises(SystemExit), Cleanup(str(folder)):
        raise SystemExit(REFUSED)
    assert (other.read_text(), other.stat().st_mtime_ns) == ("of another", before)
    assert (folder / ".hydra" / name).is_symlink()
    (folder / ".hydra" / name).unlink()
    os.mkfifo(folder / ".hydra" / name)
    with pytest.raises(SystemExit), Cleanup(str(folder)):
        raise SystemExit(REFUSED)
    assert (folder / ".hydra" / name).is_fifo()


def test_settings_that_were_not_replaced_are_not_written(tmp_path: Path) -> None:
    hydra(tmp_path / "run", "old")
    path = tmp_path / "run" / ".hydra" / "config.yaml"
    before = path.stat()
    with pytest.raises(SystemExit), Cleanup(str(tmp_path / "run")):
        raise SystemExit(REFUSED)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_what_cannot_be_removed_changes_no_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "unlink", fail)
    run(tmp_path / "run", tmp_path / "run")
    assert (tmp_path / "run" / ".hydra" / "config.yaml").exists()
