"""Games played on drawn batches."""

from collections.abc import Callable, Iterator, Sequence

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from torch import Tensor

from gan.algorithms.gan import GAN


class Stream:
    """Steps of batches from a function of the batch's number."""

    def __init__(self, draw: Callable[[int], Tensor], steps: int, n_critic: int = 1) -> None:
        self.draw, self.steps, self.n_critic = draw, steps, n_critic

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[tuple[Tensor, Tensor | None]]]:
        for step in range(self.steps):
            first = step * self.n_critic
            yield [(self.draw(first + turn), None) for turn in range(self.n_critic)]


def trainer(callbacks: Sequence[Callback] = (), logger: Logger | None = None) -> pl.Trainer:
    """Return a quiet trainer on the CPU."""
    return pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        callbacks=list(callbacks),
        logger=logger or False,
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_val_batches=0,
    )


def play(
    game: GAN,
    draw: Callable[[int], Tensor],
    steps: int,
    callbacks: Sequence[Callback] = (),
    logger: Logger | None = None,
) -> GAN:
    """Let ``game`` play ``steps`` steps on drawn batches and return it."""
    trainer(callbacks, logger).fit(game, Stream(draw, steps, game.n_critic))
    return game
