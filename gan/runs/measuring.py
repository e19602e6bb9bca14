"""What a run measures: in training, and at its end on images that chose nothing."""

from copy import deepcopy
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan.algorithms.translation import TranslationGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.checkpoints import BEST
from gan.callbacks.early_stopping import EarlyStopping
from gan.callbacks.evaluation import MetricsCallback
from gan.callbacks.translation_metrics import TranslationMetrics
from gan.metrics.evaluation import TEST
from gan.metrics.translation_evaluation import TranslationEvaluation
from gan.runs import checkpoints
from gan.settings.trust import build


def make_metrics(
    config: DictConfig, game: TwoPlayerGame, sources: str | None = None
) -> MetricsCallback | None:
    """Return the evaluation of a game, one in each direction of a translation.

    Args:
        config: of the run.
        game: that is evaluated.
        sources: split of what is translated; by default the held-out one.
    """
    if not config.metrics:
        return None
    allowed = list(config.allow_targets)
    if not isinstance(game, TranslationGame):
        return MetricsCallback(build(config.evaluation, allowed))
    evaluations = {d: build(config.evaluation, allowed) for d in game.directions}
    return TranslationMetrics(TranslationEvaluation(evaluations, sources))


def metrics_on_test(
    config: DictConfig, game: TwoPlayerGame, metrics: MetricsCallback, stop: EarlyStopping
) -> dict[str, Any]:
    """Return the entries of the results on the best checkpoint and the test split.

    They are measured where other images chose: a validation split the checkpoint, or early
    stopping the length of the run.

    Args:
        config: of the run.
        game: at its end.
        metrics: of the run.
        stop: of the run.
    """
    evaluation = metrics.evaluation
    if not metrics.best or not (stop.patience or evaluation.validates):
        return {}
    if not evaluation.untouched:
        print("there is no test split of other images: the metrics are those that chose")
        return {}
    test = _measured_on_test(config, game)
    metrics.seconds += test.seconds
    return {"test": test.last, "test_protocols": test.protocols, "test_stamp": test.stamp}


def _measured_on_test(config: DictConfig, game: TwoPlayerGame) -> MetricsCallback:
    """Return the evaluation of the best checkpoint on the test split."""
    changed = deepcopy(config)
    OmegaConf.update(changed, "evaluation.split", TEST, force_add=True)
    measured = make_metrics(changed, game, sources=TEST)
    assert measured is not None
    measured.setup(game.trainer, game, "fit")
    measured.history.append(measured.record(game.trainer, _best(config, game)))
    return measured


def _best(config: DictConfig, game: TwoPlayerGame) -> TwoPlayerGame:
    """Return the game of the best checkpoint, or the one at the end of a run without."""
    path = Path(config.run_dir) / "checkpoints" / BEST
    if not path.exists():
        return game
    best: TwoPlayerGame = checkpoints.restore(build(config.model, list(config.allow_targets)), path)
    return best.to(game.trainer.strategy.root_device)
