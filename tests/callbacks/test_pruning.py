from pathlib import Path
from types import SimpleNamespace
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


def test_a_search_needs_a_value_that_ranks(study: optuna.Study) -> None:
    scores, pruning = stage.metrics(), Pruning("journal", 1, MEDIAN)
    scores.evaluation.monitor = "script/other"
    for callbacks in ((), (scores,)):
        with pytest.raises(InputError, match="nothing is monitored"):
            pruning.on_train_start(stage.place(*callbacks), stage.game())


def test_a_search_in_the_direction_of_the_metric() -> None:
    for direction, minimize in (("maximize", False), ("minimize", True)):
        trainer = stage.place(stage.metrics(minimize=minimize))
        Pruning("journal", 1, MEDIAN)._check(trainer, direction == "maximize")
        with pytest.raises(InputError, match=f"direction={direction}$"):
            Pruning("journal", 1, MEDIAN)._check(trainer, direction != "maximize")


@pytest.mark.parametrize(
    ("first", "told", "step", "last", "stopped"),
    [
        (True, True, 4, False, True),
        (True, False, 4, False, False),
        (True, True, 3, False, False),  # no evaluation in this step
        (True, True, 4, True, False),
        (False, True, 4, False, True),  # by the first process
        (False, False, 4, False, False),
    ],
)
def test_all_processes_stop_as_the_first_is_told(
    first: bool, told: bool, step: int, last: bool, stopped: bool, tmp_path: Path
) -> None:
    reports: list[tuple[float, int]] = []
    trial = SimpleNamespace(
        report=lambda *given: reports.append(given), should_prune=lambda: first and told
    )
    scores, players = stage.metrics(), stage.game()
    scores.history, players.clock.step = [{"step": 4, "script/score": 0.12345}], step
    strategy = SimpleNamespace(broadcast=lambda own: own if first else told)
    pruning = Pruning("journal", 1, MEDIAN)
    trainer = stage.place(
        Samples("samples"),
        scores,
        is_global_zero=first,
        strategy=strategy,
        default_root_dir=str(tmp_path),
    )
    pruning.on_train_start(stage.place(is_global_zero=False), players)  # reads no search
    pruning.trial = trial  # type: ignore[assignment]
    pruning.after_step(trainer, players, last)
    assert trainer.should_stop == stopped
    assert reports == [(0.12345, 4)] * (first and step == 4)
    assert (tmp_path / PRUNED).exists() == stopped
    pruning.after_step(stage.place(), players, last)  # nothing is measured
