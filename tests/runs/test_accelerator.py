"""The devices and the precision of training."""

import pytest
import torch

from gan.commands.train import train
from gan.errors import InputError
from gan.layers.folding import FoldedConv2d
from gan.layers.winograd import SameConv2d
from gan.runs import training
from tests.conftest import Compose

GIVEN = ["accelerator=cpu_amp", "accelerator.precision=bf16-mixed"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="accelerator=auto takes the GPU")
@pytest.mark.parametrize("given", GIVEN)
def test_bfloat16_without_instructions_is_refused(
    config: Compose, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setattr(training, "lacks_bfloat16", lambda: True)
    with pytest.raises(InputError, match=r"bf16-mixed: this CPU has no .* accelerator=cpu$"):
        train(config("model=mlp", given))


@pytest.mark.parametrize("fold", [True, False])
def test_folds_are_a_setting(config: Compose, monkeypatch: pytest.MonkeyPatch, fold: bool) -> None:
    called: list[bool] = []
    plain = FoldedConv2d.forward

    def record(self: FoldedConv2d, x: torch.Tensor) -> torch.Tensor:
        called.append(self.fold)
        return plain(self, x)

    monkeypatch.setattr(FoldedConv2d, "forward", record)
    train(
        config(
            "model=sngan",
            "size=tiny",
            "steps=1",
            "metrics=[]",
            f"accelerator.fold={str(fold).lower()}",
        )
    )
    assert called
    assert set(called) == {fold}


@pytest.mark.parametrize("fast", [True, False])
def test_winograd_is_a_setting(
    config: Compose, monkeypatch: pytest.MonkeyPatch, fast: bool
) -> None:
    seen: list[bool] = []
    plain = SameConv2d.same_conv2d

    def record(self: SameConv2d, *given: torch.Tensor) -> torch.Tensor:
        seen.append(self.winograd)
        return plain(self, *given)

    monkeypatch.setattr(SameConv2d, "same_conv2d", record)
    overrides = ["size=tiny", "steps=1", "metrics=[]", f"accelerator.winograd={str(fast).lower()}"]
    train(config("model=stylegan2", *overrides))
    assert seen
    assert set(seen) == {fast}
