"""Early stopping of trials of a search."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl

from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.callbacks.evaluation import MetricsCallback
from gan.callbacks.trial import PRUNED, STUDY
from gan.errors import InputError
from gan.files import write_text

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class Pruning(StepCallback):
    """Report each evaluation to a trial of a search, and stop the run if the pruner says so.

    The run ends like a finished one; ``pruned.txt`` in its folder gives the reason. Acts after the
    metrics and before the callbacks that act on the last step.

    Args:
        journal: file of the search.
        trial: number of the trial.
        pruner: ``name`` of a class of ``optuna.pruners``, and its arguments.
    """

    def __init__(self, journal: str, trial: int, pruner: Mapping[str, Any]) -> None:
        self.journal, self.number, self.pruner = journal, trial, pruner

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Load the trial, and refuse a search in the wrong direction."""
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        if not trainer.is_global_zero:
            return
        storage = JournalStorage(JournalFileBackend(self.journal))
        study = optuna.load_study(
            study_name=STUDY,
            storage=storage,
            pruner=_pruner(**self.pruner),
            sampler=optuna.samplers.RandomSampler(),  # not used here
        )
        key = storage.get_trial_id_from_study_id_trial_number(
            storage.get_study_id_from_name(STUDY), self.number
        )
        self.trial = optuna.Trial(study, key)
        self._check(trainer, study.direction == optuna.study.StudyDirection.MAXIMIZE)

    def _check(self, trainer: pl.Trainer, maximize: bool) -> None:
        """Refuse a search in the wrong direction, or without a monitored metric."""
        metrics = _metrics(trainer)
        if metrics is None or metrics.monitor not in metrics.evaluation.ranking:
            raise InputError("metrics: nothing is monitored: choose a metric for the search")
        if maximize != metrics.higher_is_better:
            right = "minimize" if maximize else "maximize"
            raise InputError(f"{metrics.monitor}: set hydra.sweeper.direction={right}")

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        """Report a new evaluation, and stop the run if the pruner says so."""
        metrics = _metrics(trainer)
        if metrics is None or metrics.last.get("step") != game.clock.step:
            return
        pruned = trainer.is_global_zero and self._is_pruned(metrics, game.clock.step)
        if trainer.strategy.broadcast(pruned) and not last:
            trainer.should_stop = True
            value = f"{metrics.monitor} {metrics.last[metrics.monitor]:.4g}"
            note = f"{value} at step {game.clock.step}: behind the other trials\n"
            write_text(Path(trainer.default_root_dir) / PRUNED, note)

    def _is_pruned(self, metrics: MetricsCallback, step: int) -> bool:
        """Report the latest value and return whether the pruner stops the trial."""
        self.trial.report(metrics.last[metrics.monitor], step)
        return bool(self.trial.should_prune())


def _pruner(name: str, **arguments: Any) -> "BasePruner":
    """Return a pruner of Optuna.

    Raises:
        InputError: if there is no such pruner, or it takes other arguments.
    """
    from optuna import pruners

    known = pruners.__all__
    if name not in known:
        raise InputError(f"hydra.sweeper.pruner.name={name}: known are {', '.join(known)}")
    try:
        pruner: BasePruner = getattr(pruners, name)(**arguments)
    except (TypeError, ValueError) as error:
        raise InputError(f"hydra.sweeper.pruner: {error}") from error
    return pruner


def _metrics(trainer: pl.Trainer) -> MetricsCallback | None:
    """Return the callback that evaluates, if there is one."""
    found = (c for c in trainer.callbacks if isinstance(c, MetricsCallback))  # type: ignore[attr-defined]
    return next(found, None)
