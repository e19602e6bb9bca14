from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.pruning import Pruning
from gan.callbacks.samples import Samples
from gan.callbacks.trial import PRUNED, STUDY
from gan.errors import InputError
from tests.callbacks import stage

MEDIAN = {"name": "MedianPruner", "n_startup_trials": 1, "n_warmup_steps": 0}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> optuna.Study:
    """Return a search with one complete trial, whose scores were 5, 4, 3, and an open one."""
    monkeypatch.chdir(tmp_path)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
    made = optuna.create_study(study_name=STUDY, storage=storage)
    first = made.ask()
    for step, value in enumerate([5.0, 4.0, 3.0], start=1):
        first.report(value, step)
    made.tell(first, 3.0)
    made.ask()
    return made


def train(*scores: float, pruner: dict[str, Any] = MEDIAN, **options: Any) -> int:
    """Train three steps with these scores as trial 1 and return how many were done."""
    players = stage.game()
    metrics = stage.metrics(*scores, **options)
    others = Samples("samples"), Checkpoints("checkpoints")
    stage.run(players, 3, metrics, Pruning("journal", 1, pruner), *others)
    return players.clock.step


def reported(study: optuna.Study) -> dict[int, float]:
    return study.get_trials()[1].intermediate_values


def test_a_good_trial_reports_and_goes_on(study: optuna.Study) -> None:
    assert train(4.0, 3.0, 2.0) == 3
    assert reported(study) == {1: 4.0, 2: 3.0, 3: 2.0}
    assert not Path(PRUNED).exists()


def test_a_bad_trial_ends_tidily_and_says_why(study: optuna.Study) -> None:
    assert train(4.5, 4.2) == 2
    assert reported(study) == {1: 4.5, 2: 4.2}
    assert Path(PRUNED).read_text() == "script/score 4.2 at step 2: behind the other trials\n"
    assert Path("samples/step_00000002.png").exists()
    assert Path("checkpoints/last.ckpt").exists()


def test_a_run_that_has_reached_its_end_is_finished(study: optuna.Study) -> None:
    assert train(4.5, 3.9, 3.8) == 3  # behind at the last step alone
    assert reported(study)[3] == 3.8
    assert not Path(PRUNED).exists()


def test_the_pruner_is_chosen(study: optuna.Study) -> None:
    assert train(9.0, 9.0, 9.0, pruner={"name": "NopPruner"}) == 3


@pytest.mark.parametrize(
    ("scores", "pruner", "words"),
    [
        ({"minimize": False}, MEDIAN, "script/score: set hydra.sweeper.direction=maximize"),
        ({}, {"name": "Median"}, "hydra.sweeper.pruner.name=Median: known are .*MedianPruner"),
        ({}, {"name": "MedianPruner", "n": 1}, "hydra.sweeper.pruner: .*'n'"),
    ],
)
def test_what_cannot_be_is_refused(
    study: optuna.Study, scores: dict[str, Any], pruner: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        train(4.0, pruner=pruner, **scores)
