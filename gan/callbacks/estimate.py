"""The duration of training, estimated from its first steps."""

import sys

import pytorch_lightning as pl
from tqdm import tqdm

from gan import durations
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.callbacks.stopwatch import Stopwatch
from gan.networks.growing import Growing


class Estimate(StepCallback):
    """Prints once how long training will take, and from a day on what shortens it.

    The rate is that of the first steps but the very first, without measuring. Networks that grow
    become slower: the duration is then a lower bound.

    Args:
        stopwatch: of the run.
        hint: settings that shorten training.
        steps: after the first, from which the rate is taken, at least.
        seconds: that these steps take, at least.
    """

    def __init__(
        self, stopwatch: Stopwatch, hint: str, steps: int = 20, seconds: float = 10.0
    ) -> None:
        self.stopwatch, self.hint, self.steps, self.seconds = stopwatch, hint, steps, seconds
        self._done, self._begun, self._printed = -1, 0.0, False

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Print the estimate when it is due."""
        if self._printed or not trainer.is_global_zero:
            return
        self._done += 1
        if self._done == 0:
            self._begun = self.stopwatch.seconds
        elapsed = self.stopwatch.seconds - self._begun
        if last or self._done < self.steps or elapsed < self.seconds:
            return
        self._printed = True
        left = int(trainer.num_training_batches) - game.clock.step
        tqdm.write(self._text(game, left + self._done, self._done / elapsed))  # above any bar
        sys.stdout.flush()

    def _text(self, game: TwoPlayerGame, steps: int, rate: float) -> str:
        """Return the duration of a number of steps at a rate in steps per second."""
        seconds = steps / rate
        grows = any(isinstance(m, Growing) and m.is_growing for m in game.scheduled)
        about = "at least" if grows else "about"
        hint = f": {self.hint}" if seconds > durations.DAY else ""
        shown = f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"
        return f"training takes {about} {durations.show(seconds)} at {shown} steps/s{hint}"
