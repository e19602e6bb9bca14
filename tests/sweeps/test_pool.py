import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gan.errors import InputError
from gan.sweeps.pool import Pool


def pause() -> None:
    time.sleep(0.01)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(["0", "1", "2"], tmp_path, pause)


def in_threads(*tasks: Callable[[], None]) -> None:
    threads = [threading.Thread(target=task, daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=5)
        assert not thread.is_alive()


def test_jobs_never_share_a_device(pool: Pool) -> None:
    held: list[str] = []
    twice: list[str] = []

    def job(count: int) -> None:
        for _ in range(5):
            with pool.allocate(count) as allocation:
                assert len(set(allocation.devices)) == count
                twice.extend(set(allocation.devices) & set(held))
                held.extend(allocation.devices)
                time.sleep(0.01)
                for device in allocation.devices:
                    held.remove(device)

    in_threads(*(lambda count=count: job(count) for count in (1, 1, 2, 2, 3)))
    assert twice == []


def test_a_job_is_told_its_devices_alone(pool: Pool) -> None:
    with pool.allocate(1), pool.allocate(2) as allocation:
        assert allocation.environment == {"CUDA_VISIBLE_DEVICES": "1,2"}
    with pool.allocate(0) as allocation:
        assert allocation.environment == {}


def test_one_that_wants_all_is_not_passed_over(pool: Pool) -> None:
    order: list[str] = []

    def large() -> None:
        time.sleep(0.1)
        with pool.allocate(3):
            order.append("large")

    def small() -> None:
        time.sleep(0.2)
        with pool.allocate(1):
            order.append("small")

    def begun() -> None:
        with pool.allocate(1):
            time.sleep(0.4)

    in_threads(begun, large, small)
    assert order == ["large", "small"]


def test_two_that_want_all_do_not_wait_for_each_other(tmp_path: Path) -> None:
    pool = Pool(["0", "1"], tmp_path, pause)

    def both() -> None:
        time.sleep(0.1)
        with pool.allocate(2):
            pass

    def one(seconds: float) -> None:
        with pool.allocate(1):
            time.sleep(seconds)

    for _ in range(6):
        in_threads(lambda: one(0.2), lambda: one(0.3), both, both)


def test_more_than_there_are_is_refused(pool: Pool) -> None:
    with pytest.raises(InputError, match=r"accelerator\.devices=4: 3 GPUs"), pool.allocate(4):
        pass


def test_giving_up_gives_back(tmp_path: Path, pool: Pool) -> None:
    def give_up() -> None:
        raise KeyboardInterrupt

    with pool.allocate(2):
        impatient = Pool(pool.devices, tmp_path, give_up)
        with pytest.raises(KeyboardInterrupt), impatient.allocate(2):
            pass
        with impatient.allocate(1):
            pass


HOLDER = """
import subprocess, sys, time
from pathlib import Path
from gan.sweeps.pool import Pool
pool = Pool(["0"], Path(sys.argv[1]), lambda: time.sleep(0.01))
with pool.allocate(1) as allocation:
    passed = {"pass_fds": allocation.descriptors} if sys.argv[2] == "job" else {}
    job = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3)"], **passed)
    print(job.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(("kind", "seconds"), [("other", (0, 2)), ("job", (2, 10))])
def test_a_killed_process_holds_as_long_as_its_job_runs(
    tmp_path: Path, kind: str, seconds: tuple[float, float]
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), kind], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline()
    holder.kill()
    holder.wait()
    start = time.monotonic()
    with Pool(["0"], tmp_path, pause).allocate(1):
        assert seconds[0] <= time.monotonic() - start <= seconds[1]
    holder.stdout.close()
