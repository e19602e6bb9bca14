"""Which networks of a run are compiled."""

from typing import Any

import pytest
import torch
from torch import nn

from gan.errors import InputError
from gan.layers.spectral import apply_spectral_norm
from gan.regularizers.compiled_norm import CompiledNorm
from gan.regularizers.gradient_norm import ExactNorm
from gan.runs.training import _compile
from gan.settings.trust import build
from tests.conftest import Compose


def compiled(config: Compose, monkeypatch: pytest.MonkeyPatch, *overrides: str) -> list[str]:
    """Return the classes of the networks that are compiled."""
    seen = list[str]()

    def note(function: Any, **options: Any) -> Any:
        assert options == {"options": {"fallback_random": True}}
        seen.append(type(function.__self__).__name__)
        return function

    def note_module(self: nn.Module, **options: Any) -> None:
        seen.append(type(self).__name__)

    monkeypatch.setattr(torch, "compile", note)
    monkeypatch.setattr(nn.Module, "compile", note_module)
    _compile(build(config("size=tiny", "data=digits", *overrides).model))
    return seen


def test_all_networks_without_spectral_normalisation(
    config: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = ["DCGANGenerator", "DCGANGenerator", "DCGANDiscriminator"]
    assert compiled(config, monkeypatch, "model=dcgan") == every
    assert compiled(config, monkeypatch, "model=sngan") == ["ResNetGenerator"] * 2
    with pytest.raises(InputError, match="all networks of this model have spectral"):
        compiled(config, monkeypatch, "model=sagan", "model.generator.width=4")


@pytest.mark.parametrize(("spectral", "form"), [(False, CompiledNorm), (True, ExactNorm)])
def test_penalties_of_critics_without_spectral_normalisation(
    config: Compose, monkeypatch: pytest.MonkeyPatch, spectral: bool, form: type
) -> None:
    monkeypatch.setattr(nn.Module, "compile", lambda self, **_: None)
    overrides = "model=dcgan", "regularizers=[r1,dragan]", "critic_norm=layer"
    game = build(config("size=tiny", "data=digits", *overrides).model)
    if spectral:
        apply_spectral_norm(game.discriminator)
    _compile(game)
    assert [type(r.form) for r in game.regularizers.values()] == [form, form]
