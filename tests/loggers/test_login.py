"""The login at Weights & Biases, which is asked of nobody."""

from typing import Any
from unittest.mock import MagicMock

import pytest
import wandb

from gan.errors import InputError
from gan.loggers.login import has_key, offline


@pytest.mark.parametrize("known", [True, False])
def test_a_key_is_looked_for_without_asking_or_sending(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = MagicMock(return_value=known)
    monkeypatch.setattr(wandb, "login", login)
    assert has_key() is known
    login.assert_called_once_with(prompt=False, verify=False)


def test_a_malformed_key_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: Any) -> bool:
        raise wandb.errors.AuthenticationError("too short")

    monkeypatch.setattr(wandb, "login", refuse)
    with pytest.raises(InputError, match="wandb: too short: set WANDB_API_KEY"):
        has_key()


@pytest.mark.parametrize("mode", [None, "online"])
@pytest.mark.parametrize("known", [True, False])
def test_offline_without_a_key_and_a_mode(
    mode: str | None, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb, "login", lambda **options: known)
    if mode is None:
        monkeypatch.delenv("WANDB_MODE", raising=False)
    else:
        monkeypatch.setenv("WANDB_MODE", mode)
    assert offline() == (mode is None and not known)
