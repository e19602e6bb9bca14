"""The folder of caches, and the start of a run, which names its folder."""

import os
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gan.errors import InputError
from gan.settings import start
from gan.settings.cache import cache_folder, check_writable


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    for given, expected in {
        "/x": Path("/x"),
        "~/x": Path("/home/me/x"),
        "x": Path.cwd() / "x",
        "": Path("/home/me/.cache/ganymede"),
    }.items():
        monkeypatch.setenv("GANYMEDE_CACHE", given)
        assert cache_folder() == expected
    monkeypatch.setenv("HOME", "home")
    assert cache_folder() == Path.cwd() / "home" / ".cache" / "ganymede"
    monkeypatch.setenv("HOME", "")
    with pytest.raises(InputError, match="give cache_dir=DIR, or set GANYMEDE_CACHE"):
        cache_folder()


def test_a_cache_that_can_be_written(tmp_path: Path) -> None:
    check_writable(tmp_path)
    check_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("below", [".", "a/b"])
def test_a_cache_in_the_place_of_a_file_is_refused(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / below
    with pytest.raises(InputError, match=f"{folder}: Not a directory: it is for caches"):
        check_writable(folder)


@pytest.mark.parametrize("words", ["Read-only file system", None])
def test_a_cache_that_cannot_be_written_is_refused(
    words: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(dir: Path) -> Any:  # noqa: A002
        assert dir == tmp_path
        raise OSError(30, words) if words else OSError()

    monkeypatch.setattr("gan.settings.cache.TemporaryFile", fail)
    with pytest.raises(InputError, match=f": {words or 'Permission denied'}: it is for caches"):
        check_writable(tmp_path / "a")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be the only one of its run."""
    for name in ("SLURM_STEP_NUM_TASKS", "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("alone")
def test_the_start_of_a_run() -> None:
    before = time.time()
    seconds, token = start.run_start.__wrapped__()
    assert before <= seconds <= time.time()
    assert re.fullmatch("[0-9a-f]{4}", token)
    assert start.run_start() == start.run_start()


@pytest.mark.usefixtures("alone")
def test_the_start_in_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "run_start", lambda: (86400.0 * 40, "0a"))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    try:
        assert start.start_time("%Y-%m-%d %H") == "1970-02-10 00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.usefixtures("alone")
def test_processes_of_torchrun_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def store(*place: Any) -> Any:
        def compare_set(*given: Any) -> bytes:
            asked.append((place, given))
            return b"12.5 beef"

        return SimpleNamespace(compare_set=compare_set)

    monkeypatch.setattr("torch.distributed.TCPStore", store)
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "False")
    assert start.run_start.__wrapped__()[1] != "beef" or not asked
    assert asked == []
    for name, value in {"USE_AGENT_STORE": "True", "RESTART_COUNT": "2"}.items():
        monkeypatch.setenv(f"TORCHELASTIC_{name}", value)
    monkeypatch.setenv("MASTER_ADDR", "first")
    monkeypatch.setenv("MASTER_PORT", "29500")
    assert start.run_start.__wrapped__() == (12.5, "beef")
    (((host, port), (key, expected, value)),) = asked
    assert (host, port, key, expected) == ("first", 29500, "ganymede/start/2", "")
    assert re.fullmatch(r"[\d.]+ [0-9a-f]{4}", value)


def test_tasks_of_srun_need_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "current_task", lambda: "a task")
    with pytest.raises(InputError, match=r"give them one folder, hydra\.run\.dir=DIR"):
        start.run_start.__wrapped__()
    assert "HOME" in os.environ
