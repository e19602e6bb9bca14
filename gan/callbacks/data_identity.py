"""The identity of the training images in a checkpoint."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback


class DataIdentity(Callback):
    """Store the identity of the training images, by which a resumed run recognises them.

    Attributes:
        KEY: of the identity in a checkpoint.
    """

    KEY = "data_identity"

    def __init__(self) -> None:
        self._identity: str | None = None

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the identity to the checkpoint; it is computed once."""
        if self._identity is None:
            self._identity = trainer.datamodule.identity()  # type: ignore[attr-defined]
        checkpoint[self.KEY] = self._identity
