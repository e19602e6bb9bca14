import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.errors import HydraException
from torch import nn

from gan.commands import models
from gan.commands.main import dispatch
from gan.commands.models import ModelConfig
from gan.errors import InputError
from gan.settings import composing, groups
from tests.configs import ROOT, options, thinned

ALONE = {"vae"}  # without a discriminator
KEPT = {
    "model": {"dcgan", "mlp", "acgan"},
    "loss": {"non_saturating", "hinge"},
    "conditioning": {"none", "projection", "auxiliary", "class_norm"},
    "augment": {"none"},
    "regularizers": {"r1", "lecam"},
}
BROKEN = """# @package _global_
# Broken GAN (Nobody, 2020): R1 beside batch normalisation.
# More of it.
defaults:
  - dcgan
  - override /regularizers: [r1]
  - override /critic_norm: batch
"""


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let ``conf/`` hold a few options and a model that cannot be built; return its folder."""
    conf = tmp_path / "conf"
    shutil.copytree(ROOT / "conf", conf)
    for group, kept in KEPT.items():
        for path in (conf / group).glob("[!_]*.yaml"):
            if path.stem not in kept:
                path.unlink()
    (conf / "model" / "broken.yaml").write_text(BROKEN)
    for module in (groups, composing):
        monkeypatch.setattr(module, "CONF", conf)
    return conf


@pytest.fixture
def shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[list[str]]]:
    """Return a function from arguments to the words of each line that the command prints."""
    place = tmp_path / "empty"
    place.mkdir()
    monkeypatch.chdir(place)

    def run(*given: str, columns: int = 250) -> list[list[str]]:
        monkeypatch.setenv("COLUMNS", str(columns))
        dispatch(["models", *given])
        assert not any(place.iterdir())
        lines = capsys.readouterr().out.splitlines()
        return [[cell.strip() for cell in line.strip("│┃").split("│")] for line in lines]

    return run


@pytest.mark.parametrize("model", thinned(options("model"), keep=4))
def test_every_model_has_a_row(model: str) -> None:
    row, reason = models._row(model, "cifar10", True)
    assert reason is None
    assert len(row) == len(models._HEADS)
    assert row[1]
    generator, discriminator = (float(size.removesuffix(" M")) for size in row[-2:])
    assert generator > 0
    assert (discriminator > 0) == (model not in ALONE)


def test_a_row_is_the_recipe_that_train_composes() -> None:
    head = "WGAN-GP, residual networks for CIFAR-10 (Gulrajani et al., 2017)"
    recipe = ["GAN", "wgan_gp", "none", "gradient_penalty", "5", "100,000"]
    row, _ = models._row("wgan_gp", "cifar10", True)
    assert row[:-2] == ["wgan_gp", head, *recipe]
    row, _ = models._row("dcgan", "cifar10", True)
    assert row[2:-2] == ["GAN", "non_saturating", "none", "none", "1", "2,000"]
    # linear map, three normalisations, three transposed convolutions
    generator = 100 * 256 * 16 + 2 * (256 + 128 + 64) + 16 * (256 * 128 + 128 * 64 + 64 * 3) + 3
    discriminator = 16 * (3 * 64 + 64 * 128 + 128 * 256) + (64 + 3 * 128 + 3 * 256) + 256 * 16 + 1
    assert row[-2:] == [f"{count / 1e6:.3g} M" for count in (generator, discriminator)]


def test_sizes_count_each_weight_once() -> None:
    assert models._size(nn.Linear(999, 2000)) == "2 M"
    shared = nn.Linear(10, 10)
    assert models._size(nn.Sequential(shared, shared)) == models._size(shared) == "0.00011 M"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("SNGAN, nets (Miyato et al., 2018): hinge.", "SNGAN, nets (Miyato et al., 2018)"),
        ("The GAN (Goodfellow et al. 2014). Deviation: Adam.", "The GAN (Goodfellow et al. 2014)"),
        (
            "A GAN (2020), set as by Karras et al. (2020): R1.",
            "A GAN (2020), set as by Karras et al. (2020)",
        ),
        ("No stop", "No stop"),
        ("", ""),
    ],
)
def test_titles(few: Path, text: str, title: str) -> None:
    (few / "model" / "dcgan.yaml").write_text(f"# @package _global_\n# {text}\nsteps: 1\n# no\n")
    assert groups.description("model", "dcgan") == text
    assert groups.title("model", "dcgan") == title


def test_the_table(few: Path, shown: Callable[..., list[list[str]]]) -> None:
    lines = shown("parameters=true")
    rows = {line[0]: line for line in lines if len(line) == len(models._HEADS)}
    assert list(rows) == ["acgan", "broken", "dcgan", "mlp"]
    assert rows["acgan"][:5] == [
        "acgan",
        "AC-GAN (Odena et al., 2017)",
        "ACGAN",
        "non_saturating",
        "auxiliary",
    ]
    assert rows["broken"][1] == "Broken GAN (Nobody, 2020)"
    assert rows["broken"][5] == "r1"
    assert rows["broken"][-2:] == ["", ""]
    (reason,) = [line[0] for line in lines if line[0].startswith("broken: ")]
    assert reason.startswith("broken: regularizers.r1 needs")


def test_the_table_builds_nothing(
    few: Path, shown: Callable[..., list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(models, "build")
    rows = {line[0]: line for line in shown() if len(line) == len(models._HEADS) - 2}
    assert list(rows) == ["acgan", "broken", "dcgan", "mlp"]
    assert rows["dcgan"][-2:] == ["1", "2,000"]


def test_the_list_where_there_is_no_room(few: Path, shown: Callable[..., list[list[str]]]) -> None:
    text = "\n".join(line[0] for line in shown(columns=120))
    assert (
        "model acgan\npaper AC-GAN (Odena et al., 2017); game ACGAN; loss non_saturating;" in text
    )
    assert "┃" not in text


def test_one_model_in_detail(few: Path, shown: Callable[..., list[list[str]]]) -> None:
    lines = shown("model=dcgan")
    assert lines[0][0].startswith("dcgan: DCGAN (Radford et al., 2016): Adam 2e-4")
    assert lines[1][0].startswith("game GAN; loss non_saturating; conditioning none; ")
    rows = [line for line in lines if len(line) == 3]
    assert [row[0] for row in rows if row[0]] == ["loss", "conditioning", "augment", "regularizers"]
    answers = [tuple(row[1:]) for row in rows]
    assert ("none (its own)", "yes, runs unconditionally") in answers
    refused = [name for name, answer in answers if not answer.startswith("yes")]
    assert "class_norm" in refused
    takes = {name for name, answer in answers if answer == "yes"}
    assert {"hinge", "non_saturating (its own)", "projection", "lecam", "r1"} <= takes


def test_brackets_of_a_reason_are_shown(
    few: Path, shown: Callable[..., list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_composes", lambda *names: "choose regularizers=[r1]")
    assert next(row[2] for row in shown("model=mlp") if "r1" in row) == "choose regularizers=[r1]"


@pytest.mark.parametrize(
    ("model", "group", "option", "words"),
    [
        ("dcgan", "conditioning", "none", "yes, runs unconditionally"),
        ("dcgan", "conditioning", "projection", "yes"),
        ("dcgan", "regularizers", "[r1]", "yes"),
        ("mlp", "loss", "wgan_gp", "yes"),
    ],
)
def test_what_composes(model: str, group: str, option: str, words: str) -> None:
    assert models._composes(model, "cifar10", f"{group}={option}") == words


def test_an_option_joins_the_recipe() -> None:
    composed = ModelConfig("stylegan2", "cifar10")
    assert composed.override("regularizers", "lecam") == "regularizers=[r1,path_length,lecam]"
    assert composed.override("regularizers", "r1") == "regularizers=[r1,path_length]"
    assert composed.override("loss", "hinge") == "loss=hinge"


def test_reasons_are_those_of_training() -> None:
    reason = models._composes("dcgan", "cifar10", "conditioning=class_norm")
    with pytest.raises(HydraException) as caught:
        ModelConfig("dcgan", "cifar10", "conditioning=class_norm").game()
    assert reason == str(caught.value.__cause__)
    assert "set conditioning=projection" in reason
    assert "loss=nothing: no such option" in models._composes("dcgan", "cifar10", "loss=nothing")


def test_faults_of_the_program_are_no_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(node: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(models, "build", broken)
    with pytest.raises(ZeroDivisionError):
        models._composes("dcgan", "cifar10", "loss=hinge")
    with pytest.raises(ZeroDivisionError):
        models._row("dcgan", "cifar10", True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("model=dcgna", "model=dcgna: did you mean 'dcgan'"),
        ("data=cifr", "data=cifr: did you mean 'cifar10'"),
        ("modle=dcgan", "did you mean 'model'"),
    ],
)
def test_names_that_are_unknown(given: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dispatch(["models", given])
