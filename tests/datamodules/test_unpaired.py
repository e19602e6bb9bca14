import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.base import ImageDataModule
from datamodules.domain import Domain, recolour
from datamodules.errors import DataError
from datamodules.plane import Ring
from datamodules.split import Split, TensorSplit
from datamodules.unpaired import Unpaired
from gan.commands.train import train
from gan.runs.folder import Run
from gan.runs.resume import identity
from gan.settings.overrides import hydra_form
from gan.settings.trust import build
from gan.settings.validation import validate
from tests.configs import thinned
from tests.conftest import Compose
from tests.datamodules.test_image_datamodule import numbers, process
from tests.runs.test_resume import Shell

Build = Callable[..., ImageDataModule]
SIZE = 50


class Tinted(ImageDataModule):
    """A colour data set whose image i has i in its left column, and the label i % 3.

    Red is 255 elsewhere, green 0 and blue i.
    """

    name = "tinted"
    class_names = ("one", "two", "three")
    size = 30

    def load(self, split: str) -> Split:
        index = torch.arange(self.size, dtype=torch.uint8)
        images = torch.zeros(self.size, 3, 4, 4, dtype=torch.uint8)
        images[:, 0], images[:, 2] = 255, index[:, None, None]
        images[:, :, :, 0] = index[:, None, None]
        return TensorSplit(images, index.long() % 3)


def tinted(**changes: Any) -> Tinted:
    facts = {"channels": 3, "resolution": 4, "num_classes": 3, "batch_size": 8, "steps": 20}
    return Tinted(**(facts | changes))


@pytest.fixture
def unpaired(numbered: Build) -> Callable[..., Unpaired]:
    """Return a function that builds 50 gray images as domain A and 30 in colour as domain B."""

    def build(a: dict[str, Any] | None = None, b: dict[str, Any] | None = None, **both: Any) -> Any:
        channels = both.pop("channels", 3)
        facts = {"resolution": 4, "batch_size": 8, "steps": 20} | both
        pair = {k: v for k, v in facts.items() if k not in ("flip", "validation")}
        return Unpaired(
            a=numbered(**facts | (a or {})),
            b=tinted(**facts | (b or {})),
            channels=channels,
            **pair,
        )

    return build


def steps(module: ImageDataModule) -> list[list[Any]]:
    """Return images and labels of every step."""
    return [
        [part for pair in step for batch in pair for part in batch]
        for step in module.train_dataloader()
    ]


def order(module: Unpaired, domain: int) -> list[int]:
    """Return the indices of the images of a domain in the order of training."""
    loader = module.train_dataloader()
    return [i for step in loader for pair in step for i in numbers(pair[domain][0])]


def test_a_batch_is_a_pair_in_the_channels_of_both(unpaired: Callable[..., Unpaired]) -> None:
    step: Any = next(iter(unpaired(n_critic=2).train_dataloader()))
    assert len(step) == 2
    for (a, labels_a), (b, labels_b) in step:
        assert a.shape == b.shape == (8, 3, 4, 4)
        assert a.dtype == b.dtype == torch.float32
        assert a[:, :1].expand(-1, 3, -1, -1).equal(a)
        assert labels_a.tolist() == [i % 5 for i in numbers(a)]
        assert labels_b.tolist() == [i % 3 for i in numbers(b)]


@pytest.mark.parametrize(
    ("colour", "luma"),
    [
        ((255, 0, 0), 76),  # 0.299 x 255 = 76.2
        ((0, 255, 0), 150),  # 0.587 x 255 = 149.7
        ((0, 0, 255), 29),  # 0.114 x 255 = 29.1
        ((255, 255, 255), 255),
        ((7, 7, 7), 7),
    ],
)
def test_colour_becomes_its_luma(colour: tuple[int, ...], luma: int) -> None:
    image = torch.tensor(colour, dtype=torch.uint8)[None, :, None, None]
    gray = recolour(image, 1)
    assert (gray.dtype, gray.flatten().tolist()) == (torch.uint8, [luma])
    assert Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0)) == luma


@pytest.mark.parametrize("channels", [1, 3])
def test_stored_images_and_batches_are_the_same(
    unpaired: Callable[..., Unpaired], channels: int
) -> None:
    module = unpaired(channels=channels)
    chosen = torch.tensor([7, 2, 7])
    for domain in module.domains.values():
        images, labels = domain.batch("train", chosen)
        split = domain.split("train")
        assert (domain.channels, images.shape[1]) == (channels, channels)
        assert split.to_float(split.images(chosen)).equal(images)
        assert torch.cat([x for x, _ in domain.reals("train", 7)])[chosen].equal(images)
        assert labels is not None
        assert split.labels is not None
        assert labels.equal(split.labels[chosen])
    assert module.batch("train", chosen)[0].equal(module.domains["b"].batch("train", chosen)[0])


def test_a_domain_has_the_labels_of_its_set(unpaired: Callable[..., Unpaired]) -> None:
    module = unpaired()
    assert (module.num_classes, module.class_names, module.paired) == (0, (), False)
    a, b = module.domains.values()
    assert (a.name, a.num_classes, a.resolution) == ("numbered", 5, 4)
    assert (b.name, b.num_classes, b.class_names) == ("tinted", 3, ("one", "two", "three"))


def test_each_domain_has_an_order_of_its_own(unpaired: Callable[..., Unpaired]) -> None:
    module = unpaired(n_critic=3, steps=25)
    a, b = order(module, 0), order(module, 1)
    for start in range(0, 550, 50):
        assert sorted(a[start : start + 50]) == list(range(50))
    for start in range(0, 570, 30):
        assert sorted(b[start : start + 30]) == list(range(30))
    assert order(unpaired(n_critic=3, steps=25), 1) == b
    assert order(unpaired(n_critic=3, steps=25, seed=1), 1) != b


def test_equal_sizes_do_not_make_pairs(numbered: Build) -> None:
    """Image k of A must not meet the same image of B in every epoch."""
    facts: Any = {"channels": 1, "resolution": 4, "batch_size": 10, "steps": 10}
    a, b = numbered(batch_size=10, steps=10), numbered(batch_size=10, steps=10, num_classes=0)
    module = Unpaired(a=a, b=b, **facts)
    met = list(zip(order(module, 0), order(module, 1), strict=True))
    assert len(set(met[:50]) & set(met[50:])) < 10
    assert met[0][0] == numbers(next(iter(a.train_dataloader()))[0][0])[0]


@pytest.mark.parametrize("start", [1, 7, 20])
def test_a_resumed_run_continues_exactly(unpaired: Callable[..., Unpaired], start: int) -> None:
    module = unpaired(n_critic=3, flip=True)
    loader: Any = module.train_dataloader()
    whole = steps(module)
    module.start_step = start
    tail = [[part for pair in step for batch in pair for part in batch] for step in loader]
    assert (len(loader), len(tail)) == (20, 20 - start)
    for one, other in zip(tail, whole[start:], strict=True):
        assert all(x.equal(y) for x, y in zip(one, other, strict=True))


def test_two_processes_get_the_images_of_one(unpaired: Callable[..., Unpaired]) -> None:
    one = steps(unpaired(n_critic=2, flip=True))
    two = []
    for rank in (0, 1):
        module = unpaired(n_critic=2, flip=True)
        process(module, rank, 2)
        module.setup("fit")
        two.append(steps(module))
    for whole, left, right in zip(one, *two, strict=True):
        for images, a, b in zip(whole, left, right, strict=True):
            assert images.equal(torch.cat([a, b]))


def test_flips_are_those_of_each_set(unpaired: Callable[..., Unpaired]) -> None:
    plain, flipped = steps(unpaired()), steps(unpaired(b={"flip": True}))
    a, b = ([part[k] for part in plain] for k in (0, 2))
    a_then, b_then = ([part[k] for part in flipped] for k in (0, 2))
    assert torch.cat(a).equal(torch.cat(a_then))
    turned = torch.cat(b).ne(torch.cat(b_then)).flatten(1).any(1)
    assert 0.3 < turned.float().mean().item() < 0.7
    assert torch.cat(b)[turned].flip(3).equal(torch.cat(b_then)[turned])


def test_validation_is_cut_from_each_set(unpaired: Callable[..., Unpaired]) -> None:
    module = unpaired(validation=0.2)
    sizes = {side: len(d.split("validation")) for side, d in module.domains.items()}
    assert sizes == {"a": 10, "b": 6}
    assert module.found == (
        "A: 0.2 of the training images as validation split",
        "B: 0.2 of the training images as validation split",
    )


def test_the_identity_is_that_of_both(
    unpaired: Callable[..., Unpaired], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = unpaired()
    parts = [numbered_set.identity() for numbered_set in module.sets.values()]
    assert module.domains["b"].identity() == parts[1]  # nothing is converted
    assert module.domains["a"].identity() != parts[0]
    joined = " ".join(domain.identity() for domain in module.domains.values())
    assert module.identity() == hashlib.sha256(joined.encode()).hexdigest()
    assert unpaired(a={"num_classes": 0}).fingerprint("train") != module.fingerprint("train")
    monkeypatch.setattr(Tinted, "size", 29)
    assert unpaired().identity() != module.identity()
    assert unpaired().domains["a"].fingerprint("train") == module.domains["a"].fingerprint("train")


def test_both_sets_are_prepared_and_told_not_to_download(
    unpaired: Callable[..., Unpaired], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, prepared = unpaired(), list[str]()
    for data in module.sets.values():
        monkeypatch.setattr(data, "prepare_data", lambda name=data.name: prepared.append(name))
    module.prepare_data()
    assert prepared == ["numbered", "tinted"]
    assert module.may_download
    module.may_download = False
    assert [data.may_download for data in module.sets.values()] == [False, False]


def test_a_set_smaller_than_a_batch_is_named(unpaired: Callable[..., Unpaired]) -> None:
    with pytest.raises(DataError, match="batch_size=40 but tinted has 30 training images"):
        unpaired(batch_size=40).train_dataloader()


def test_sets_that_do_not_go_together_are_refused(
    unpaired: Callable[..., Unpaired], numbered: Build
) -> None:
    facts: Any = {"resolution": 4, "batch_size": 8, "steps": 20}
    with pytest.raises(DataError, match=r"data\.b\.seed=3 but both domains have seed=0"):
        unpaired(b={"seed": 3})
    with pytest.raises(DataError, match=r"data\.channels=2: give 1 \(gray\) or 3"):
        unpaired(channels=2)
    with pytest.raises(DataError, match=r"data\.num_classes=10: pairs have no classes"):
        unpaired().__class__(a=numbered(), b=tinted(), channels=3, num_classes=10, **facts)
    ring = Ring(channels=2, resolution=1, num_classes=8, batch_size=8, steps=20)
    with pytest.raises(DataError, match=r"data\.b=ring: it has points"):
        Unpaired(a=numbered(), b=ring, channels=3, **facts)
    with pytest.raises(DataError, match=r"data\.a=unpaired: it has pairs"):
        Unpaired(a=unpaired(), b=tinted(), channels=3, **facts)
    with pytest.raises(DataError, match=r"data\.root=x: both domains are data sets by name"):
        Unpaired(a=numbered(), b=tinted(), channels=3, root="x", **facts)
    with pytest.raises(DataError, match="have the same images"):
        Unpaired(a=numbered(steps=20), b=numbered(steps=20), channels=3, **facts).setup()


def test_domains_of_a_folder(config: Compose, tmp_path: Path) -> None:
    """Sources are those of trainA and testA, targets those of trainB; each has its own number."""
    counts = {"trainA": 6, "testA": 2, "trainB": 4, "testB": 3}
    for number, (folder, count) in enumerate(counts.items()):
        (tmp_path / "set" / folder).mkdir(parents=True)
        for k in range(count):
            pixels = np.full((8, 8, 3), 10 * number + k, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / folder / f"{k}.png")
    node = config(
        "model=cyclegan", "data=unpaired", f"data.root={tmp_path / 'set'}", "batch_size=4"
    )
    module = build(node.data)
    module.setup("fit")
    found = {
        (side, split): domain.split(split).images(torch.arange(2))[:, 0, 0, 0].tolist()
        for side, domain in module.domains.items()
        for split in ("train", "test")
    }
    assert found == {
        ("a", "train"): [0, 1],
        ("a", "test"): [10, 11],
        ("b", "train"): [20, 21],
        ("b", "test"): [30, 31],
    }
    assert module.found == (
        "A: test from testA/, train from trainA/",
        "B: test from testB/, train from trainB/",
    )


def test_the_words_of_a_command(config: Compose) -> None:
    node = config(
        "model=cyclegan", "data=unpaired", "data.a=mnist", "data.b=svhn", "data.flip=true"
    )
    validate(node)
    assert node.task == {}
    assert (node.data.channels, node.data.resolution, node.data.num_classes) == (3, 32, 0)
    assert node.data.a._target_ == "datamodules.mnist.MNIST"
    assert (node.data.a.channels, node.data.b.channels) == (1, 3)
    assert (node.data.a.flip, node.data.b.flip) == (True, True)
    assert node.model.pool.channels == 3


def test_settings_of_one_set(config: Compose) -> None:
    changed = config(
        *("model=cyclegan", "data=unpaired", "data.a=emnist", "data.b=svhn", "data.channels=1"),
        *("data.resolution=16", "data.a.root=x", "data.a.split=letters", "data.b.workers=0"),
    )
    validate(changed)
    assert (changed.data.channels, changed.data.a.resolution) == (1, 16)
    assert (changed.data.a.root, changed.data.a.split) == ("x", "letters")
    assert (changed.data.a.workers, changed.data.b.workers) == (2, 0)


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("data.a=mnist", "data@data.a=mnist"),
        ("++data.b=mnist,svhn", "data@data.b=mnist,svhn"),
        ("data.a.root=x", "++data.a.root=x"),
        ("data@data.a=mnist", "data@data.a=mnist"),
        ("data=mnist", "data=mnist"),
    ],
)
def test_the_form_of_hydra(given: str, form: str) -> None:
    assert hydra_form(given) == form


GIVEN = "model=cyclegan data=unpaired data.a=digits data.b=synthetic "
REFUSED = [
    ("model=cyclegan data=unpaired", "data.root is not set"),
    (
        "model=cyclegan data=unpaired data.a=mnits",
        "data=mnits: no such option; did you mean 'mnist'?",
    ),
    ("model=pix2pix data.a=mnist", "data.a: it is one of two data sets: add data=unpaired"),
    (GIVEN + "data.b=unpaired", "data.b: it has two domains itself: choose another data set"),
    (GIVEN + "data.a=null", "data.a=null: choose one of"),
    (GIVEN + "data.a=[digits]", "data.a takes one option, not a list"),
    (GIVEN + "data.a=digits,mnist", "data.a=digits,mnist: several values are a sweep"),
    (GIVEN + "data.c=mnist", "data.c: no such setting"),
    (GIVEN + "data.a_root=x", "data.a_root: no such setting"),
    (GIVEN + "data.sets=3", "data.sets: no such setting"),
    (GIVEN + "data.a.rot=x", "data.a.rot: no such setting; did you mean 'root'?"),
    (GIVEN + "data.a.root=x", "digits has no files"),
    (GIVEN + "data.root=x", "both domains are data sets by name: give data.a.root or data.b.root"),
    (GIVEN + "task=denoise", "data=unpaired has images of two domains: leave task= out"),
    (GIVEN + "model=dcgan", "the game has latents"),
    (GIVEN + "data.b=digits", "have the same images"),
    (GIVEN + "steps=many", "steps=many: give a whole number"),
]


@pytest.mark.parametrize(("arguments", "words"), thinned(REFUSED, keep=4))
def test_wrong_settings_are_one_line(
    arguments: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(capsys)
    small = [*SMALL[2:], f"hydra.run.dir={tmp_path / 'run'}", "size=tiny"]
    assert shell.train(*small, *arguments.split()) == 2
    (line,) = shell.err.strip().splitlines()
    assert words in line
    assert "@" not in line


PATCHES = [f"model.discriminator.a.{key}" for key in ("width=4", "depth=1")]
NETWORKS = [f"model.generator.ab.{key}" for key in ("width=4", "blocks=1")]
SMALL = ["model=cyclegan", "data=unpaired", "metrics=[]", "batch_size=4", "accelerator=cpu"]
SETS = ["data.a=digits", "data.b=synthetic", "data.resolution=16", "data.b.train_size=64"]


def test_a_resumed_run_equals_an_uninterrupted_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell, (whole, parts) = Shell(capsys), (tmp_path / "whole", tmp_path / "parts")
    common = [
        *SMALL,
        *SETS,
        *PATCHES,
        *NETWORKS,
        "n_critic=2",
        "data.flip=true",
        "callbacks=[checkpoints]",
    ]
    common += ["schedule=constant", "model.pool.size=3"]
    assert shell.train(*common, "steps=4", f"hydra.run.dir={whole}") == 0
    assert "domain A:    digits: 1,437 in train; 3 x 16 x 16; 10 classes" in shell.out
    assert "domain B:    synthetic: 64 in train; 3 x 16 x 16; 3 classes" in shell.out
    assert shell.train(*common, "steps=2", f"hydra.run.dir={parts}") == 0
    assert shell.train(f"resume={parts}", "steps=4", "data.a.workers=0") == 0
    a, b = (torch.load(run / "checkpoints/last.ckpt")["state_dict"] for run in (whole, parts))
    assert all(a[key].equal(b[key]) for key in a)


@pytest.mark.slow
def test_a_stored_run_has_plain_values(
    config: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = config(*SMALL, *SETS, *PATCHES, *NETWORKS, "steps=1", "callbacks=[checkpoints,samples]")
    train(node)
    run = Run(tmp_path / "run")
    assert run.config.data.a._target_ == "datamodules.digits.Digits"
    assert identity(run.config)["data"]["channels"] == 3
    assert isinstance(run.data().domains["a"], Domain)
    assert not any(data.may_download for data in run.data().sets.values())
    assert (tmp_path / "run" / "samples" / "step_00000001.png").is_file()
    shell = Shell(capsys)
    assert shell.train(f"resume={run.path}", "data.b=digits") == 2
    assert "resume: data.b=digits would make it another run" in shell.err
    assert shell.train(f"resume={run.path}", "data.b.train_size=63", "steps=4") == 2
    assert "data.b.train_size=63 instead of 64" in shell.err
