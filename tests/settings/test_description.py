from pathlib import Path

import pytest
from omegaconf import OmegaConf

from gan.settings import stored
from gan.settings.composing import compose
from gan.settings.description import Description

SETTINGS = {"seed": 3, "size": "tiny", "loss": {"_target_": "gan.losses.hinge.Hinge"}}


def described(given: list[str], **choices: str | list[str]) -> Description:
    return Description({"model": "dcgan", "data": "mnist", **choices}, given, SETTINGS)


def stored_run(folder: Path, arguments: list[str], **choices: str) -> Path:
    stored.save(folder, OmegaConf.create({"seed": 0}), arguments, choices=choices)
    return folder


def test_runs_of_several_seeds_are_one_group() -> None:
    run = described(["loss=hinge", "optimizer.generator.lr=1e-4"])
    assert run.group == "dcgan mnist loss=hinge optimizer.generator.lr=1e-4"
    assert run.name == f"{run.group} seed=3"


def test_long_names_stay_different() -> None:
    long = [f"model.generator.{name}=1" for name in "abcdefghij"]
    one, other = described([*long, "z=1"]).name, described([*long, "z=2"]).name
    assert one is not None
    assert other is not None
    assert one != other
    assert len(one) < 128


def test_tags_are_the_options_but_for_empty_ones() -> None:
    run = described(
        [], loss="hinge", augment="none", regularizers=["r1", "lecam"], optimizer="adam"
    )
    assert run.tags == ["dcgan", "mnist", "tiny", "hinge", "r1", "lecam"]


def test_a_choice_does_not_hide_its_settings() -> None:
    config = described([], loss="hinge").config
    assert (config["loss"], config["seed"]) == ("hinge", 3)
    assert config["settings"]["loss"] == SETTINGS["loss"]


def test_of_a_run(tmp_path: Path) -> None:
    arguments = [
        "++optimizer.generator.lr=1e-4",
        "model=dcgan",
        "data=digits",
        "seed=1",
        "loss=hinge",
    ]
    arguments += ["logger=[wandb]", "data.root='/data/of/cats'", "accelerator=cpu", "metrics=[fid]"]
    chosen = {"model": "dcgan", "data": "digits", "loss": "hinge"}
    folder = stored_run(tmp_path, arguments, **chosen, likelihood="bernoulli")
    run = Description.of(folder, compose(["model=dcgan", "metrics=[fid]", "run_dir=x", "seed=1"]))
    assert run.group == "dcgan digits data.root=cats loss=hinge optimizer.generator.lr=1e-4"
    assert run.choices == {
        **chosen,
        **{"regularizers": [], "metrics": ["fid"]},
        **{"callbacks": ["telemetry", "samples", "checkpoints", "progress"], "logger": []},
    }  # the likelihood is that of a VAE


def test_choices_of_a_run_of_an_earlier_version(tmp_path: Path) -> None:
    stored_run(tmp_path, ["model=dcgan", "data@data.a=mnist", "regularizers=[r1]", "steps=3"])
    (tmp_path / ".hydra" / stored.CHOICES).unlink()
    assert stored.choices(tmp_path) == {"model": "dcgan", "data.a": "mnist"}


@pytest.mark.parametrize("content", ["[1, 2]", "model: [a]", "model: {a: 1}"])
def test_damaged_choices_are_refused(tmp_path: Path, content: str) -> None:
    path = stored_run(tmp_path, []) / ".hydra" / stored.CHOICES
    path.write_text(content)
    with pytest.raises(ValueError, match="no list of options: copy it again"):
        stored.choices(tmp_path)
