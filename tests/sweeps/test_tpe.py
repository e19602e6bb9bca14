import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.errors import MissingConfigException
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from gan.callbacks.trial import STUDY
from gan.errors import InputError
from gan.settings.errors import explain
from gan.sweeps import tpe as search
from gan.sweeps.job import Outcome, State
from gan.sweeps.signals import FORWARDER
from gan.sweeps.tpe import TPESweeper, register
from tests.calls import noting_all
from tests.configs import options
from tests.conftest import composing

SPACE = {"prior.lr": "tag(log, interval(1e-4, 1))", "loss": "choice(hinge, wgan)"}


class Stage:
    """A launcher whose jobs are a formula.

    Args:
        folder: of the sweep.
        ends: what becomes of a trial, by its number; the others finish.
    """

    def __init__(self, folder: Path, ends: dict[int, State]) -> None:
        self.folder, self.ends = folder, ends
        self.batches: list[list[list[str]]] = []

    def launch(self, jobs: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        assert initial_job_idx == sum(map(len, self.batches))
        self.batches.append([list(job) for job in jobs])
        return [self.job(job) for job in jobs]

    def job(self, overrides: Sequence[str]) -> JobReturn:
        set_ = dict(o.lstrip("+").split("=", 1) for o in overrides)
        number = int(set_["callbacks.pruning"].partition("trial:")[2].partition(",")[0])
        folder = self.folder / str(number)
        folder.mkdir(exist_ok=True)
        error = abs(math.log10(float(set_["prior.lr"])) + 2) + (set_["loss"] == "wgan")
        state = self.ends.get(number, State.FINISHED)
        Outcome(state, score=error if state == State.FINISHED else None).save(folder)
        place: Any = OmegaConf.create({"hydra": {"runtime": {"output_dir": str(folder)}}})
        return JobReturn(hydra_cfg=place)


def run(
    folder: Path,
    *given: str,
    ends: dict[int, State] | None = None,
    space: dict[str, str] | None = None,
    **options: Any,
) -> Stage:
    """Search and return the launcher."""
    settings = {"n_trials": 6, "n_jobs": 1, "seed": 0, "direction": "minimize", **options}
    pruner = OmegaConf.create({"name": "MedianPruner", "n_startup_trials": 4})
    params = OmegaConf.create(SPACE if space is None else space)
    sampler = OmegaConf.create({"n_startup_trials": 3})
    sweeper = TPESweeper(params=params, sampler=sampler, pruner=pruner, **settings)
    free = {"override_dirname": {"exclude_keys": ["cache_dir", "sweep"]}}
    config = {"hydra": {"sweep": {"dir": str(folder)}, "job": {"config": free}}}
    context: Any = SimpleNamespace(config_loader=None)
    stage = Stage(folder, ends or {})
    launcher: Any = stage
    sweeper.hydra_context, sweeper.config = context, OmegaConf.create(config)
    sweeper.launcher = launcher
    sweeper.sweep(list(given))
    return stage


def trials(folder: Path) -> list[FrozenTrial]:
    storage = JournalStorage(JournalFileBackend(str(folder / "search.journal")))
    return optuna.load_study(study_name=STUDY, storage=storage).get_trials()


def states(folder: Path) -> list[str]:
    return [trial.state.name for trial in trials(folder)]


def test_trials_are_jobs_with_settings_of_the_space(tmp_path: Path) -> None:
    stage = run(tmp_path, "steps=10")
    assert [len(batch) for batch in stage.batches] == [1] * 6
    for number, ((job,), trial) in enumerate(zip(stage.batches, trials(tmp_path), strict=True)):
        assert job[0] == "steps=10"
        assert f"++prior.lr={trial.params['prior.lr']}" in job
        assert f"loss={trial.params['loss']}" in job
        (pruning,) = (o for o in job if o.startswith("+callbacks.pruning="))
        node = OverridesParser.create().parse_override(pruning).value()
        assert node == {
            "_target_": "gan.callbacks.pruning.Pruning",
            "journal": str(tmp_path / "search.journal"),
            "trial": number,
            "pruner": {"name": "MedianPruner", "n_startup_trials": 4},
        }


def test_it_finds_what_is_good(tmp_path: Path) -> None:
    run(tmp_path, n_trials=30)
    values = [trial.value or 0.0 for trial in trials(tmp_path)]
    assert sum(values[-10:]) < sum(values[:10])
    assert min(values) < 0.1


def test_every_end_is_told(tmp_path: Path) -> None:
    ends = {0: State.FAILED, 1: State.DIVERGED, 2: State.PRUNED}
    run(tmp_path, n_trials=4, ends=ends)
    assert states(tmp_path) == ["FAIL", "FAIL", "PRUNED", "COMPLETE"]


def test_trials_run_in_batches(tmp_path: Path) -> None:
    stage = run(tmp_path, n_trials=5, n_jobs=2)
    assert [len(batch) for batch in stage.batches] == [2, 2, 1]


def test_what_was_cut_short_runs_again_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = {2: State.PREEMPTED}
    with monkeypatch.context() as patch:
        told = Stage.launch

        def launch(self: Stage, *given: Any, **named: Any) -> list[JobReturn]:
            returns = told(self, *given, **named)
            patch.setattr(FORWARDER, "received", 15 if len(self.batches) == 3 else None)
            return returns

        patch.setattr(Stage, "launch", launch)
        cut = run(tmp_path, ends=ends).batches[2]
    assert states(tmp_path) == ["COMPLETE", "COMPLETE", "RUNNING"]
    again = run(tmp_path).batches
    assert again[0] == cut
    assert len(again) == 4
    assert states(tmp_path) == ["COMPLETE"] * 6
    assert run(tmp_path).batches == []
    assert len(run(tmp_path, n_trials=8).batches) == 2


def test_a_search_cut_short_proposes_what_an_uninterrupted_one_does(tmp_path: Path) -> None:
    for folder, parts in {"whole": [8], "parts": [3, 5, 8]}.items():
        for n_trials in parts:
            run(tmp_path / folder, n_trials=n_trials)
    assert [t.params for t in trials(tmp_path / "whole")] == [
        t.params for t in trials(tmp_path / "parts")
    ]
    assert len({t.params["prior.lr"] for t in trials(tmp_path / "whole")}) == 8
    run(tmp_path / "other", n_trials=8, seed=1)
    assert trials(tmp_path / "other")[0].params != trials(tmp_path / "whole")[0].params


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (["steps=20"], {}),
        (["steps=10"], {"direction": "maximize"}),
        (["steps=10"], {"space": {**SPACE, "loss": "choice(hinge, wgan, lsgan)"}}),
    ],
)
def test_another_search_in_the_same_folder_is_refused(
    tmp_path: Path, given: list[str], options: dict[str, Any]
) -> None:
    run(tmp_path, "steps=10", n_trials=1)
    with pytest.raises(InputError, match="holds another search"):
        run(tmp_path, *given, n_trials=2, **options)
    run(tmp_path, "steps=10", "cache_dir=elsewhere", n_trials=2)


SEARCH = {"n_trials": 2, "n_jobs": 1, "direction": "minimize"}


def search_config(metrics: list[str] | None = None, **sweeper: object) -> DictConfig:
    node = {"hydra": {"sweeper": SEARCH | sweeper}, "metrics": dict.fromkeys(metrics or ())}
    return OmegaConf.create(node)


@pytest.mark.parametrize(
    ("config", "space", "words"),
    [
        (search_config(["fid"]), [], r"hydra\.sweeper\.params is empty"),
        (search_config(["fid"], direction="best"), ["lr"], "=best: give minimize or maximize"),
        (search_config(["fid"], n_trials=0), ["lr"], r"n_trials=0: give a number from 1"),
        (search_config(["fid"], n_jobs="2"), ["lr"], r"n_jobs=2: give a number from 1"),
        (search_config(), ["lr"], r"metrics=\[\]: a search needs a metric"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    config: DictConfig, space: list[str], words: str
) -> None:
    search.check(search_config(["fid"]), ["lr"])
    with pytest.raises(InputError, match=words):
        search.check(config, space)


@pytest.mark.parametrize("name", ["n_trials", "n_jobs"])
@pytest.mark.parametrize("value", [1, 2])
def test_numbers_from_one_are_taken(name: str, value: int) -> None:
    search.check(search_config(["fid"], **{name: value}), ["lr"])


def test_a_journal_lies_in_the_folder_of_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sweeper = TPESweeper.__new__(TPESweeper)
    sweeper.config = OmegaConf.create({"hydra": {"sweep": {"dir": "a"}}})
    assert sweeper.journal == tmp_path / "a" / "search.journal"


def test_the_sweeper_starts_jobs_by_the_launcher_of_hydra(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    plugins = SimpleNamespace(instantiate_launcher=noting_all(given, "made"))
    monkeypatch.setattr("gan.sweeps.tpe.Plugins.instance", lambda: plugins)
    sweeper = TPESweeper.__new__(TPESweeper)
    parts: dict[str, Any] = {"hydra_context": 1, "task_function": 2, "config": 3}
    sweeper.setup(**parts)
    assert given == [((), parts)]
    found: Any = (sweeper.launcher, sweeper.hydra_context, sweeper.config)
    assert found == ("made", 1, 3)


def test_the_highest_may_be_searched_for(tmp_path: Path) -> None:
    run(tmp_path, direction="maximize", n_trials=1)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "search.journal")))
    study = optuna.load_study(study_name=STUDY, storage=storage)
    assert study.direction.name == "MAXIMIZE"
    assert study.best_value == study.trials[0].value


def test_trials_without_an_outcome_stay_open(tmp_path: Path) -> None:
    study = optuna.create_study()
    trial: Any = study.ask()
    place: Any = OmegaConf.create({"hydra": {"runtime": {"output_dir": str(tmp_path)}}})
    search._report(study, trial, JobReturn(hydra_cfg=place))
    Outcome(State.RUNNING).save(tmp_path)
    search._report(study, trial, JobReturn(hydra_cfg=place))
    assert [found.state.name for found in study.trials] == ["RUNNING"]
    Outcome(State.FINISHED, score=0.25).save(tmp_path)
    search._report(study, trial, JobReturn(hydra_cfg=place))
    assert study.trials[0].value == 0.25


def test_the_command_line_narrows_the_space(tmp_path: Path) -> None:
    stage = run(tmp_path, "loss=hinge")
    assert all("loss=hinge" in job for (job,) in stage.batches)
    assert all(list(trial.params) == ["prior.lr"] for trial in trials(tmp_path))


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("choice(a,b)", CategoricalDistribution(["a", "b"])),
        ("[16],[8]", CategoricalDistribution(["[16]", "[8]"])),
        ("interval(0,1)", FloatDistribution(0, 1)),
        ("tag(log,interval(1e-5,1e-3))", FloatDistribution(1e-5, 1e-3, log=True)),
        ("int(interval(16,64))", IntDistribution(16, 64)),
        ("tag(log,int(interval(16,64)))", IntDistribution(16, 64, log=True)),
        ("range(1,4)", IntDistribution(1, 3)),
        ("range(10,2,-2)", IntDistribution(4, 10, step=2)),
        ("range(0,1,0.25)", FloatDistribution(0, 0.75, step=0.25)),
    ],
)
def test_the_grammar_is_hydras(text: str, distribution: BaseDistribution) -> None:
    override = OverridesParser.create().parse_override(f"key={text}")
    assert search._distribution(override) == distribution


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'SOURCE\[sweeps\]'"):
        search.check(search_config(["fid"]), ["lr"])


@pytest.mark.parametrize("name", options("sweep"))
def test_sweeps_compose(name: str, tmp_path: Path) -> None:
    register()
    with composing(tmp_path) as compose:
        compose(f"sweep={name}")


def test_a_missing_launcher_is_named(tmp_path: Path) -> None:
    with composing(tmp_path) as compose, pytest.raises(MissingConfigException) as caught:
        compose("hydra/launcher=absent")
    line = explain(caught.value)
    assert line is not None
    assert "pip install 'SOURCE[sweeps]'" in line
