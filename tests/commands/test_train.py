import csv
import json
import math
import shutil
from itertools import product
from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException
from omegaconf import DictConfig
from PIL import Image
from pytorch_lightning import seed_everything
from torch._dynamo.utils import counters

import gan
from gan.algorithms.latent import LatentGame
from gan.algorithms.translation import TranslationGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.commands.train import train
from gan.errors import InputError
from gan.settings.trust import build
from tests.configs import options, thinned
from tests.conftest import Compose

WIDTHS = ["model.generator.width=8", "model.discriminator.width=8"]
PERCEPTRONS = ["model.generator.hidden=[16]", "model.discriminator.units=[8]"]
STYLES = ["prior.dim=8", "model.generator.style_dim=8", "model.generator.depth=2"]
STYLES += ["model.generator.capacity=64", "model.discriminator.capacity=64"]
GROUPS = ["model.generator.group_size=4", "model.discriminator.group_size=4"]
CONTRASTED = ["model.generator.width=4", "model.generator.blocks=2", "model.projector.dim=8"]
CONTRASTED += ["model.discriminator.width=8", "model.patches=4"]
SMALL = {
    "mlp": PERCEPTRONS,
    "stylegan": STYLES,
    "stylegan2": STYLES,
    "r3gan": [*WIDTHS, *GROUPS, "model.generator.depth=1", "model.discriminator.depth=1"],
    "unrolled": [*WIDTHS, "model.unroll=2"],
    "semi_supervised": PERCEPTRONS,
    "vae": ["model.generator.width=8", "model.encoder.width=8"],
    "vaegan": [*WIDTHS, "model.encoder.width=8"],
    "bigan": [f"model.{part}.hidden=16" for part in ("generator", "encoder", "discriminator")],
    "ali": [*WIDTHS, "model.encoder.width=4", "model.discriminator.hidden=8"],
    "infogan": [*WIDTHS, "model.generator.hidden=32", "model.discriminator.hidden=32"],
    "cyclegan": [
        *("model.generator.ab.width=4", "model.generator.ab.blocks=2", "model.pool.size=2"),
        "model.discriminator.a.width=8",
    ],
    "cut": CONTRASTED,
    "fastcut": CONTRASTED,
    "srgan": [
        *(*WIDTHS, "model.generator.blocks=2", "model.discriminator.hidden=16"),
        "cache_dir=${cache_folder:}",  # of the classifier that gives features
    ],
}
TINY = ["data=digits", "model.generator.width=4", "model.discriminator.width=4"]
REFUSALS = {
    "multi_hinge": "loss=multi_hinge and conditioning=multi_hinge need each other",
    "none": "loss=none: the generator of latents",
    "wgan": "weights.*loss=wgan_gp",
}
TERMLESS = {"top_k", "weight_clip"}
BRIEF = ["backbone=domain", "evaluation.min_fakes=2"]  # a backbone that is trained for moments
BRIEF += ["backbone.training._target_=gan.backbones.classifier.Training"]
BRIEF += ["backbone.training.rounds=[25]"]
EARLY = {  # what changes nothing in the first two steps
    "lecam": ["regularizers.lecam.start=0"],
    "top_k": ["regularizers.top_k.epoch_images=1"],
}
OPTIONS = [
    f"{group}={name}"
    for group in (
        "critic_norm",
        "optimizer",
        "schedule",
        "averaging",
        "prior",
        "augment",
    )
    for name in options(group)
]


def table(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def refusal(node: DictConfig, model: str, loss: str) -> str | None:
    """Return how the refusal of a loss begins, or None where a model trains with it."""
    if "discriminator" not in node.model:
        return None if loss == "none" else "leave loss out"
    refused = {
        "multi_hinge": "MultiHinge" not in node.conditioning._target_ or "prior" not in node.model,
        "none": "prior" in node.model and not model.startswith("semi_supervised"),
        "wgan": model in ("stylegan", "stylegan2", "semi_supervised", "semi_supervised_cnn"),
    }
    return REFUSALS[loss] if refused.get(loss) else None


@pytest.mark.parametrize(
    ("model", "loss"), thinned(product(options("model"), options("loss")), keep=37)
)
def test_every_model_trains_with_every_loss_or_is_refused(
    config: Compose, tmp_path: Path, model: str, loss: str
) -> None:
    brief = ["data=digits", "data.resolution=8", "steps=8", "batch_size=4", "n_critic=1"]
    brief += ["callbacks.telemetry.every=1", *SMALL.get(model, WIDTHS)]
    node = config(f"model={model}", f"loss={loss}", *brief)
    words = refusal(node, model, loss)
    if words is not None:
        with pytest.raises(InstantiationException, match=words):
            train(node)
        return
    seed_everything(node.seed)
    before = dict(build(node.model).named_parameters())
    train(node)
    check_terms(table(tmp_path / "run"), loss)
    state = weights(tmp_path / "run")
    assert all(state[name].isfinite().all() for name in before)
    trained = {name for name in before if not name.startswith("averaged")}
    still = {name for name in trained if torch.equal(state[name], before[name])}
    if loss != "none":
        assert all(name.endswith("head.linear.bias") for name in still)  # of differences of logits
    elif not model.startswith("semi_supervised"):
        assert still == {name for name in trained if name.startswith("discriminator.")}


def check_terms(rows: list[dict[str, str]], loss: str) -> None:
    """Check that the terms of a run are finite, and that those of the loss change."""
    assert len(rows) == 8
    terms = [key for key in rows[-1] if key.startswith(("generator/", "discriminator/", "logits/"))]
    assert all(math.isfinite(float(row[key])) for row in rows for key in terms if row[key])
    assert terms
    for player in ("generator", "discriminator") if loss != "none" else ():
        own = [key for key in terms if key.startswith(f"{player}/")]
        adversarial = [key for key in own if key.startswith(f"{player}/adversarial")]
        for key in (*(adversarial or own), f"gradient_norm/{player}"):
            values = [row[key] for row in rows if row[key]]  # a term may begin later
            assert len(set(values)) > 3
        assert own


def images_of(game: TwoPlayerGame, resolution: int) -> torch.Tensor:
    """Return two images that a game makes of latents, or of gray sources."""
    if isinstance(game, LatentGame):
        return game.sample(2)
    assert isinstance(game, TranslationGame)
    source = resolution // game.scale
    return game.translate(torch.linspace(-1, 1, 2 * source**2).view(2, 1, source, source))


@pytest.mark.parametrize("model", thinned(options("model"), keep=9))
def test_every_model_can_be_loaded(config: Compose, tmp_path: Path, model: str) -> None:
    node = config(f"model={model}", "data=digits", "n_critic=1", *SMALL.get(model, WIDTHS))
    train(node)
    game = gan.load(tmp_path / "run", kind=None)
    assert game.clock.step == 2
    images = images_of(game, node.data.resolution)
    assert images.shape == (2, 1, node.data.resolution, node.data.resolution)
    assert images.isfinite().all()


@pytest.mark.parametrize("option", thinned(OPTIONS, keep=5))
def test_every_option_trains(config: Compose, option: str) -> None:
    train(config(*TINY, option))


LARGE = {
    "stylegan2_cifar10": ["model.generator.capacity=64", "model.discriminator.capacity=64"],
    "r3gan_cifar10": SMALL["r3gan"],
    "r3gan_stackedmnist": SMALL["r3gan"],
}


@pytest.mark.parametrize("name", thinned(options("experiment"), keep=3))
def test_every_experiment_trains(config: Compose, tmp_path: Path, name: str) -> None:
    brief = [f"experiment={name}", "steps=2", "batch_size=4", "metrics=[]", *LARGE.get(name, [])]
    node = config(*brief)
    if node.data.channels != 2:  # no points of the plane
        node = config(*brief, "data=digits")
    train(node)
    assert gan.load(tmp_path / "run").clock.images == 2 * 4 * node.n_critic


TAUGHT = {"auxiliary", "contrastive", "data_to_data"}
TOLD = {"projection", "concatenation", "multi_hinge", "inner_product", "mapped"}
KNOWN = {
    "dcgan": TOLD,
    "mlp": TOLD,
    "sngan": TOLD | {"class_norm"},
    "sngan_cnn": TOLD | {"class_norm"},
    "biggan": TOLD,
    "stylegan": TOLD,
    "stylegan2": TOLD,
    "r3gan": TOLD,
    "acgan": TAUGHT,
    "contragan": TAUGHT,
    "vaegan": TOLD,
}


@pytest.mark.parametrize("conditioning", options("conditioning"))
@pytest.mark.parametrize("model", thinned(KNOWN, keep=14))
def test_every_conditioning_trains_or_is_refused(
    config: Compose, tmp_path: Path, model: str, conditioning: str
) -> None:
    choice = [f"model={model}", f"conditioning={conditioning}", "data=digits"]
    choice += ["loss=multi_hinge"] if conditioning == "multi_hinge" else []
    node = config(*choice, "n_critic=1", *SMALL.get(model, WIDTHS))
    if conditioning != "none" and conditioning not in KNOWN[model]:
        with pytest.raises(InstantiationException) as caught:
            train(node)
        assert "choose" in str(caught.value.__cause__) or "set" in str(caught.value.__cause__)
        return
    train(node)
    assert gan.load(tmp_path / "run").generator.num_classes == 10 * (conditioning != "none")


@pytest.mark.parametrize("loss", ["hinge", "wgan_gp", "rpgan"])
def test_mixed_precision_trains(config: Compose, tmp_path: Path, loss: str) -> None:
    train(config(*TINY, "accelerator=cpu_amp", f"loss={loss}", "clip_norm.generator=1"))
    assert all(p.dtype == torch.float32 for p in gan.load(tmp_path / "run").parameters())
    assert float(table(tmp_path / "run")[-1]["gradient_norm/generator"]) > 0


@pytest.mark.parametrize("name", thinned(options("regularizers"), keep=4))
def test_every_regularizer_trains_and_tells(config: Compose, tmp_path: Path, name: str) -> None:
    players, bare = [*TINY, "critic_norm=none"], tmp_path / "bare"
    train(config(*players, f"run_dir={bare}"))
    train(config(*players, f"regularizers=[{name}]", *EARLY.get(name, [])))
    both = (gan.load(run).parameters() for run in (bare, tmp_path / "run"))
    assert not all(torch.equal(*pair) for pair in zip(*both, strict=True))
    terms = {f"discriminator/{name}", f"generator/{name}"} & table(tmp_path / "run")[-1].keys()
    assert bool(terms) == (name not in TERMLESS)


@pytest.mark.parametrize("option", options("minibatch"))
@pytest.mark.parametrize("model", ["dcgan", "mlp", "sngan"])
def test_every_comparison_of_a_batch_trains(config: Compose, model: str, option: str) -> None:
    train(config(f"model={model}", f"minibatch={option}", "data=digits", *SMALL.get(model, WIDTHS)))


@pytest.mark.parametrize("model", ["dcgan", "mlp", "sngan"])
def test_packs_train(config: Compose, tmp_path: Path, model: str) -> None:
    node = config(f"model={model}", "pack=2", "data=digits", *SMALL.get(model, WIDTHS))
    assert node.model.discriminator.channels == 2 * node.data.channels
    train(node)
    assert gan.load(tmp_path / "run").pack == 2


def test_packs_of_labelled_images_are_refused(config: Compose) -> None:
    with pytest.raises(InstantiationException, match="set pack=1 or conditioning=none"):
        train(config(*TINY, "pack=2", "conditioning=projection"))


@pytest.mark.parametrize("data", ["mnist", "fashion_mnist", "cifar10", "svhn", "image_folder"])
def test_every_data_set_fits_the_networks(config: Compose, data: str) -> None:
    node = config(f"data={data}")
    assert node.model.generator.channels == node.data.channels
    assert node.model.discriminator.resolution == node.data.resolution


def test_colour_conditional_and_accumulated(config: Compose, tmp_path: Path) -> None:
    overrides = ["data=synthetic", "data.resolution=16", "conditioning=projection", "accumulate=2"]
    train(config(*overrides, "n_critic=2", "clip_norm.generator=1"))
    game = gan.load(tmp_path / "run")
    assert game.generator.num_classes > 0
    assert game.sample(3, labels=[0, 1, 0]).shape == (3, 3, 16, 16)
    assert game.clock.images == 2 * 2 * 8


def test_the_run_folder_is_evidence(config: Compose, tmp_path: Path) -> None:
    node = config(*TINY, *BRIEF, "evaluation.num_fakes=200", "steps=3")
    score = train(node)
    run = tmp_path / "run"
    results = json.loads((run / "results.json").read_text())
    assert score == results["best"]["domain/fid"]
    assert results["steps"] == 3
    assert results["images"] == 24
    assert results["stamp"]["real_data"] == "digits"
    assert results["stamp"]["weights"] == "averaged"
    assert results["stamp"]["num_fakes"] == 200
    names = ["fid", "is", "is_std", "precision", "recall", "density", "coverage"]
    assert set(results["baseline"]) == {f"domain/{name}" for name in names}
    assert {"torch", "pytorch-lightning"} <= set(results["versions"])
    assert float(table(run)[-1]["domain/fid"]) == pytest.approx(score)
    picture = Image.open(run / "samples" / "step_00000003.png")
    assert min(picture.size) > 100
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}


def weights(run: Path) -> dict[str, torch.Tensor]:
    content: dict[str, torch.Tensor] = torch.load(run / "checkpoints/last.ckpt")["state_dict"]
    return content


@pytest.mark.parametrize(
    "players",
    [
        TINY,
        ["data=digits", "model=mlp", "loss=wgan_gp", *PERCEPTRONS],
        ["data=digits", "model=semi_supervised", *PERCEPTRONS],
    ],
    ids=["dcgan", "mlp", "semi_supervised"],
)
def test_a_resumed_run_equals_an_uninterrupted_one(
    config: Compose, tmp_path: Path, players: list[str]
) -> None:
    common = [*players, "batch_size=500", "callbacks.telemetry.every=1", "n_critic=2"]
    resume(config, tmp_path, common)


NEVER_COMPILED = ["biggan", "contragan", "reacgan", "sagan"]
BLOCKS = ["biggan", "r3gan", "sngan", "stylegan", "stylegan2", "cut", "srgan", "pix2pix"]


@pytest.mark.parametrize("model", thinned(BLOCKS, keep=3))
def test_activations_computed_anew_change_no_weight(
    config: Compose, tmp_path: Path, model: str
) -> None:
    torch.compiler.reset()  # each code is compiled a few times only
    common = [f"model={model}", "data=digits", "n_critic=1", *SMALL.get(model, WIDTHS)]
    for name in ("false", "true"):
        seed_everything(0)
        train(config(*common, f"run_dir={tmp_path / name}", f"accelerator.checkpoint={name}"))
    kept, anew = (weights(tmp_path / name) for name in ("false", "true"))
    assert kept.keys() == anew.keys()
    for name, weight in kept.items():
        assert torch.equal(weight, anew[name]), name


def test_a_model_without_blocks_keeps_its_activations(config: Compose) -> None:
    with pytest.raises(InputError, match="leave it out"):
        train(config(*TINY, "accelerator.checkpoint=true"))


def test_compiled_passes_are_not_computed_anew(config: Compose) -> None:
    with pytest.raises(InputError, match=r"set accelerator\.compile=false"):
        train(config(*TINY, "accelerator=fast", "accelerator.checkpoint=true"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [[], ["regularizers=[r1]"], ["regularizers=[r1]", "regularizers.r1.form=finite_difference"]],
    ids=["plain", "r1", "finite_difference"],
)
def test_compiled_players_learn_the_same(config: Compose, tmp_path: Path, given: list[str]) -> None:
    losses, graphs = [], []
    for name in ("false", "true"):
        graphs.append(counters["stats"]["unique_graphs"])
        common = [*TINY, "steps=3", "optimizer=sgd", "callbacks.telemetry.every=1", *given]
        train(config(*common, f"run_dir={tmp_path / name}", f"accelerator.compile={name}"))
        rows = table(tmp_path / name)
        losses.append(
            [float(r[f"{p}/adversarial"]) for r in rows for p in ("generator", "discriminator")]
        )
    assert counters["stats"]["unique_graphs"] - 1 > graphs[1] == graphs[0]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert len(set(losses[0])) == 6
    eager, compiled = (weights(tmp_path / name) for name in ("false", "true"))
    assert eager.keys() == compiled.keys()
    for name, weight in eager.items():
        assert torch.allclose(weight, compiled[name], rtol=1e-3, atol=1e-4), name


@pytest.mark.slow
@pytest.mark.parametrize("model", options("model"))
def test_every_model_trains_compiled_or_is_refused(
    config: Compose, tmp_path: Path, model: str
) -> None:
    common = [f"model={model}", "data=digits", "n_critic=1", *SMALL.get(model, WIDTHS)]
    common += ["steps=3", "optimizer=sgd", "optimizer.generator.lr=1e-3"]
    common += ["optimizer.discriminator.lr=1e-3", *["model.beta2=null"] * (model == "r3gan")]
    fast = config(*common, f"run_dir={tmp_path / 'fast'}", "accelerator.compile=true")
    if model in NEVER_COMPILED:
        with pytest.raises(InputError, match="choose accelerator=auto"):
            train(fast)
        return
    train(fast)
    train(config(*common, f"run_dir={tmp_path / 'plain'}"))
    eager, compiled = (weights(tmp_path / name) for name in ("plain", "fast"))
    assert eager.keys() == compiled.keys()
    for name, weight in eager.items():
        assert torch.allclose(weight.float(), compiled[name].float(), atol=1e-3), name


@pytest.mark.slow
def test_compiled_runs_of_other_sizes_follow_each_other(config: Compose, tmp_path: Path) -> None:
    common = ["model=cut", "data=digits", *SMALL["cut"], "accelerator.compile=true", "steps=1"]
    for size in (32, 16):
        train(config(*common, f"data.resolution={size}", f"run_dir={tmp_path / str(size)}"))


@pytest.mark.slow
def test_a_run_with_compiled_penalties_resumes(config: Compose, tmp_path: Path) -> None:
    terms = "regularizers=[r1,dragan]", "critic_norm=layer"
    resume(config, tmp_path, [*TINY, *terms, "accelerator.compile=true"])


def test_a_run_resumes_in_mid_fade_with_augmentation_in_motion(
    config: Compose, tmp_path: Path
) -> None:
    growth = [f"model.generator.growth.{k}" for k in ("stable=500", "fade=2000")]
    ada = ["augment=ada", "augment.p=0.5", "augment.interval=1", "augment.images=4000"]
    common = ["model=stylegan", "data=digits", "data.resolution=16", "batch_size=100", *STYLES]
    common += ["n_critic=2", "callbacks.telemetry.every=1", *growth, *ada]
    state = resume(config, tmp_path, common)
    assert state["generator.level"] == 3.25  # 1,000 images at the last step's start
    p = [float(row["augment/p"]) for row in table(tmp_path / "whole")]
    assert len({p[1], p[2], p[3], p[4]}) == 4  # in motion where the run was cut
    assert all(0 < value < 1 for value in p)


def resume(
    config: Compose, tmp_path: Path, common: list[str], steps: int = 6
) -> dict[str, torch.Tensor]:
    """Check that a run equals one that is cut in the middle, and return its state."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    common = [*common, f"steps={steps}", f"callbacks.checkpoints.every={steps // 2}"]
    train(config(*common, f"run_dir={whole}"))
    shutil.copytree(whole, parts)
    (parts / "checkpoints" / "last.ckpt").unlink()  # the one before is that of the middle
    train(config(*common, f"run_dir={parts}", f"resume={parts}"))
    a, b = weights(whole), weights(parts)
    assert all(torch.equal(a[key], b[key]) for key in a)
    drop = {"images_per_second"}
    for one, other in zip(table(whole), table(parts), strict=True):
        assert {k: v for k, v in one.items() if k not in drop} == {
            k: v for k, v in other.items() if k not in drop
        }
    return a


MOVING = ["model=r3gan", "data=digits", *SMALL["r3gan"], "burn_in=1.0", "averaging.ramp=null"]


@pytest.mark.parametrize("schedule", thinned(["burn_in", "linear", "late_linear"], keep=3))
def test_schedules_go_on_where_a_run_is_resumed(
    config: Compose, tmp_path: Path, schedule: str
) -> None:
    resume(config, tmp_path, [*MOVING, f"schedule={schedule}", "callbacks.telemetry.every=1"])
    shares = {
        "burn_in": [0.25 + 0.375 * (1 + math.cos(math.pi * k / 6)) for k in range(6)],
        "linear": [1 - k / 6 for k in range(6)],
        "late_linear": [min(1, 2 - k / 3) for k in range(6)],
    }[schedule]
    for player in ("generator", "discriminator"):
        rates = [float(row[f"lr/{player}"]) for row in table(tmp_path / "parts")]
        assert rates == pytest.approx([rates[0] * share for share in shares])
    whole, parts = (
        torch.load(tmp_path / run / "checkpoints/last.ckpt")["optimizer_states"]
        for run in ("whole", "parts")
    )
    for one, other in zip(whole, parts, strict=True):
        assert one["param_groups"] == other["param_groups"]
        first, second = one["param_groups"][0]["initial_betas"]
        second *= 1.1 - 0.05 * (1 + math.cos(math.pi * 5 / 6))
        assert one["param_groups"][0]["betas"] == pytest.approx((first, second))


def test_resuming_a_finished_run_asks_for_more_steps(config: Compose, tmp_path: Path) -> None:
    train(config(*TINY))
    with pytest.raises(InputError, match="larger steps="):
        train(config(*TINY, f"resume={tmp_path / 'run'}"))


def test_a_broken_checkpoint_is_named(config: Compose, tmp_path: Path) -> None:
    train(config(*TINY))
    path = tmp_path / "run/checkpoints/last.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"last\.ckpt is not a whole checkpoint"):
        gan.load(tmp_path / "run")


def test_loaded_samples_are_those_of_the_run(config: Compose, tmp_path: Path) -> None:
    train(config(*TINY, *BRIEF, "evaluation.num_fakes=100"))
    best = gan.load(tmp_path / "run")
    last = gan.load(tmp_path / "run", checkpoint="last")
    assert torch.equal(best.sample(5, seed=1), last.sample(5, seed=1))
    assert not torch.equal(best.sample(5, seed=1), best.sample(5, seed=2))
