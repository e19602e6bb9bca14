"""A new run that starts from the weights of another run, or of an export."""

import copy
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from gan.algorithms.gan import GAN
from gan.algorithms.two_player import TwoPlayerGame
from gan.archives import read
from gan.commands.main import dispatch
from gan.commands.train import train
from gan.errors import InputError
from gan.networks.base import Discriminator
from gan.networks.joint import JointDiscriminator
from gan.regularizers.weight_clip import WeightClip
from gan.runs.initialisation import Share, _check, prepare
from gan.settings.trust import build
from tests.commands.test_train import SMALL, WIDTHS
from tests.configs import options, thinned
from tests.conftest import Compose, composing
from tests.runs.test_resume import KEPT, Shell, shell  # noqa: F401

pytestmark = pytest.mark.xdist_group("initialisation")

State = dict[str, Tensor]
ADVERSARY = ["model.ramp.start=1", "model.ramp.final=1", "model.perceptual=null"]  # from step 0
# Beside the clock, what a source gives to no network.
OTHERS = ("augment", "critic_state", "regularizer_state", "pools", "nonfinite")
DCGAN = ["model=dcgan", "data=digits", *WIDTHS]


def small(model: str, *given: str) -> list[str]:
    """Return a small form of a model."""
    networks = [*SMALL.get(model, WIDTHS), *(ADVERSARY if model == "srgan" else [])]
    return [f"model={model}", "data=digits", "n_critic=1", *networks, *given]


def weights(run: Path) -> State:
    """Return the weights of the last checkpoint of a run."""
    state: State = read(run / "checkpoints" / "last.ckpt")["state_dict"]
    return state


def game_of(node: DictConfig) -> TwoPlayerGame:
    """Return the game of a config, with weights of its own."""
    torch.manual_seed(1)
    game: TwoPlayerGame = build(node.model, [])
    return game


def started(node: DictConfig) -> TwoPlayerGame:
    """Return the game of a config, with what it has of ``init``."""
    game = game_of(node)
    prepare(game, node, resumed=False)
    return game


def frozen_names(game: TwoPlayerGame) -> set[str]:
    """Return the names of the weights and buffers in frozen layers."""
    held = [layer.state_dict(keep_vars=True) for layer in game.frozen_layers]
    fixed = {id(value) for state in held for value in state.values()}
    named = [*game.named_parameters(), *game.named_buffers()]
    return {name for name, value in named if id(value) in fixed}


def note(order: list[int], number: int, *_: object) -> None:
    """Add the number of a layer that was computed."""
    order.append(number)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of a DCGAN with labels, whose average differs from its weights."""
    folder = tmp_path_factory.mktemp("source")
    with composing(folder) as config:
        train(config(*DCGAN, "conditioning=projection", "averaging.ramp=null"))
    return folder / "run"


@pytest.fixture(scope="module")
def exports(source: Path) -> Callable[[str], Path]:
    """Return a function to an export of that run, with the discriminator or without."""

    def exported(discriminator: str) -> Path:
        out = source.parent / f"export_{discriminator}"
        if not out.exists():
            dispatch(["export", f"run={source}", f"out={out}", f"discriminator={discriminator}"])
        return out

    return exported


@pytest.mark.slow
@pytest.mark.parametrize("model", options("model"))
def test_every_model_goes_on_from_its_own_weights(
    config: Compose, tmp_path: Path, model: str
) -> None:
    train(config(*small(model, "steps=1")))
    run = (tmp_path / "run").rename(tmp_path / "source")
    before = weights(run)
    node = config(*small(model, f"init={run}"), f"run_dir={tmp_path / 'run'}")
    critics = "discriminator" in node.model
    node.freeze.discriminator = int(critics)
    game = started(node)
    for name, value in game.state_dict().items():
        if name.partition(".")[0] not in OTHERS and not name.endswith("level"):
            assert torch.equal(value, before[name]), name
    assert (game.clock.step, game.clock.images) == (0, 0)
    fixed = frozen_names(game)
    assert bool(fixed) == critics
    train(node)
    after = weights(tmp_path / "run")
    assert all(torch.equal(after[name], before[name]) for name in fixed)
    trained = {name for name, _ in game.named_parameters() if name.startswith("discriminator")}
    moved = [name for name in trained - fixed if not torch.equal(after[name], before[name])]
    assert len(moved) > len(trained - fixed) / 2 if critics else not trained


@pytest.mark.parametrize("model", thinned(options("model"), keep=10))
def test_layers_are_in_the_order_in_which_images_pass(config: Compose, model: str) -> None:
    node = config(*small(model))
    game, resolution = game_of(node), node.data.resolution
    for module in game.scheduled:
        module.set_progress(10**12)  # a growing network at full size
    for critic in (m for m in game.modules() if isinstance(m, Discriminator)):
        layers, order = critic.layers_from_image(), list[int]()
        for number, layer in enumerate(layers):
            for member in layer:
                for part in member.modules():
                    part.register_forward_hook(partial(note, order, number))
        channels = next(w for w in critic.parameters() if w.ndim > 1).shape[1]
        x = torch.randn(4, channels if channels < 5 else 1, resolution, resolution)
        if isinstance(critic, JointDiscriminator):
            x = torch.randn(4, resolution**2 + critic.latent_dim)
        critic.body(x)
        called = [n for i, n in enumerate(order) if n not in order[:i]]
        assert called == sorted(called)
        assert called[0] == 0
        inside = [id(w) for layer in layers for w in layer.parameters()]
        assert len(inside) == len(set(inside))
        ends = {id(w) for part in (critic.head, critic.minibatch) for w in part.parameters()}
        assert not ends & set(inside)
        rest = {id(w) for w in critic.parameters()} - ends - set(inside)
        assert bool(rest) == isinstance(critic, JointDiscriminator)
        with pytest.raises(InputError, match=f"has {len(layers)} layers before its head"):
            game.freeze_discriminator(len(layers) + 1)


def test_an_average_starts_from_the_average_of_a_run(config: Compose, source: Path) -> None:
    game = started(config(*DCGAN, "conditioning=projection", f"init={source}"))
    before = weights(source)
    same = "layers.0.weight"
    assert not torch.equal(before[f"averaged.{same}"], before[f"generator.{same}"])
    for name in ("generator", "averaged"):
        own = getattr(game, name).state_dict()
        assert all(torch.equal(value, before[f"{name}.{key}"]) for key, value in own.items())


@pytest.mark.slow
def test_both_start_from_the_average_of_an_export(
    config: Compose, source: Path, exports: Callable[[str], Path]
) -> None:
    given = [*DCGAN, "conditioning=projection"]
    before = weights(source)
    for discriminator in ("false", "true"):
        game = started(config(*given, f"init={exports(discriminator)}"))
        for name, value in game.averaged.state_dict().items():
            assert torch.equal(value, before[f"averaged.{name}"])
            assert torch.equal(game.generator.state_dict()[name], value)
        state = nn.Module.state_dict(game.discriminator or nn.Module())
        equal = [torch.equal(v, before[f"discriminator.{k}"]) for k, v in state.items()]
        assert all(equal) == (discriminator == "true")


def test_embeddings_of_other_classes_are_left(config: Compose, source: Path) -> None:
    node = config(*DCGAN, "conditioning=projection", f"init={source}")
    node.data.num_classes = 3
    fresh, game, before = game_of(node), started(node), weights(source)
    record = json.loads((Path(node.run_dir) / "init.json").read_text())
    left = {f"{n}.{k}" for n, share in record["networks"].items() for k in share["left"]}
    assert left == {
        *(f"{name}.entry.embedding.weight" for name in ("generator", "averaged")),
        "discriminator.head.embedding.weight",
    }
    for name, value in game.state_dict().items():
        if name in left:
            assert torch.equal(value, fresh.state_dict()[name])
        elif name.partition(".")[0] not in OTHERS:
            assert torch.equal(value, before[name])


def test_a_growing_network_begins_with_small_images(config: Compose, tmp_path: Path) -> None:
    train(config(*small("stylegan", "steps=1", "progressive=false")))
    run = (tmp_path / "run").rename(tmp_path / "source")
    node = config(*small("stylegan", f"init={run}", "steps=1000"))
    game, fresh = started(node), game_of(node)
    for name in ("generator", "averaged", "discriminator"):
        network, other = getattr(game, name), getattr(fresh, name)
        assert network.level == other.level < weights(run)[f"{name}.level"]
        assert network.log2_resolution == other.log2_resolution


def test_a_clip_leaves_frozen_weights(config: Compose, source: Path) -> None:
    given = [*DCGAN, "conditioning=projection", f"init={source}", "freeze.discriminator=1"]
    game = started(config(*given))
    before, fixed = copy.deepcopy(game.state_dict()), frozen_names(game)
    for layer in game.frozen_layers:
        layer.requires_grad_(False)
    assert isinstance(game, GAN)
    WeightClip(1e-4).project(game.discriminator)
    for name, value in game.discriminator.named_parameters(prefix="discriminator"):
        assert torch.equal(value, before[name]) == (name in fixed)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["model=dcgan", "model.generator.width=16"], "none of its weights fits this generator"),
        (small("mlp"), r"layers\.0\.weight is \(.*\) there and \(.*\) here\): choose model"),
        (small("pix2pix"), "none of its weights fits this generator .* is absent there"),
        (["model=dcgan", "freeze.discriminator=9"], "has 2 layers .* give a number from 0 to 2"),
        (["model=dcgan", "freeze.discriminator=-1"], "give a number from 0 to 2"),
        (
            ["model=dcgan", "freeze.discriminator=1", "data.channels=3"],
            r"layers\.0\.weight .* \(8, 1",
        ),
        (small("vae", "freeze.discriminator=1"), "trains no discriminator"),
        (small("pix2pix", "loss=none", "freeze.discriminator=1"), "trains no discriminator"),
    ],
)
def test_what_does_not_fit_is_refused(
    config: Compose, source: Path, given: list[str], message: str
) -> None:
    if given[0] == "model=dcgan":
        given = [*DCGAN, *given[1:]]
    with pytest.raises(InputError, match=message):
        started(config(*given, f"init={source}"))


def test_a_generator_whose_biases_alone_fit_is_refused() -> None:
    game, left = SimpleNamespace(generator=nn.Linear(3, 2)), {"weight": "is (4, 2) there"}
    shares = {"generator": Share(1, left, 0)}
    with pytest.raises(InputError, match=r"none of its weights fits this generator \(weight is"):
        _check("run", game, shares)  # type: ignore[arg-type]
    _check("run", game, {"generator": Share(1, {"bias": "is (2,) there"}, 0)})  # type: ignore[arg-type]


def test_a_share_names_what_is_left() -> None:
    left = {f"layer {k}": "is absent there" for k in range(9)}
    assert str(Share(0, left, 2)) == (
        "0 of 9 tensors; left: layer 0 is absent there, 8 more; 2 of the source unused"
    )
    assert str(Share(3, {"a": "is absent there"}, 0)) == "3 of 4 tensors; left: a is absent there"
    assert str(Share(3, {}, 0)) == "3 of 3 tensors"


def test_layers_of_an_export_without_its_discriminator_are_not_frozen(
    config: Compose, exports: Callable[[str], Path]
) -> None:
    node = config(*DCGAN, f"init={exports('false')}", "freeze.discriminator=1")
    with pytest.raises(
        InputError, match=r"layers.0.weight .* is absent there .*discriminator=true"
    ):
        started(node)


def test_numbers_that_are_not_finite_are_refused(
    config: Compose, source: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(source, tmp_path / "broken"))
    path = run / "checkpoints" / "last.ckpt"
    content = read(path)
    content["state_dict"]["generator.layers.0.weight"][0, 0] = float("nan")
    torch.save(content, path)
    with pytest.raises(InputError, match=r"last.ckpt: layers.0.weight holds numbers .* not finite"):
        started(config(*DCGAN, "conditioning=projection", f"init={run}"))


@pytest.mark.slow
def test_a_run_goes_on_without_its_source(shell: Shell, tmp_path: Path) -> None:  # noqa: F811
    first, second = tmp_path / "first", tmp_path / "second"
    assert shell.train(*KEPT, "steps=2", f"hydra.run.dir={first}") == 0
    start = [*KEPT, "loss=hinge", f"init={first}", "freeze.discriminator=1", "resume=auto"]
    start += [f"hydra.run.dir={second}"]
    assert shell.train(*start, "steps=2") == 0
    assert "generator: 9 of 9 tensors" in shell.out
    assert "frozen: 1 layer of the discriminator" in shell.out
    before, middle = weights(first), weights(second)
    shutil.rmtree(first)
    assert shell.train(*start, "steps=3") == 0
    after, record = weights(second), json.loads((second / "results.json").read_text())["init"]
    name = "discriminator.layers.1.weight"
    assert torch.equal(before[name], middle[name])
    assert torch.equal(before[name], after[name])
    assert not torch.equal(middle["generator.layers.0.weight"], after["generator.layers.0.weight"])
    assert record["source"] == str(first)
    assert record["step"] == 2
    assert shell.train(f"resume={second}", f"init={tmp_path / 'other'}", "steps=4") == 2
    assert f"init={tmp_path / 'other'} instead of {first}" in shell.err
    assert shell.train(f"resume={second}", "freeze.discriminator=0", "steps=4") == 2
    assert "freeze.discriminator=0 instead of 1" in shell.err


def test_a_wrong_source_is_named_before_anything_is_read(
    shell: Shell,  # noqa: F811
    tmp_path: Path,
) -> None:
    place = f"hydra.run.dir={tmp_path / 'run'}"
    assert shell.train(*KEPT, place, f"init={tmp_path}") == 2
    assert f"{tmp_path} is no run folder" in shell.err
    assert shell.train(*KEPT, place, "freeze.discriminator=1") == 2
    assert "add init=RUN, or leave it out" in shell.err
    assert shell.train(*KEPT, place, "freeze.generator=1") == 2
    assert "freeze.generator" in shell.err
    assert not (tmp_path / "run").exists()
