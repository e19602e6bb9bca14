"""What every model with an encoder does, from ``conf/`` alone."""

import csv
import json
from pathlib import Path

import pytest
import torch
import yaml
from hydra.errors import InstantiationException
from PIL import Image

import gan
from gan.algorithms.encoding import EncodingGame
from gan.commands.main import dispatch
from gan.commands.train import train
from gan.metrics.likelihood import LogLikelihood
from gan.metrics.reconstruction import first_images
from gan.runs.folder import Run
from tests.commands.test_train import BRIEF, SMALL
from tests.configs import ROOT, options
from tests.conftest import Compose

ENCODING = [
    name
    for name in options("model")
    if "encoder" in yaml.safe_load((ROOT / f"conf/model/{name}.yaml").read_text()).get("model", {})
]


def brief(model: str) -> list[str]:
    """Return the overrides of a small run on digits."""
    return [f"model={model}", "data=digits", "n_critic=1", *SMALL[model]]


@pytest.mark.parametrize("model", ENCODING)
def test_a_resumed_run_equals_an_uninterrupted_one(
    config: Compose, tmp_path: Path, model: str
) -> None:
    whole, parts, common = tmp_path / "whole", tmp_path / "parts", [*brief(model), "averaging=ema"]
    train(config(*common, f"run_dir={whole}", "steps=4"))
    train(config(*common, f"run_dir={parts}", "steps=2"))
    train(config(*common, f"run_dir={parts}", "steps=4", f"resume={parts}"))
    a, b = (torch.load(run / "checkpoints/last.ckpt")["state_dict"] for run in (whole, parts))
    assert all(torch.equal(a[key], b[key]) for key in a)
    encoder = {key for key in a if key.startswith("averaged_encoder.")}
    raw = {key: a[key.removeprefix("averaged_")] for key in encoder}
    assert any(not torch.equal(a[key], raw[key]) for key in encoder)


@pytest.mark.parametrize("model", ENCODING)
def test_images_are_encoded_measured_and_shown(config: Compose, tmp_path: Path, model: str) -> None:
    own = [*BRIEF, "evaluation.num_fakes=100", "metrics=[fid,reconstruction]"]
    train(config(*brief(model), *own))
    run = tmp_path / "run"
    results = json.loads((run / "results.json").read_text())
    value = results["final"]["domain/reconstruction_psnr"]
    with (run / "metrics.csv").open(newline="") as file:
        assert float([*csv.DictReader(file)][-1]["domain/reconstruction_psnr"]) == value
    assert results["stamp"]["reconstruction_count"] == 1000
    game = gan.load(run, "last")
    assert isinstance(game, EncodingGame)
    _, images, _ = next(first_images(Run(run).data(None), 3))
    z = game.encode(images)
    assert z.shape == (3, game.prior.dim)
    assert torch.equal(game.reconstruct(images), game.decode(z))
    with Image.open(run / "samples/step_00000002.png") as picture:
        assert picture.size[1] > picture.size[0]  # 8 rows of samples and 4 of images, 10 columns


def test_a_vae_is_evaluated(
    config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LogLikelihood.__init__, "__defaults__", (50, 5))
    train(
        config(
            *brief("vae"),
            *BRIEF,
            "evaluation.num_fakes=100",
            "metrics=[elbo]",
            "evaluation.monitor=elbo",
        )
    )
    run = tmp_path / "run"
    results = json.loads((run / "results.json").read_text())
    names = ["elbo", "elbo_reconstruction", "elbo_kl", "elbo_bits"]
    assert set(results["final"]) >= {f"domain/{name}" for name in names}
    given = ["n=100", "seeds=1", "min_fakes=2", "checkpoints=[last]"]
    dispatch(["evaluate", f"run={run}", *given, "metrics=[elbo,log_likelihood]"])
    (record,) = json.loads((run / "evaluation.json").read_text())["records"]
    assert record["values"]["elbo"] == pytest.approx(results["final"]["domain/elbo"], rel=1e-5)
    assert record["values"]["log_likelihood"] == pytest.approx(record["values"]["elbo"], rel=0.2)
    assert record["stamp"]["log_likelihood_samples"] == 5


@pytest.mark.parametrize("option", options("likelihood"))
def test_every_likelihood_trains(config: Compose, tmp_path: Path, option: str) -> None:
    node = config(*brief("vae"), f"likelihood={option}")
    train(node)
    game = gan.load(tmp_path / "run")
    target = node.likelihood._target_
    assert type(game.likelihood).__name__ == target.rpartition(".")[2]


def test_a_vae_of_labels(config: Compose, tmp_path: Path) -> None:
    train(config(*brief("vae"), "conditioning=projection"))
    assert gan.load(tmp_path / "run").sample(2, labels=[3]).shape == (2, 1, 16, 16)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("loss=hinge", "leave loss out"),
        ("regularizers=[orthogonal]", "leave them out"),
        ("augment=ada", "leave augment out"),
        ("pack=2", "leave pack out"),
        ("n_critic=2", "leave n_critic out"),
        ("prior=uniform", "set prior=gaussian"),
    ],
)
def test_ingredients_of_games_with_a_discriminator_are_refused(
    config: Compose, given: str, words: str
) -> None:
    with pytest.raises(InstantiationException) as caught:
        train(config(*brief("vae"), given))
    assert words in str(caught.value.__cause__)
