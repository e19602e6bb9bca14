"""Checks of a composed config: keys, values, numbers, nodes and groups."""

from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from gan.errors import InputError
from gan.settings import validation
from gan.settings.composing import compose
from gan.settings.signatures import Signature
from gan.settings.trainer import REPLACED, WITHOUT_USE, refuse_replaced
from gan.settings.trust import build
from gan.settings.types import ANYTHING, AnyOf, Null, Number, Text, WholeNumber
from gan.settings.validation import check_keys, nodes, several_processes, validate

TAKEN = {"size": WholeNumber(), "rate": AnyOf((Number(), Null())), "name": Text(), "any": ANYTHING}


@pytest.fixture(scope="module")
def composed() -> DictConfig:
    given = ["model=mlp", "metrics=[]", "callbacks=[]", "run_dir=run", "cache_dir=cache"]
    config = compose([*given, "data.num_classes=0"])
    validate(config)
    return config


@pytest.fixture
def config(composed: DictConfig) -> DictConfig:
    return composed.copy()


def refusal(config: DictConfig) -> str:
    with pytest.raises(InputError) as caught:
        validate(config)
    return str(caught.value)


def test_keys_that_are_taken(config: DictConfig) -> None:
    node = OmegaConf.create({"size": 1e3, "rate": "1e-3", "name": "a", "any": [1], "_target_": 3})
    OmegaConf.set_readonly(node, True)
    assert check_keys("a", node, Signature(TAKEN)) == []
    assert node == {"size": 1000, "rate": 0.001, "name": "a", "any": [1], "_target_": 3}
    assert isinstance(node.size, int)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"siz": 1}, "a.b.siz: no such setting; did you mean 'size'?"),
        ({"size": 2.5}, "a.b.size=2.5: give a whole number"),
        ({"size": None}, "a.b.size=null: give a whole number"),
        ({"size": True}, "a.b.size=true: give a whole number"),
        ({"rate": "fast"}, "a.b.rate=fast: give a number or null"),
        ({"name": [1]}, "a.b.name=[1]: give text"),
    ],
)
def test_keys_and_values_that_are_not_taken(content: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        check_keys("a.b", OmegaConf.create(content), Signature(TAKEN))
    assert str(caught.value) == words


def test_other_keys_of_an_open_signature() -> None:
    node = OmegaConf.create({"other": 3, "size": 2, "rate": "???"})
    assert check_keys("", node, Signature(TAKEN, open=True)) == []
    with pytest.raises(InputError, match=r"^size=x: give"):
        check_keys("", OmegaConf.create({"size": "x"}), Signature(TAKEN, open=True))


def test_references_are_checked_later_and_stay() -> None:
    config = OmegaConf.create({"node": {"size": "${right}"}, "right": 1e3, "wrong": "x"})
    ((path, node, key, kind),) = check_keys("node", config.node, Signature(TAKEN))
    assert (path, key, kind) == ("node", "size", WholeNumber())
    validation._check_value(path, node, key, kind)
    assert OmegaConf.is_interpolation(config.node, "size")
    config.node.size = "${wrong}"
    with pytest.raises(InputError, match=r"node\.size=x: give a whole number"):
        validation._check_value(path, node, key, kind)


def test_nodes_that_are_written() -> None:
    tree = {"a": {"b": {"c": 1}, "d": "${e}"}, "e": {}, "f": None, "g": [1]}
    assert [path for path, _ in nodes(OmegaConf.create(tree))] == ["", "a", "a.b", "e"]


@pytest.mark.parametrize("name", ["steps", "batch_size", "n_critic", "accumulate", "pack"])
@pytest.mark.parametrize(("value", "taken"), [(0, False), (10**12 + 1, False), (1, True)])
def test_positive_numbers(config: DictConfig, name: str, value: int, taken: bool) -> None:
    config[name] = value
    if taken:
        validate(config)
    else:
        assert refusal(config) == f"{name}={value}: give a number from 1 to 10**12"


RANGES: list[tuple[str, Any, str | None]] = [
    ("label_dim", 0, "label_dim=0: give a number from 1"),
    ("steps", 10**12, None),
    ("accumulate", 3, "accumulate=3 does not divide batch_size=64"),
    ("accumulate", 4, None),
    ("burn_in", 0.0, "burn_in=0.0: give a share of the run, above 0, at most 1"),
    ("burn_in", 1.1, "burn_in=1.1: give a share"),
    ("burn_in", 1.0, None),
    ("seed", -1, "seed=-1: give a number from 0 below 2**32"),
    ("seed", 2**32, "seed=4294967296: give a number from 0"),
    ("seed", 2**32 - 1, None),
    ("seed", 0, None),
    ("seed", 1.5, "seed=1.5: give a whole number"),
    ("data.root", "???", "data.root is not set: add data.root=... to the command"),
    ("size", "big", "size=big: give one of paper, small, tiny"),
    ("own", 3, "own: no such setting"),
    ("task", {"size": 4}, "task.size: no task is chosen: add task=NAME, or leave it out"),
    ("metrics", {"kid": {"a": 1}}, "metrics.kid is not chosen: add it to metrics=[...], or drop"),
    ("metrics", {"kid": 3}, "metrics.kid is not chosen: add it to metrics=[...]"),
    ("metrics", 3, "metrics=3: give its keys, metrics.KEY=VALUE"),
    ("loss", 3, "loss=3: give its keys, loss.KEY=VALUE"),
    ("loss", {}, "loss: its yaml names no class: give it a _target_"),
    ("doctor", 3, "doctor=3: give its keys, doctor.KEY=VALUE"),
    ("doctor", None, None),
    ("optimizer.generator", 3, "optimizer.generator=3: choose optimizer=OPTION"),
    ("schedule.discriminator", None, "schedule.discriminator=null: choose schedule=OPTION"),
    ("optimizer.critic", {}, "optimizer.critic: no such setting"),
    ("clip_norm.generator", 2, None),
    ("clip_norm.generator", "x", "clip_norm.generator=x: give a number or null"),
    ("loss._convert_", "some", "loss._convert_=some: it is set by the group's yaml: leave it out"),
    ("loss._recursive_", "x", "loss._recursive_=x: it is set by the group's yaml"),
    ("loss._partial_", True, "loss._partial_: it is set by the group's yaml: leave it out"),
    ("optimizer.generator._partial_", False, "optimizer.generator._partial_: it is set by the"),
    ("loss._target_", "gan.losses.hinge.Hing", "loss._target_=gan.losses.hinge.Hing: no such"),
    ("loss._target_", "os.system", "loss._target_=os.system: no class of gan"),
    ("accelerator.strategy", "ddp", "accelerator.strategy=ddp: several devices train by"),
    ("accelerator.devices", 2, several_processes(2)),
    ("accelerator.num_nodes", 3, several_processes(3)),
    ("accelerator.devices", "auto", None),
    ("trainer", {"max_steps": 3}, "trainer.max_steps: set steps instead"),
    ("trainer", {"max_tim": 3}, "trainer.max_tim: no such setting; did you mean 'max_time'?"),
    ("loss._convert_", "all", None),
    ("metrics", [1], "metrics=[1]: give its keys, metrics.KEY=VALUE"),
]


@pytest.mark.parametrize(("key", "value", "words"), RANGES, ids=lambda v: str(v)[:30])
def test_a_value_of_a_whole_config(
    config: DictConfig, key: str, value: Any, words: str | None
) -> None:
    OmegaConf.update(config, key, value, merge=False, force_add=True)
    if words is None:
        validate(config)
    else:
        assert refusal(config).startswith(words)


def test_several_processes_with_a_strategy(config: DictConfig) -> None:
    config.accelerator.strategy = {"_target_": "gan.algorithms.strategy.PlayerwiseDDP"}
    config.accelerator.devices = 2
    validate(config)
    assert "accelerator: 2 processes train by accelerator=ddp" in several_processes(2)


def test_whole_numbers_that_are_written_as_floats(config: DictConfig) -> None:
    OmegaConf.update(config, "steps", 1e3)
    OmegaConf.update(config, "prior.dim", "2e1")
    validate(config)
    assert [type(v) for v in (config.steps, config.prior.dim)] == [int, int]


def test_whole_numbers_in_a_list_of_numbers_become_floats(config: DictConfig) -> None:
    config.optimizer.generator.betas = [0, 0.9]  # torch refuses the 0
    validate(config)
    assert [type(beta) for beta in config.optimizer.generator.betas] == [float, float]
    weight = torch.nn.Parameter(torch.zeros(1))
    assert build(config.optimizer.generator)([weight]).defaults["betas"] == (0.0, 0.9)


@pytest.mark.parametrize("group", ["regularizers", "metrics", "callbacks", "logger"])
def test_members_by_the_names_of_earlier_versions(config: DictConfig, group: str) -> None:
    config[group] = {"every": {"_target_": "a"}}
    words = refusal(config)
    assert ("is called evaluation.every now" in words) == (group == "metrics")


@pytest.mark.parametrize("name", [*REPLACED, *WITHOUT_USE])
def test_flags_of_lightning_with_another_setting(name: str) -> None:
    remedy = f"set {REPLACED[name]} instead" if name in REPLACED else "it has no use here"
    with pytest.raises(InputError) as caught:
        refuse_replaced(OmegaConf.create({"trainer": {"max_time": "1h", name: None}}))
    assert str(caught.value).startswith(f"trainer.{name}: {remedy}")


@pytest.mark.parametrize("name", ["devices", "precision", "sync_batchnorm", "accelerator"])
def test_flags_of_devices_are_those_of_the_accelerator(name: str) -> None:
    assert REPLACED[name] == f"accelerator.{name}"


@pytest.mark.parametrize(
    ("content", "taken"),
    [
        ({}, True),
        ({"trainer": {}}, True),
        ({"trainer": {"profiler": "simple"}}, True),
        ({"trainer": {"profiler": None}}, True),
        ({"trainer": {"profiler": {"a": 1}}}, False),
    ],
)
def test_a_profiler_is_a_name(content: dict[str, Any], taken: bool) -> None:
    if taken:
        refuse_replaced(OmegaConf.create(content))
    else:
        with pytest.raises(InputError, match="give the name of one, such as simple"):
            refuse_replaced(OmegaConf.create(content))
