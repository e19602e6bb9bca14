"""What the resolvers of ``conf/`` compute."""

import os

import pytest
from omegaconf import OmegaConf

from gan.settings import resolvers


@pytest.mark.parametrize(
    ("gpus", "cores", "expected"),
    [(["0", "1"], 8, 2), ([], 8, 8), ([], None, 1)],
)
def test_jobs_at_once(
    gpus: list[str], cores: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolvers, "visible_gpus", lambda: gpus)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert resolvers.workers() == expected


@pytest.mark.parametrize(("size", "values"), [("paper", [5, 4]), ("small", [3]), ("tiny", [])])
def test_a_list_by_size_is_resolved_in_place(size: str, values: list[int]) -> None:
    """``train.py --cfg job --resolve`` does this."""
    config = OmegaConf.create({"size": size, "hidden": "${by_size:[5,4],[3],[]}"})
    OmegaConf.resolve(config)
    assert OmegaConf.to_container(config) == {"size": size, "hidden": values}
