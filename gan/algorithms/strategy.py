"""Several processes that play one game."""

from typing import Any

from pytorch_lightning.strategies import DDPStrategy


class PlayerwiseDDP(DDPStrategy):
    """Data parallelism in which the game itself averages gradients, one player a turn.

    ``DistributedDataParallel`` would wrap both players as one module, search the graph of each turn
    for the parameters that it leaves out, and exchange the gradients of both players in both turns.

    Args:
        settings: see ``DDPStrategy``.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)

    def configure_ddp(self) -> None:
        """Leave the game as it is."""
