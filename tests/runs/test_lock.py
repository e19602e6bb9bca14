"""Locks on files and on run folders."""

import os
from pathlib import Path

import pytest

from gan.errors import InputError
from gan.runs.lock import Lock, is_first_process, locked


def give_up() -> None:
    raise KeyboardInterrupt


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    held, paused = Lock(tmp_path / "a" / "lock", give_up), list[int]()
    assert held.acquire()

    def pause() -> None:
        paused.append(1)
        if len(paused) == 3:
            held.close()

    with Lock(tmp_path / "a" / "lock", pause) as lock:
        assert len(paused) == 3
        assert is_open(lock.descriptor)
    assert not is_open(lock.descriptor)
    assert (tmp_path / "a" / "lock").stat().st_mode & 0o777 == 0o600


def test_who_stops_waiting_leaves_nothing_open(tmp_path: Path) -> None:
    with Lock(tmp_path / "lock", give_up):
        other = Lock(tmp_path / "lock", give_up)
        with pytest.raises(KeyboardInterrupt), other:
            pass
        assert not is_open(other.descriptor)


def test_a_lock_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "other")
    with pytest.raises(InputError, match="is a link"):
        Lock(tmp_path / "lock", give_up)
    assert not (tmp_path / "other").exists()


RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")


@pytest.mark.parametrize("name", RANKS)
def test_the_first_process(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in (*RANKS, "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(variable, raising=False)
    assert is_first_process()
    monkeypatch.setenv(name, "0")
    assert is_first_process()
    monkeypatch.setenv(name, "1")
    assert not is_first_process()
    with locked(tmp_path), locked(tmp_path):
        assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "a")
    assert is_first_process() == (name != "RANK")


def test_a_folder_is_released_after_a_fault(tmp_path: Path) -> None:
    def fail() -> None:
        with locked(tmp_path):
            assert (tmp_path / ".hydra" / "lock").exists()
            raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            fail()
    assert list((tmp_path / ".hydra").iterdir()) == []


def test_a_folder_with_a_link_out_of_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "link").symlink_to("/etc")
    with pytest.raises(InputError, match="is a link out of"), locked(tmp_path / "run"):
        pass
