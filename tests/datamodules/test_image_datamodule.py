from collections.abc import Callable, Iterable
from itertools import chain
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from datamodules.base import Batch, ImageDataModule
from datamodules.degradations.denoise import Denoise
from datamodules.errors import DataError
from datamodules.loader import flip_horizontally

Build = Callable[..., ImageDataModule]


def process(module: ImageDataModule, rank: int, world_size: int) -> ImageDataModule:
    device = SimpleNamespace(root_device=torch.device("cpu"))
    trainer: Any = SimpleNamespace(global_rank=rank, world_size=world_size, strategy=device)
    module.trainer = trainer
    return module


KINDS: dict[str, dict[str, Any]] = {
    "images": {},
    "labelled": {"labelled": 3},
    "restoration": {"task": Denoise(0.5)},
}
KIND = pytest.mark.parametrize("kind", KINDS)


def tensors(step: Any) -> list[Tensor]:
    """Return images and labels of a step, whatever its batches are."""
    return [step] if isinstance(step, Tensor) else [t for part in step for t in tensors(part)]


def steps(module: ImageDataModule) -> list[Tensor]:
    return [torch.cat([images for images, _ in step]) for step in module.train_dataloader()]


def numbers(images: Tensor) -> list[int]:
    """Return the indices of images of the numbered data set, flipped or not."""
    columns = torch.minimum(images[:, 0, 0, 0], images[:, 0, 0, -1])
    return [int(value) for value in columns.add(1).mul(127.5).round().tolist()]


def ids(batches: Iterable[Batch]) -> list[int]:
    return list(chain.from_iterable(numbers(images) for images, _ in batches))


def test_a_step_has_n_critic_batches(numbered: Build) -> None:
    loader = numbered(n_critic=3).train_dataloader()
    step = next(iter(loader))
    assert len(loader) == 20
    assert len(step) == 3
    for images, labels in step:
        assert labels is not None
        assert (images.shape, images.dtype) == ((8, 1, 4, 4), torch.float32)
        assert labels.dtype == torch.int64
        assert labels.tolist() == [i % 5 for i in numbers(images)]


def test_images_have_the_exact_range(numbered: Build) -> None:
    images = next(numbered().reals("train", 50))[0]
    expected = torch.arange(50) / 127.5 - 1
    assert images[:, 0, 0, 0].sub(expected).abs().max().item() < 1e-6
    assert images[0, 0, 0, 0].item() == -1
    assert images[:, 0, :, 1:].eq(1).all()


def test_every_image_occurs_once_per_epoch(numbered: Build) -> None:
    seen = torch.tensor(list(chain.from_iterable(map(numbers, steps(numbered(n_critic=3))))))
    for epoch in seen[:450].view(9, 50):
        assert epoch.sort().values.tolist() == list(range(50))


@KIND
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("start", [1, 7, 20])
def test_a_resumed_run_continues_exactly(
    numbered: Build, start: int, flip: bool, kind: str
) -> None:
    module = numbered(n_critic=3, flip=flip, **KINDS[kind])
    loader = module.train_dataloader()
    whole = [tensors(step) for step in loader]
    module.start_step = start
    tail = [tensors(step) for step in loader]
    assert len(loader) == 20
    assert len(tail) == 20 - start
    for one, other in zip(tail, whole[start:], strict=True):
        assert all(a.equal(b) for a, b in zip(one, other, strict=True))


@KIND
def test_two_processes_get_the_batches_of_one(numbered: Build, kind: str) -> None:
    settings: dict[str, Any] = {"n_critic": 2, "flip": True, **KINDS[kind]}
    one = numbered(**settings).train_dataloader()
    two = [process(numbered(**settings), r, 2).train_dataloader() for r in (0, 1)]
    for step, left, right in zip(one, *two, strict=True):
        for whole, a, b in zip(tensors(step), tensors(left), tensors(right), strict=True):
            assert whole.equal(torch.cat([a, b]))


def test_another_seed_gives_another_order(numbered: Build) -> None:
    assert not steps(numbered(seed=0))[0].equal(steps(numbered(seed=1))[0])


def test_half_of_the_images_are_flipped(numbered: Build) -> None:
    plain = torch.cat(steps(numbered(steps=100)))
    flipped = torch.cat(steps(numbered(steps=100, flip=True)))
    coins = flipped[:, 0, 0, 0].eq(1)
    assert coins.float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert flipped[~coins].equal(plain[~coins])
    assert flipped[coins].equal(plain[coins].flip(3))


def test_flipping_is_exact_for_all_pairs_of_values() -> None:
    left, right = torch.cartesian_prod(*[torch.arange(256, dtype=torch.uint8)] * 2).unbind(1)
    images = torch.stack([left, right], 1)[:, None, None]
    assert flip_horizontally(images, torch.ones(len(images), dtype=torch.bool)).equal(
        images.flip(3)
    )
    assert flip_horizontally(images, torch.zeros(len(images), dtype=torch.bool)).equal(images)


@pytest.mark.parametrize("world_size", [1, 2, 3, 9])
def test_reals_divides_the_images_among_ranks(numbered: Build, world_size: int) -> None:
    module = numbered(flip=True)
    shares = [ids(module.reals("test", 2, rank, world_size)) for rank in range(world_size)]
    assert list(chain.from_iterable(shares)) == list(range(7))


def test_the_last_batch_of_reals_can_be_smaller(numbered: Build) -> None:
    assert [len(images) for images, _ in numbered().reals("test", 3)] == [3, 3, 1]


def test_no_classes_means_no_labels(numbered: Build) -> None:
    module = numbered(num_classes=0)
    assert module.split("train").labels is None
    assert next(iter(module.train_dataloader()))[0][1] is None
    assert next(module.reals("test", 3))[1] is None


def test_fingerprints_of_splits_differ(numbered: Build) -> None:
    assert numbered().fingerprint("train") == numbered(seed=9).fingerprint("train")
    assert numbered().fingerprint("train") != numbered().fingerprint("test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 3}, "data.channels=3 but the images of numbered have 1: set data.channels=1"),
        ({"resolution": 8}, "data.resolution=8 .* set data.resolution=4"),
        ({"num_classes": 6}, "data.num_classes=6 .* set data.num_classes=5"),
        ({"num_classes": 4}, "data.num_classes=4 .* set data.num_classes=5"),
    ],
)
def test_wrong_properties_are_refused(
    numbered: Build, changes: dict[str, int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        numbered(**changes).setup("fit")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 0}, "data.channels=0: must be at least 1"),
        ({"channels": 9}, "data.channels=9: must be at least 1 and at most 3$"),
        ({"num_classes": None}, "data.num_classes=null: give the number of classes"),
        ({"batch_size": 0}, "batch_size=0: must be at least 1$"),
        ({"n_critic": 0}, "n_critic=0: must be at least 1"),
        ({"seed": -1}, "seed=-1: must be at least 0"),
    ],
)
def test_values_out_of_range_are_refused(
    numbered: Build, changes: dict[str, int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        numbered(**changes)


def test_a_validation_split_without_images_is_refused(numbered: Build) -> None:
    with pytest.raises(DataError, match=r"data\.validation=1e-09: none of 50 training images"):
        numbered(validation=1e-9).setup("fit")


def test_illegal_batch_sizes_are_refused(numbered: Build) -> None:
    with pytest.raises(DataError, match=r"batch_size=51 .* set batch_size=50 or less"):
        numbered(batch_size=51).train_dataloader()
    with pytest.raises(DataError, match=r"batch_size=51 .* set batch_size=50 or less"):
        numbered(batch_size=51).setup("fit")  # before anything is measured
    with pytest.raises(DataError, match=r"beside data\.validation=0\.5: set batch_size=2\d or"):
        numbered(batch_size=40, validation=0.5).setup("fit")
    with pytest.raises(DataError, match="batch_size=8 is not a multiple of 3 devices"):
        process(numbered(), 0, 3).train_dataloader()


def test_an_unknown_split_is_refused(numbered: Build) -> None:
    with pytest.raises(DataError, match="no split 'valid': use train or test"):
        numbered().reals("valid", 3)


class Recorder(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.seen: list[list[int]] = []

    def training_step(self, batch: list[Batch], batch_idx: int) -> None:
        assert isinstance(batch, list)
        self.seen.append(ids(batch))

    def configure_optimizers(self) -> None:
        return None


def test_lightning_does_not_change_the_steps(numbered: Build) -> None:
    recorder, module = Recorder(), numbered(n_critic=2)
    pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(recorder, datamodule=module)
    assert recorder.seen == [ids(step) for step in numbered(n_critic=2).train_dataloader()]
