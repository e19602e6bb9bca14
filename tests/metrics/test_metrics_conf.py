from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from tests.configs import ROOT, options

OWN = """\
# @package _global_
defaults:
  - override /model: mlp
  - override /backbone: inception
  - override /metrics: [kid]
evaluation: {{every: {every}, monitor: kid}}
"""


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", list(overrides))


DEFAULTS = {
    "domain": (["fid", "is", "neighbours"], 500, 2000, "fid"),
    "inception": (["fid", "is", "neighbours"], 10_000, 10_000, "fid"),
    "squeezenet": (["fid", "is", "neighbours"], 10_000, 10_000, "fid"),
    "clip": (["fid"], 10_000, 10_000, "fid"),
    "dinov2": (["fid"], 10_000, 10_000, "fid"),
    "plane": (["high_quality", "misplaced"], 500, 2500, "misplaced"),
    "stacked": (["fid", "modes", "class_kl"], 500, 10_000, "class_kl"),
}


@pytest.mark.parametrize("backbone", options("backbone"))
def test_defaults_of_a_backbone(backbone: str) -> None:
    metrics, every, num_fakes, monitor = DEFAULTS[backbone]
    node = composed(f"backbone={backbone}")
    assert list(node.metrics) == metrics
    assert (node.evaluation.every, node.evaluation.num_fakes) == (every, num_fakes)
    assert node.evaluation.get("monitor", "fid") == monitor
    assert not composed(f"backbone={backbone}", "metrics=[]").metrics


@pytest.mark.parametrize(
    ("steps", "every"), [(1, 500), (10_000, 500), (10_001, 501), (30_000, 1500)]
)
def test_a_run_is_evaluated_at_most_twenty_times(steps: int, every: int) -> None:
    assert composed("backbone=domain", f"steps={steps}").evaluation.every == every
    assert composed("backbone=domain", f"steps={steps}", "evaluation.every=7").evaluation.every == 7


def test_the_command_line_comes_before_experiment_model_and_backbone(tmp_path: Path) -> None:
    for group, every in (("model", 3), ("experiment", 4)):
        (tmp_path / group).mkdir()
        text = OWN.format(every=every)
        if group == "model":
            text = text.replace("  - override /model: mlp\n", "")
        (tmp_path / group / "own.yaml").write_text(text)
    path = f"hydra.searchpath=[file://{tmp_path}]"
    of_model = composed(path, "model=own")
    assert list(of_model.metrics) == ["kid"]
    assert of_model.evaluation.num_fakes == 10_000
    assert of_model.evaluation.every == 3
    of_experiment = composed(path, "experiment=own")
    assert of_experiment.evaluation.every == 4
    both = composed(path, "experiment=own", "model=own", "metrics=[is]", "evaluation.every=5")
    assert (list(both.metrics), both.evaluation.every) == (["is"], 5)
    assert composed(path, "experiment=own", "backbone=plane").evaluation.every == 4
