"""Links and special files: nothing is written through the one, or waits for the other."""

import json
import os
import signal
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from gan import archives, files, records
from gan.backbones import cache
from gan.errors import InputError
from gan.loggers.table import Table
from gan.pictures import read_picture, save_animation, save_grid
from gan.runs.evaluations import Evaluations
from gan.runs.folder import Run
from gan.runs.lock import Lock, locked
from gan.runs.results import Results
from gan.settings.commandline import CommandLine
from gan.sweeps.checks import check_sweep
from gan.sweeps.job import Outcome


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    """Fail a test that waits, instead of waiting with it."""

    def fail(*_: object) -> None:
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a file that no link may change."""
    path = tmp_path / "outside" / "precious"
    path.parent.mkdir()
    path.write_text("precious")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    (path / ".hydra").mkdir(parents=True)
    (path / ".hydra" / "config.yaml").write_text("{}")
    (path / "checkpoints").mkdir()
    return path


def write_table(folder: Path) -> None:
    table = Table(folder / "metrics.csv")
    table.log_metrics({"loss": 1.0}, 1)
    table.finalize("success")


WRITERS: dict[str, Callable[[Path], None]] = {
    "metrics.csv": write_table,
    "results.json": lambda folder: records.write(folder / "results.json", {}),
    "samples.png": lambda folder: save_grid(
        torch.zeros(3, 4, 4, dtype=torch.uint8), folder / "samples.png"
    ),
    "film.gif": lambda folder: save_animation(torch.zeros(2, 1, 1, 4, 4), folder / "film.gif"),
    "job.json": lambda folder: Outcome().save(folder),
    "file.pt": lambda folder: cache.save(folder / "file.pt", {"a": 1.0}),
    "pruned.txt": lambda folder: files.write_text(folder / "pruned.txt", "note"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_link_is_replaced(name: str, folder: Path, outside: Path) -> None:
    for link in (name, f"{name}.part", f"{name.split('.')[0]}.part"):
        (folder / link).symlink_to(outside)
    WRITERS[name](folder)
    assert outside.read_text() == "precious"
    assert not (folder / name).is_symlink()
    assert (folder / name).stat().st_size > 0


def test_the_rights_of_new_files(folder: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_text(folder / "note", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "note").stat().st_mode) == 0o640


def test_lines_are_appended_to_a_file_with_the_usual_rights(folder: Path) -> None:
    before = os.umask(0o027)
    try:
        for text in (b"one", b"two"):
            with files.open_to_append(folder / "log") as file:
                file.write(text)
    finally:
        os.umask(before)
    assert (folder / "log").read_bytes() == b"onetwo"
    assert stat.S_IMODE((folder / "log").stat().st_mode) == 0o640


def test_a_text_far_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MAX_TEXT", 4)
    (folder / "a").write_text("four")
    assert files.read_text(folder / "a") == "four"
    (folder / "a").write_text("fives")
    with pytest.raises(InputError, match="more than 4 bytes"):
        files.read_text(folder / "a")


def test_refused_files_are_closed(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for name in ("fifo", "folder"):
        path = tmp_path / name
        os.mkfifo(path) if name == "fifo" else path.mkdir()
        with pytest.raises(InputError, match="is not a regular file"):
            files.open_file(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_opened_files_are_not_inherited(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with files.open_file(tmp_path / "a") as file:
        assert not os.get_inheritable(file.fileno())
    with pytest.raises(FileNotFoundError):
        files.open_file(tmp_path / "absent")


def test_new_folders_are_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "new"
    with files.new_folder(path) as part:
        assert part.parent == path.parent
        assert not path.exists()
        (part / "a").write_text("x")
    assert [p.name for p in path.parent.iterdir()] == ["new"]
    assert (path / "a").read_text() == "x"
    with suppress(OSError), files.new_folder(tmp_path / "half") as part:
        (part / "a").write_text("x")
        raise OSError
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "link").symlink_to(empty)
    with files.new_folder(tmp_path / "link") as part:
        (part / "b").touch()
    assert (empty / "b").exists()
    with pytest.raises(OSError, match="not empty"), files.new_folder(path):
        pass


def test_a_replacement_makes_its_folders(tmp_path: Path) -> None:
    for text in ("one", "two"):
        files.write_text(tmp_path / "a" / "b" / "c", text)
    assert (tmp_path / "a" / "b" / "c").read_text() == "two"


def test_a_failure_leaves_the_old_file_and_nothing_else(folder: Path) -> None:
    path = folder / "note"
    files.write_text(path, "old")
    with suppress(OSError), files.replacement(path) as part:
        part.write_text("half")
        raise OSError
    assert path.read_text() == "old"
    assert [p.name for p in folder.iterdir() if p.is_file()] == ["note"]


@pytest.mark.parametrize("name", ["log.txt", ".hydra/lock"])
def test_links_that_cannot_be_replaced(name: str, folder: Path, outside: Path) -> None:
    (folder / name).symlink_to(outside)
    opened: dict[str, Callable[[Path], object]] = {
        "log.txt": files.open_to_append,
        ".hydra/lock": lambda path: Lock(path, lambda: None),
    }
    with pytest.raises(InputError, match=f"{name} is a link: nothing is written through it"):
        opened[name](folder / name)
    assert outside.read_text() == "precious"


LINKS = ["results.json", "metrics.csv", "evaluation.json", "job.json", "log.txt", ".lock"]
LINKS += ["checkpoints/last.ckpt", "checkpoints/last.ckpt.part", ".hydra/lock", "samples/1.png"]
LINKS += ["samples", "wandb", "tensorboard", "any"]


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("target", ["outside/precious", "outside", "absent"])
def test_a_link_out_of_a_run_is_refused(
    name: str, target: str, folder: Path, outside: Path, tmp_path: Path
) -> None:
    link = folder / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / target)
    for use in (lambda: Run(folder), lambda: locked(folder).__enter__()):
        with pytest.raises(InputError, match=f"{link} is a link out of {folder}"):
            use()
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("name", ["multirun.yaml", "leaderboard.csv", "job/log.txt"])
def test_a_link_out_of_a_sweep_is_refused(name: str, outside: Path, tmp_path: Path) -> None:
    link = tmp_path / "sweep" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    line = CommandLine(["-m", "model=mlp", "seed=1,2", f"hydra.sweep.dir={tmp_path / 'sweep'}"])
    with pytest.raises(InputError, match=f"{link} is a link out of"):
        check_sweep(line)


@pytest.mark.parametrize("name", ["multirun.yaml", ".hydra/overrides.yaml"])
def test_a_pipe_in_a_folder_is_refused(name: str, folder: Path) -> None:
    path = fifo(folder / name)
    with pytest.raises(InputError, match=f"{path} is not a regular file"):
        files.refuse_special_files(folder)


def test_links_within_a_run_and_to_a_run(folder: Path, tmp_path: Path) -> None:
    (folder / "latest").symlink_to("checkpoints")
    (folder / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to(folder)
    files.refuse_special_files(folder)
    files.refuse_special_files(tmp_path / "link")


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


READERS: dict[str, Callable[[Path], object]] = {
    "results.json": lambda path: Results.read(path.parent),
    "evaluation.json": Evaluations,
    "job.json": lambda path: Outcome.read(path.parent),
    "metrics.csv": lambda path: Table(path).rewind(1),
    "last.ckpt": archives.read,
    "image.png": lambda path: read_picture("image", str(path), torch.Size((1, 4, 4))),
    "run_id": files.read_text,
    "log.txt": files.open_to_append,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["fifo", "zero", "folder"])
def test_special_files_are_refused(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises((InputError, IsADirectoryError), match=str(path)):
        READERS[name](path)


def test_a_special_file_in_the_place_of_a_cache_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fifo(tmp_path / "cached.pt")
    assert cache.load(path) is None
    assert f"{path} is damaged" in capsys.readouterr().out
    cache.save(path, {"a": 1.0})
    assert cache.load(path) == {"a": 1.0}


def test_several_writers_do_not_spoil_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cached.pt"
    tensors = [torch.full((1000,), float(k)) for k in range(8)]

    def work(tensor: torch.Tensor) -> None:
        for _ in range(10):
            cache.save(path, {"a": tensor})
            found = cache.load(path)
            assert found is not None
            assert found["a"].unique().numel() == 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, tensors))
    assert [p.name for p in tmp_path.iterdir()] == ["cached.pt"]


@pytest.mark.parametrize(
    "text",
    ["[" * 10**5, "{", "\x00", "[]", "3", '"x"', '{"steps": "x"}', '{"records": 3, "summary": []}'],
)
@pytest.mark.parametrize("name", ["results.json", "evaluation.json", "job.json"])
def test_records_of_something_else(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=r"is no .* \(.*\): move it away") as caught:
        READERS[name](tmp_path / name)
    assert len(str(caught.value)) < 300


def test_records_are_read_again(tmp_path: Path) -> None:
    outcome = Outcome(status=-9, overrides=["seed=1"], score=float("nan"))
    outcome.save(tmp_path)
    again = Outcome.read(tmp_path)
    assert again is not None
    assert again.state is outcome.state
    assert again.overrides == ["seed=1"]
    assert json.loads((tmp_path / "job.json").read_text())["status"] == -9
