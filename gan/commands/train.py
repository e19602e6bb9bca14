"""Training: ``ganymede train model=dcgan loss=hinge data=cifar10``."""

import os
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console

from gan.commands.exits import report_errors
from gan.runs import arguments
from gan.runs.cleanup import Cleanup
from gan.runs.results import Results
from gan.runs.resume import AUTO
from gan.settings import resolvers, schema
from gan.settings.groups import CONF
from gan.settings.validation import validate
from gan.sweeps import job, tpe
from gan.sweeps.callback import write_leaderboard


def train(config: DictConfig) -> float | None:
    """Train a model on a data set and return the best value of the monitored metric.

    Raises:
        InputError: on bad input, before training.
    """
    validate(config)
    done = Results.read(Path(config.run_dir)) if config.resume == AUTO else None
    if done is not None and done.steps >= config.steps:
        Console().print(f"{config.run_dir} is finished already", soft_wrap=True)
        return done.score
    from gan.runs import training  # imports PyTorch, which a refused config does without

    return training.train(config).score


class Task:
    """What Hydra runs for a composed config: a training run, or a job of a sweep.

    Args:
        command: the command line, by which Lightning starts further processes of the run.
        cleanup: that is told the run folder.
    """

    def __init__(self, command: list[str], cleanup: Cleanup) -> None:
        self.command, self.cleanup = command, cleanup

    def __call__(self, config: DictConfig) -> float | None:
        """Train and return the monitored metric; a job of a sweep trains in its own process."""
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return job.run(config)
        sys.argv = self.command
        self.cleanup.folder = Path(HydraConfig.get().runtime.output_dir)
        return report_errors(lambda: train(config))


def main(given: list[str]) -> None:
    """Run training on the arguments of the command line.

    Hydra reads ``sys.argv``, which holds the arguments alone while it does.
    """
    program = sys.argv[: len(sys.argv) - len(given)] or ["ganymede"]
    given = [argument for argument in given if argument != "--debug"]
    with write_leaderboard(), Cleanup(given) as cleanup:
        report_errors(lambda: _run_hydra(program, given, cleanup))


def _run_hydra(program: list[str], given: list[str], cleanup: Cleanup) -> None:
    """Let Hydra compose the config and run the task."""
    resolvers.register()
    schema.register()
    tpe.register()
    prepared, before = arguments.prepare(given), sys.argv
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach the caller, who explains them
    task = Task([*program, *prepared], cleanup)
    try:
        sys.argv = [program[0], *prepared]
        hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")(task)()
    finally:
        sys.argv = before
