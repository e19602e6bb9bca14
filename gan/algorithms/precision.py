"""Half precision for two players."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.plugins.precision import MixedPrecision
from pytorch_lightning.strategies import Strategy
from torch import Tensor
from torch.amp import GradScaler

from gan.algorithms.two_player import TwoPlayerGame


class PlayerwiseScaling(MixedPrecision):
    """Mixed precision with float16 and one loss scale per player.

    An overflow in the gradient of one player then does not skip an update of the other, and each
    scale grows with the number of updates of its own player.

    Args:
        device: type of the device, such as "cuda".
        init_scale: of the losses.
    """

    def __init__(self, device: str, init_scale: float = 65536.0) -> None:
        self.scalers = [GradScaler(device, init_scale=init_scale) for _ in range(2)]
        super().__init__("16-mixed", device, self.scalers[0])

    def pre_backward(  # type: ignore[override]
        self, tensor: Tensor, module: pl.LightningModule
    ) -> Tensor:
        """Scale the loss of the player that is updated."""
        assert isinstance(module, TwoPlayerGame)
        self.scaler = self.scalers[module.active.index]
        return super().pre_backward(tensor, module)

    def optimizer_step(  # type: ignore[override]
        self, optimizer: Any, model: pl.LightningModule, closure: Callable[[], Any], **kwargs: Any
    ) -> Any:
        """Unscale the gradient, call the game's hook on it, and step unless it overflowed.

        Fused optimizers would unscale by themselves, after the game has clipped the gradient.
        """
        assert isinstance(model, TwoPlayerGame)
        scaler = self.scaler
        assert isinstance(scaler, GradScaler)
        closure()
        scaler.unscale_(optimizer)
        self._after_closure(model, optimizer)
        stepped = scaler.step(optimizer)
        scaler.update()
        model.readings[f"loss_scale/{model.active.name}"] = scaler.get_scale()
        return stepped

    def state_dict(self) -> dict[str, Any]:
        """Return the scales of both players."""
        return {str(i): scaler.state_dict() for i, scaler in enumerate(self.scalers)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the scales of both players."""
        for index, state in state_dict.items():
            self.scalers[int(index)].load_state_dict(state)


def scale_losses(strategy: Strategy) -> None:
    """Use one loss scale per player if the chosen precision scales losses."""
    plugin = strategy.precision_plugin
    if isinstance(plugin, MixedPrecision) and plugin.scaler is not None:
        strategy.precision_plugin = PlayerwiseScaling(plugin.device)
