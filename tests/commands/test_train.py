import csv
import json
from itertools import product
from pathlib import Path

import pytest
import torch
from PIL import Image

import gan
from gan.commands.train import train
from gan.errors import InputError
from tests.configs import options
from tests.conftest import Compose

WIDTHS = ["model.generator.width=8", "model.discriminator.width=8"]
SMALL = {"mlp": ["model.generator.hidden=[16]", "model.discriminator.units=[8]"]}
TINY = ["data=digits", "model.generator.width=4", "model.discriminator.width=4"]
OPTIONS = [
    f"{group}={name}"
    for group in (
        "conditioning",
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


@pytest.mark.parametrize(("model", "loss"), list(product(options("model"), options("loss"))))
def test_every_model_trains_with_every_loss(
    config: Compose, tmp_path: Path, model: str, loss: str
) -> None:
    train(config(f"model={model}", f"loss={loss}", "data=digits", *SMALL.get(model, WIDTHS)))
    (first, last) = table(tmp_path / "run")
    game = gan.load(tmp_path / "run")
    assert game.clock.step == 2
    assert all(p.isfinite().all() for p in game.parameters())
    assert float(last["gradient_norm/generator"]) > 0
    assert last["discriminator/adversarial"] != first["discriminator/adversarial"]


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_trains(config: Compose, option: str) -> None:
    train(config(*TINY, option))


@pytest.mark.parametrize("conditioning", options("conditioning"))
@pytest.mark.parametrize("model", ["sngan", "sagan", "mlp"])
def test_every_conditioning_trains(config: Compose, model: str, conditioning: str) -> None:
    small = SMALL.get(model, WIDTHS)
    train(config(f"model={model}", f"conditioning={conditioning}", "data=digits", *small))


@pytest.mark.parametrize("loss", ["hinge", "wgan_gp", "rpgan"])
def test_mixed_precision_trains(config: Compose, tmp_path: Path, loss: str) -> None:
    train(config(*TINY, "accelerator=cpu_amp", f"loss={loss}", "clip_norm.generator=1"))
    assert all(p.dtype == torch.float32 for p in gan.load(tmp_path / "run").parameters())
    assert float(table(tmp_path / "run")[-1]["gradient_norm/generator"]) > 0


@pytest.mark.parametrize("name", options("regularizers"))
def test_every_regularizer_trains(config: Compose, tmp_path: Path, name: str) -> None:
    train(config(*TINY, f"regularizers=[{name}]"))
    assert f"discriminator/{name}" in table(tmp_path / "run")[-1]


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
    node = config(
        *TINY, "metrics=domain", "metrics.num_fakes=200", "metrics.min_fakes=2", "steps=3"
    )
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
    "players", [TINY, ["data=digits", "model=mlp", "loss=wgan_gp"]], ids=["dcgan", "mlp"]
)
def test_a_resumed_run_equals_an_uninterrupted_one(
    config: Compose, tmp_path: Path, players: list[str]
) -> None:
    common = [*players, "batch_size=500", "callbacks.telemetry.every=1", "n_critic=2"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(config(*common, f"run_dir={whole}", "steps=6"))
    train(config(*common, f"run_dir={parts}", "steps=3"))
    train(config(*common, f"run_dir={parts}", "steps=6", f"resume={parts}"))
    a, b = weights(whole), weights(parts)
    assert all(torch.equal(a[key], b[key]) for key in a)
    drop = {"images_per_second"}
    for one, other in zip(table(whole), table(parts), strict=True):
        assert {k: v for k, v in one.items() if k not in drop} == {
            k: v for k, v in other.items() if k not in drop
        }


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
    train(config(*TINY, "metrics=domain", "metrics.num_fakes=100", "metrics.min_fakes=2"))
    best = gan.load(tmp_path / "run")
    last = gan.load(tmp_path / "run", checkpoint="last")
    assert torch.equal(best.sample(5, seed=1), last.sample(5, seed=1))
    assert not torch.equal(best.sample(5, seed=1), best.sample(5, seed=2))
