"""What the resolvers of ``conf/`` compute."""

import os

import pytest

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
