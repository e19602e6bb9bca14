"""Search for settings by TPE (Bergstra et al., 2011), with early stopping of bad trials."""

from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from gan.callbacks.trial import STUDY
from gan.errors import InputError, extra
from gan.settings.overrides import hydra_form, key_of
from gan.sweeps.job import Outcome, State
from gan.sweeps.signals import FORWARDER

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

TARGET = "hydra_plugins.ganymede.TPESweeper"
_DIRECTIONS = ("minimize", "maximize")
_PRIME = 1_000_003  # seeds of trials far apart
_DEFINITION = "question"  # key in the journal
_CALLBACK = "gan.callbacks.pruning.Pruning"


def check(config: DictConfig, space: Collection[str]) -> None:
    """Refuse a search that cannot run, before its folder is made.

    Args:
        config: of its first job, with the node ``hydra``.
        space: settings that are searched for.

    Raises:
        InputError: with what is wrong.
    """
    sweeper = config.hydra.sweeper
    if find_spec("optuna") is None:
        raise InputError(f"a search needs Optuna: {extra('sweeps')}")
    if sweeper.direction not in _DIRECTIONS:
        raise InputError(
            f"hydra.sweeper.direction={sweeper.direction}: give {' or '.join(_DIRECTIONS)}"
        )
    for name in ("n_trials", "n_jobs"):
        if not isinstance(sweeper[name], int) or sweeper[name] < 1:
            raise InputError(f"hydra.sweeper.{name}={sweeper[name]}: give a number from 1")
    if not space:
        raise InputError("hydra.sweeper.params is empty: give a search space")
    if not config.metrics:
        raise InputError("metrics=[]: a search needs a metric to monitor: choose metrics=[fid]")


class TPESweeper(Sweeper):
    """Run trials in batches through the chosen launcher and report their outcomes to the sampler.

    The search is stored in ``search.journal`` of the sweep folder. A search that is started again
    there counts the trials that have ended and runs the unfinished ones, each in its own folder.
    Its proposals depend on the seed and on earlier trials alone.

    Args:
        params: search space: overrides by key, such as ``tag(log, interval(1e-5, 1e-3))``.
        n_trials: trials to end, finished, failed or pruned.
        n_jobs: trials at once.
        seed: of the proposals.
        direction: of the monitored metric, ``minimize`` or ``maximize``.
        sampler: arguments of ``optuna.samplers.TPESampler``.
        pruner: ``name`` of a class of ``optuna.pruners``, and its arguments.
    """

    def __init__(
        self,
        params: DictConfig,
        n_trials: int,
        n_jobs: int,
        seed: int,
        direction: str,
        sampler: DictConfig,
        pruner: DictConfig,
    ) -> None:
        self.params, self.n_trials, self.n_jobs, self.seed = params, n_trials, n_jobs, seed
        self.direction, self.sampler, self.pruner = direction, sampler, pruner
        self.hydra_context: HydraContext
        self.config: DictConfig
        self.launcher: Launcher

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Create the launcher."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    @property
    def journal(self) -> Path:
        """Return the file of the search."""
        return Path(self.config.hydra.sweep.dir).absolute() / "search.journal"

    def sweep(self, arguments: list[str]) -> None:
        """Run trials until there are enough.

        Raises:
            InputError: if the folder holds another search.
        """
        given = [hydra_form(f"{key!s}={value}") for key, value in self.params.items()]
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        found = parser.parse_overrides([*given, *arguments])
        overrides = {key_of(override): override for override in found}
        study, launched = self._study(overrides), 0
        while FORWARDER.received is None and (batch := self._propose(study, overrides)):
            jobs = [self._job(overrides, trial) for trial in batch]
            returns = self.launcher.launch(jobs, initial_job_idx=launched)
            launched += len(batch)
            for trial, job in zip(batch, returns, strict=True):
                _report(study, trial, job)

    def _study(self, overrides: Mapping[str, Override]) -> "Study":
        """Return the search of the sweep folder, new or as it was left."""
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
        from optuna.study import StudyDirection

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        study = optuna.create_study(
            study_name=STUDY,
            storage=JournalStorage(JournalFileBackend(str(self.journal))),
            direction=StudyDirection[self.direction.upper()],
            load_if_exists=True,
        )
        definition = self._definition(overrides)
        if study.user_attrs.setdefault(_DEFINITION, definition) != definition:
            raise InputError(
                f"{self.journal.parent} holds another search: choose another hydra.sweep.dir, or "
                "leave its settings as they were"
            )
        study.set_user_attr(_DEFINITION, definition)
        return study

    def _definition(self, overrides: Mapping[str, Override]) -> list[str]:
        """Return the settings that a continued search must not change."""
        free = self.config.hydra.job.config.override_dirname.exclude_keys
        lines = [str(o.input_line) for key, o in sorted(overrides.items()) if key not in free]
        return [f"hydra.sweeper.direction={self.direction}", *lines]

    def _propose(self, study: "Study", overrides: Mapping[str, Override]) -> list["FrozenTrial"]:
        """Return the next trials: unfinished ones, then new ones."""
        from optuna.samplers import TPESampler

        arguments = {str(key): value for key, value in self.sampler.items()}
        trials = study.get_trials()
        unfinished = [trial for trial in trials if not trial.state.is_finished()]
        count = min(self.n_jobs, self.n_trials - len(trials) + len(unfinished))
        space = {k: _distribution(o) for k, o in overrides.items() if o.is_sweep_override()}
        for number in range(len(trials), len(trials) + count - len(unfinished)):
            seed = (self.seed * _PRIME + number) % 2**32
            study.sampler = TPESampler(seed=seed, **arguments)
            study.ask(space)
        return [trial for trial in study.get_trials() if not trial.state.is_finished()][:count]

    def _job(self, overrides: Mapping[str, Override], trial: "FrozenTrial") -> list[str]:
        """Return the overrides of a trial."""
        fixed = [str(o.input_line) for key, o in overrides.items() if key not in trial.params]
        chosen = [f"{overrides[k].get_key_element()}={v}" for k, v in trial.params.items()]
        node = {"_target_": _CALLBACK, "journal": str(self.journal), "trial": trial.number}
        pruner = OmegaConf.to_container(self.pruner)
        pruning = Override._get_value_element_as_str({**node, "pruner": pruner})
        return [*fixed, *chosen, f"+callbacks.pruning={pruning}"]


def _distribution(override: Override) -> "BaseDistribution":
    """Return the distribution of a sweep in Hydra's grammar."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = override.value()
    if isinstance(value, IntervalSweep):
        low, high, step, log = value.start, value.end, None, "log" in value.tags
    elif isinstance(value, RangeSweep):
        numbers = list(value.range())
        low, high, step, log = min(numbers), max(numbers), abs(value.step), False
    else:
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log, int(step or 1))
    return FloatDistribution(float(low or 0), float(high or 0), log, step)


def _report(study: "Study", trial: "FrozenTrial", job: JobReturn) -> None:
    """Report the outcome of a trial to the search; an unfinished trial stays open."""
    from optuna.trial import TrialState

    assert job.hydra_cfg is not None
    outcome = Outcome.read(Path(job.hydra_cfg.hydra.runtime.output_dir))
    ends = {State.PRUNED: TrialState.PRUNED}
    ends |= dict.fromkeys((State.FAILED, State.DIVERGED), TrialState.FAIL)
    if outcome is not None and outcome.state == State.FINISHED:
        study.tell(trial.number, outcome.score)
    elif outcome is not None and outcome.state in ends:
        study.tell(trial.number, state=ends[outcome.state])


def register() -> None:
    """Register the sweeper with Hydra, which accepts only plugins of the package hydra_plugins."""
    Plugins.instance().class_name_to_class[TARGET] = TPESweeper
