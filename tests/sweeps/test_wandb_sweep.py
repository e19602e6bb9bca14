"""The sweep of ``docs/``, whose agent starts ``train.py``."""

from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from gan.runs.data import check_settings
from gan.settings.commandline import CommandLine
from gan.settings.unused import refuse_unused
from tests.configs import ROOT

SWEEP = yaml.safe_load((ROOT / "docs" / "wandb_sweep.yaml").read_text())
EDGES = (0, -1)


def proposal(parameter: dict[str, Any], edge: int) -> Any:
    """Return a value that W&B could propose for a parameter."""
    return parameter["values"][edge] if "values" in parameter else parameter[("min", "max")[edge]]


def command(edge: int) -> list[str]:
    """Return what an agent starts, by the function with which it writes arguments."""
    proposed = {k: {"value": proposal(p, edge)} for k, p in SWEEP["parameters"].items()}
    parts: dict[str, list[str]] = create_sweep_command_args({"args": proposed})
    parts |= {"env": ["/usr/bin/env"], "interpreter": ["python"], "program": [SWEEP["program"]]}
    pieces = ((word[2:-1], word) for word in SWEEP["command"])
    return [a for name, word in pieces for a in (parts[name] if word[:2] == "${" else [word])]


@pytest.mark.parametrize("edge", EDGES)
def test_train_accepts_what_an_agent_starts(edge: int) -> None:
    *start, program = command(edge)[:3]
    assert start == ["/usr/bin/env", "python"]
    assert (ROOT / program).is_file()
    line = CommandLine(command(edge)[3:])
    config = line.compose([*line.arguments, "run_dir=run"])
    check_settings(config)
    refuse_unused(config, line.parsed)
    rate = proposal(SWEEP["parameters"]["optimizer.generator.lr"], edge)
    assert config.optimizer.generator.lr == rate
    assert [*config.regularizers] == ([], ["r1"])[edge]


def test_its_metric_is_measured() -> None:
    line = CommandLine(command(0)[3:])
    config = line.compose([*line.arguments, "run_dir=run"])
    backbone, name = SWEEP["metric"]["name"].split("/")
    assert backbone in config.backbone._target_
    assert name in config.metrics
    assert config.steps // config.evaluation.every > SWEEP["early_terminate"]["min_iter"]
