"""Settings that were typed and that nothing in a run uses."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from gan.errors import InputError
from gan.settings.commandline import CommandLine
from gan.settings.unused import drop_unchosen, refuse_unused, used
from gan.sweeps.checks import check_sweep


def checked(*arguments: str) -> None:
    """Compose a config as the command does, and check it."""
    line = CommandLine([*arguments, "hydra.run.dir=run"])
    refuse_unused(line.compose(line.arguments), line.parsed)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("model=cyclegan prior=uniform", "prior"),
        ("model=cut prior.dim=8", "prior"),
        ("model=pix2pix conditioning=projection", "conditioning"),
        ("model=srgan minibatch=discrimination", "minibatch"),
        ("model=fastcut pack=2", "pack"),
        ("model=mlp critic_norm=layer", "critic_norm"),
        ("label_dim=8", "label_dim"),
        ("progressive=false", "progressive"),
        ("burn_in=0.1", "burn_in"),
        ("data=mnist mirror=true", "mirror"),  # mirrored digits are none
        ("model=vae clip_norm.discriminator=1", "clip_norm.discriminator"),
        ("model=vae optimizer.discriminator.lr=1e-3", "optimizer.discriminator"),
    ],
)
def test_what_is_ignored_is_refused(given: str, name: str) -> None:
    typed = given.split()[-1]
    with pytest.raises(InputError, match=f"^{typed}: nothing in this run uses {name}: leave it"):
        checked(*given.split())


@pytest.mark.parametrize(
    "given",
    [
        "model=cyclegan prior=gaussian conditioning=none minibatch=none",  # as without
        "model=dcgan prior=uniform pack=2 minibatch=discrimination",
        "conditioning=projection label_dim=8",
        "model=stylegan progressive=false",
        "data=cifar10 mirror=true",
        "schedule=burn_in burn_in=0.1",
        "model=mlp loss=wgan_gp",  # whose recipe sets critic_norm
        "model=pix2pix task=inpaint task.size=4 augment=none loss=none",
        "name=a metrics=[] backbone=domain cache_dir=c seed=1 steps=3 n_critic=2 accumulate=2",
        "averaging=none optimizer=sgd clip_norm.generator=1 nan_to_num=true logger=[]",
        "model=vae clip_norm.generator=1 optimizer.generator.lr=1e-3",
        "model=vaegan clip_norm.discriminator=1",
        "trainer.max_time=00:00:01:00 callbacks=[] doctor.folder=d accelerator=cpu size=tiny",
    ],
)
def test_what_is_used_is_accepted(given: str) -> None:
    checked(*given.split())


def test_nodes_that_others_refer_to_are_used() -> None:
    line = CommandLine(["model=cyclegan", "hydra.run.dir=run"])
    found = used(line.compose(line.arguments))
    assert {"loss", "task", "critic_norm", "schedule", "backbone", "size"} <= found
    assert not found & {"prior", "conditioning", "label_dim"}


@pytest.mark.parametrize(
    ("given", "node", "left"),
    [
        ("experiment=ring loss=hinge", "regularizers", []),
        ("experiment=ring loss=hinge regularizers=[r1]", "regularizers", ["r1"]),
        ("experiment=ring loss=wgan_gp", "regularizers", ["gradient_penalty"]),
        ("model=stylegan2 regularizers=[path_length]", "regularizers", ["path_length"]),
        ("model=r3gan loss=hinge regularizers=[lecam]", "regularizers", ["lecam"]),
        ("experiment=grid callbacks=[progress]", "callbacks", ["progress"]),
        ("callbacks=[] callbacks.samples.rows=2", "callbacks", ["samples"]),  # refused later
    ],
)
def test_what_a_recipe_sets_of_a_member_that_is_not_chosen_is_dropped(
    given: str, node: str, left: list[str]
) -> None:
    line = CommandLine([*given.split(), "hydra.run.dir=run"])
    config = line.compose(line.arguments)
    line.drop_unchosen(config)
    assert sorted(config[node]) == left


@pytest.mark.parametrize("value", ["null", "3", "{gamma: 5.0}"])
def test_what_a_yaml_of_the_user_sets_is_never_dropped(value: str, tmp_path: Path) -> None:
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "own.yaml").write_text(f"# @package _global_\nregularizers: {{r1: {value}}}\n")
    line = CommandLine([f"--config-dir={tmp_path}", "experiment=own", "hydra.run.dir=run"])
    config = line.compose(line.arguments)
    line.drop_unchosen(config)
    assert [*config.regularizers] == ["r1"]


def test_only_known_options_are_dropped() -> None:
    config = OmegaConf.create({"metrics": {"every": {"a": 3}, "kid": {"subsets": 3}, "fid": {}}})
    drop_unchosen(config, [])
    assert config == {"metrics": {"every": {"a": 3}}}


def test_a_primary_config_of_ones_own_starts_a_sweep(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("defaults: [train, _self_]\nsteps: 7\n")
    flags = [f"--config-dir={tmp_path}", "--config-name=own"]
    line = CommandLine([*flags, "hydra.run.dir=run"])
    assert line.compose(line.arguments).steps == 7
    check_sweep(CommandLine([*flags, "-m", "seed=0,1"]))


def test_a_sweep_over_losses_of_a_recipe_with_a_penalty_starts() -> None:
    given = ["-m", "experiment=ring", "loss=wgan_gp,hinge", "callbacks=[],[checkpoints]"]
    check_sweep(CommandLine(given))
    with pytest.raises(InputError, match=r"regularizers\.r1 is not chosen"):
        check_sweep(CommandLine([*given, "regularizers.r1.gamma=1"]))
