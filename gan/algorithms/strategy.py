"""Data parallelism for two players."""

from typing import Any

from pytorch_lightning.strategies import DDPStrategy


class PlayerwiseDDP(DDPStrategy):
    """Data parallelism in which the game averages the gradients of the player that is updated.

    ``DistributedDataParallel`` would wrap both players as one module, search the graph of each
    update for unused parameters, and exchange the gradients of both players in each update.

    Args:
        settings: see ``DDPStrategy``.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)

    def configure_ddp(self) -> None:
        """Leave the module unwrapped."""
