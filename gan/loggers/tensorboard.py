"""Logging to TensorBoard."""

from importlib import import_module

from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from gan.clock import Clock
from gan.errors import InputError, extra


class TensorBoard(TensorBoardLogger):
    """A TensorBoard logger that writes to ``tensorboard/`` of the run folder.

    Args:
        save_dir: the run folder.

    Raises:
        InputError: if TensorBoard is not installed.
    """

    def __init__(self, save_dir: str) -> None:
        try:
            import_module("torch.utils.tensorboard")
        except ImportError as error:
            raise InputError(f"logger=tensorboard: {error}: {extra('tensorboard')}") from error
        super().__init__(save_dir, name="tensorboard", version="")

    @rank_zero_only
    def log_picture(self, key: str, picture: Tensor, clock: Clock, caption: str) -> None:
        """Log a picture (3, H, W) of uint8; TensorBoard shows no captions."""
        self.experiment.add_image(key, picture, clock.step)
