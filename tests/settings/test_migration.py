from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan.runs.folder import Run
from gan.runs.resume import differences, identity
from gan.settings.migration import (
    migrate_classes,
    migrate_config,
    migrate_overrides,
    migrate_settings,
)
from gan.settings.stored import load
from gan.settings.validation import validate

# As an earlier version stored it.
MEASURES = {
    "fid": {"_target_": "gan.metrics.frechet.FrechetDistance"},
    "modes": {"_target_": "gan.metrics.histogram.Modes"},
    "kid": {"_target_": "gan.metrics.kernel.KernelDistance", "subsets": 9},
}
METRICS = {
    "_target_": "gan.metrics.evaluation.Evaluation",
    "every": 2,
    "num_fakes": 1000,
    "split": "train",
    "weights": None,
    "weights_hash": "0a",
    "cache": "${cache_dir}",
    "backbone": {
        "_target_": "gan.metrics.domain.DomainBackbone",
        "cache": "${cache_dir}",
        "training": {"_target_": "gan.metrics.classifier.Training", "rounds": [25]},
    },
    "metrics": "${measures}",
}
NONE = {"_target_": "gan.metrics.evaluation.NoEvaluation"}
OVERRIDES = [
    "model=mlp",
    "metrics=domain",
    "measures=[fid,modes,kid]",
    "++metrics.every=2",
    "++metrics.weights_hash=0a",
    "++measures.kid.subsets=9",
    "++metrics.backbone.training._target_=gan.metrics.classifier.Training",
]


def stored(config: Any, metrics: dict[str, Any]) -> Any:
    """Return a config as an earlier version stored it."""
    content: Any = OmegaConf.to_container(config(), resolve=False)
    for key in ("backbone", "evaluation"):
        del content[key]
    return OmegaConf.create(content | {"measures": MEASURES, "metrics": metrics})


def test_a_stored_config(config: Any) -> None:
    node = migrate_config(stored(config, METRICS))
    assert "measures" not in node
    assert node.metrics.modes._target_ == "gan.metrics.modes.Modes"
    assert node.metrics.kid.subsets == 9
    assert node.backbone._target_ == "gan.backbones.domain.DomainBackbone"
    assert node.backbone.training._target_ == "gan.backbones.classifier.Training"
    assert node.backbone.weights_hash == "0a"
    assert "weights" not in node.backbone
    assert node.backbone.cache == node.evaluation.cache == node.cache_dir
    assert (node.evaluation.every, node.evaluation.num_fakes) == (2, 1000)
    assert node.evaluation.metrics == node.metrics
    assert node.evaluation.backbone == node.backbone
    validate(node)


def test_a_stored_config_without_metrics(config: Any) -> None:
    node = migrate_config(stored(config, NONE))
    assert node.metrics == {}
    assert node.backbone._target_ == "gan.backbones.domain.DomainBackbone"
    validate(node)


def test_a_config_of_today_is_kept(config: Any) -> None:
    node = config("metrics=[fid]", "evaluation.every=3")
    assert migrate_config(node) == node


def test_a_stored_command_line() -> None:
    assert migrate_overrides(OVERRIDES) == [
        "model=mlp",
        "backbone=domain",
        "metrics=[fid,modes,kid]",
        "++evaluation.every=2",
        "++backbone.weights_hash=0a",
        "++metrics.kid.subsets=9",
        "++backbone.training._target_=gan.backbones.classifier.Training",
    ]
    assert migrate_overrides(["measures=[fid]", "metrics=none"]) == ["metrics=[]"]
    today = ["metrics=[fid]", "backbone=plane", "++evaluation.every=2"]
    assert migrate_overrides(today) == today


def test_a_run_folder_of_an_earlier_version(config: Any) -> None:
    node = stored(config, METRICS)
    folder = Run(node.run_dir).path / ".hydra"
    OmegaConf.save(node, folder / "config.yaml")
    OmegaConf.save(OmegaConf.create(OVERRIDES), folder / "overrides.yaml")
    run = Run(node.run_dir)
    assert run.config.evaluation.every == 2
    assert "backbone=domain" in run.overrides


@pytest.mark.parametrize("value", [3, "text", None, [1, {"_target_": "gan.losses.hinge.Hinge"}]])
def test_other_values_are_kept(value: Any) -> None:
    assert migrate_classes(value) == value


def before_tasks(config: Any) -> Any:
    """Return a config as a version without tasks stored it."""
    content: Any = OmegaConf.to_container(config("model=dcgan"), resolve=False)
    del content["task"], content["data"]["task"]
    return OmegaConf.create(content)


def test_a_config_of_a_version_without_tasks(config: Any) -> None:
    node = migrate_config(before_tasks(config))
    assert node.task == {}
    validate(node)
    old, new = identity(before_tasks(config)), identity(node)
    assert "task" not in old
    assert differences(migrate_settings(old), new) == {}


def test_a_run_folder_of_a_version_without_tasks(config: Any) -> None:
    node = before_tasks(config)
    folder = Run(node.run_dir).path / ".hydra"
    OmegaConf.save(node, folder / "config.yaml")
    run = Run(node.run_dir)
    assert run.data().task is None
    assert not run.data().domains


BLUR = {"resample_filter": [1, 2, 1]}
NO_BOX: dict[str, Any] = {"box": False}


@pytest.mark.parametrize(
    ("model", "before"),
    [
        ("r3gan", {"generator": BLUR, "discriminator": BLUR}),
        ("stylegan", {"generator": NO_BOX | {"epsilon": 1e-5}, "discriminator": NO_BOX}),
    ],
)
def test_networks_keep_the_filters_that_they_were_trained_with(
    config: Any, model: str, before: dict[str, dict[str, Any]]
) -> None:
    today: Any = OmegaConf.to_container(config(f"model={model}"), resolve=False)
    assert migrate_classes(today) == today
    for player, arguments in before.items():
        for argument in arguments:
            del today["model"][player][argument]
    node = migrate_config(OmegaConf.create(today))
    validate(node)
    for player, arguments in before.items():
        assert {key: node.model[player][key] for key in arguments} == arguments
    assert differences(migrate_settings(identity(OmegaConf.create(today))), identity(node)) == {}


def test_settings_of_hydra_in_a_stored_config_are_left_out(tmp_path: Path) -> None:
    content = {"hydra": {"run": {"dir": "${now:%H}"}}, "model": {}, "data": {}, "metrics": {}}
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(OmegaConf.create(content), tmp_path / ".hydra" / "config.yaml")
    config, expressions = load(tmp_path, "cache")
    assert "hydra" not in config
    assert (config.run_dir, config.cache_dir, expressions) == (str(tmp_path), "cache", {})
