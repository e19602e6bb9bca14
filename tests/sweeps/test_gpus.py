"""GPUs that a job needs, and where their locks lie."""

import os
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan.sweeps.job import gpus
from gan.sweeps.pool import lock_folder


@pytest.mark.parametrize(
    ("accelerator", "devices", "needed"),
    [("cpu", 2, 0), ("gpu", 2, 2), ("auto", 1, 1), ("gpu", -1, None), ("gpu", "auto", None)],
)
def test_a_job_needs(accelerator: str, devices: Any, needed: int | None) -> None:
    node = {"accelerator": {"accelerator": accelerator, "devices": devices}}
    assert gpus(OmegaConf.create(node)) == needed


def test_a_job_of_slurm_has_locks_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = list[Path]()
    for number in ("", "12", "34"):
        monkeypatch.setenv("SLURM_JOB_ID", number)
        found.append(lock_folder())
    assert [folder.name for folder in found] == ["gpus", "gpus-12", "gpus-34"]
    monkeypatch.delenv("SLURM_JOB_ID")
    assert lock_folder() == found[0]


def test_locks_lie_in_a_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert lock_folder() == tmp_path / f"ganymede-{os.getuid()}" / "gpus"
