import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed

from gan import processes
from gan.augment.ada import ADA
from gan.augment.base import Augmentation
from gan.augment.pipeline import Pipeline
from gan.clock import Scheduled
from gan.errors import InputError
from gan.schedules import Constant, Cosine, Linear

KINDS = ("blit", "geometric", "colour", "filtering", "noise", "cutout")
ALL: dict[str, Any] = dict.fromkeys(KINDS, 1.0)
NONE: dict[str, Any] = dict.fromkeys(KINDS, 0.0)


def images(channels: int = 3, count: int = 64, side: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, channels, side, side, generator=generator) * 2 - 1


def seeded(augment: Callable[[Tensor], Tensor], x: Tensor, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return augment(x)


def update(augment: Augmentation, logits: Tensor) -> None:
    """Let ``augment`` see the logits of one update of the discriminator."""
    augment.observe(logits)
    augment.adapt()


# Augmented images


@pytest.mark.parametrize("target", [None, 0.6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_p_0_is_the_identity(target: float | None, dtype: torch.dtype) -> None:
    x = images().to(dtype)
    y = ADA(0.0, target, **ALL)(x)
    assert y.dtype == dtype
    assert torch.equal(y, x)


@pytest.mark.parametrize("kind", KINDS)
def test_p_1_changes_every_image_with_each_kind(kind: str) -> None:
    x, multipliers = images(), NONE | {kind: 1.0}
    torch.manual_seed(0)
    changed = (ADA(1.0, None, **multipliers)(x) != x).flatten(1).any(1)
    rare = 1 / 8 * 1 / 16  # identity blit, translation below half a pixel
    assert changed.float().mean() >= (1 - 4 * rare if kind == "blit" else 1)
    assert (seeded(ADA(1.0, None), x) != x).flatten(1).any(1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_probability_is_p_times_the_multiplier(kind: str) -> None:
    x = images()
    half = ADA(0.5, None, **NONE | {kind: 0.6})
    same = ADA(0.3, None, **NONE | {kind: 1.0})
    assert torch.equal(seeded(half, x), seeded(same, x))
    always = ADA(0.5, None, **NONE | {kind: 8.0})
    assert torch.equal(seeded(always, x), seeded(ADA(1.0, None, **NONE | {kind: 1.0}), x))


def test_the_default_kinds_are_bgc() -> None:
    kinds = [type(stage).__name__ for stage in ADA().pipeline.stages]
    assert kinds == ["Geometry", "Colour"]
    kinds = [type(stage).__name__ for stage in Pipeline(**ALL).stages]
    assert kinds == ["Geometry", "Colour", "Filtering", "Noise", "Cutout"]
    assert torch.equal(ADA(1.0, None, **NONE)(images()), images())


@pytest.mark.parametrize("channels", [1, 3])
def test_half_precision_is_computed_in_float32(channels: int) -> None:
    augment, x = ADA(0.8, None, **ALL), images(channels).bfloat16()
    y = seeded(augment, x)
    assert y.dtype == torch.bfloat16
    assert y.isfinite().all()
    assert torch.equal(y, seeded(augment, x.float()).bfloat16())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        full = seeded(augment, x.float())
    assert full.dtype == torch.float32
    assert torch.equal(full, seeded(augment, x.float()))
    quiet = ADA(0.8, None, **ALL | {"noise": 0.0})  # random numbers have the type of the images
    assert torch.allclose(
        seeded(quiet, x.float()), seeded(quiet, x.double()).float(), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 9), (33, 20)])
def test_the_size_of_images_is_kept(height: int, width: int) -> None:
    x = torch.rand(5, 1, height, width)
    y = ADA(1.0, None, **ALL)(x)
    assert y.shape == x.shape
    assert y.isfinite().all()


def test_without_colour_any_number_of_channels_is_allowed() -> None:
    assert ADA(1.0, None, **ALL | {"colour": 0.0})(images(5)).shape == (64, 5, 16, 16)
    with pytest.raises(InputError, match=r"augment\.colour=1 needs 1 or 3 channels"):
        ADA(1.0, None)(images(5))


def test_first_and_second_derivatives() -> None:
    augment, x = ADA(0.7, None, **ALL), images(3, 1, 4).double().requires_grad_()

    def squared(x: Tensor) -> Tensor:
        return seeded(augment, x).square()

    assert torch.autograd.gradcheck(squared, (x,))
    assert torch.autograd.gradgradcheck(squared, (x,))


def test_a_gradient_penalty_has_gradients_in_the_weights() -> None:
    weight = torch.randn(3, 3, 3, 3, requires_grad=True)
    x = images(3, 8).requires_grad_()
    logits = torch.nn.functional.conv2d(ADA(1.0, None)(x), weight).tanh().sum()
    (slope,) = torch.autograd.grad(logits, x, create_graph=True)
    (gradient,) = torch.autograd.grad(slope.square().sum(), weight)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


def test_augmentation_depends_on_the_random_state_only() -> None:
    augment = ADA(0.5, None, **ALL)
    assert torch.equal(seeded(augment, images(), 1), seeded(augment, images(), 1))
    assert not torch.equal(seeded(augment, images(), 1), seeded(augment, images(), 2))


def test_disabled_augmentation_uses_no_random_numbers() -> None:
    state = torch.get_rng_state()
    x = images()
    assert ADA(0.0, None)(x) is x
    assert torch.equal(torch.get_rng_state(), state)


def test_augmentation_starts_when_p_is_positive() -> None:
    augment = ADA(interval=1, images=10)
    assert torch.equal(augment(images()), images())
    update(augment, torch.ones(10))
    assert (augment(images()) != images()).flatten(1).any(1).all()


# Adaptation of p


def logits(positive: int, of: int) -> Tensor:
    return torch.tensor([3.0] * positive + [-0.1] * (of - positive))


def test_p_changes_by_the_images_of_an_interval() -> None:
    augment = ADA(interval=2, images=1000)
    seen = []
    turns = [(10, 10), (8, 10), (7, 10), (8, 10), (10, 10), (6, 10), (10, 20), (30, 30)]
    for positive, of in turns:
        update(augment, logits(positive, of))
        seen.append(round(augment.p.item(), 6))
    # r_t: (10 + 6) / 20 = 0.8, (4 + 6) / 20 = 0.5, (10 + 2) / 20 = 0.6, (0 + 30) / 50 = 0.6
    assert seen == [0, 0.02, 0.02, 0, 0, 0, 0, 0]
    assert augment.tally.tolist() == [0, 0]
    update(augment, logits(10, 10))
    assert augment.tally.tolist() == [10, 10]
    assert augment.turns == 1


def test_r_t_weights_images_equally() -> None:
    augment = ADA(interval=2, images=1000, target=0.5)
    update(augment, logits(30, 30))
    update(augment, logits(0, 10))  # 20 / 40 is not above
    assert augment.p == 0
    update(augment, logits(31, 31))
    update(augment, logits(0, 10))  # 21 / 41 is
    assert augment.p.item() == pytest.approx(0.041)


def test_parts_of_an_update_count_as_one() -> None:
    whole, parts = (ADA(interval=2, images=1000, target=0.5) for _ in range(2))
    for positive in (19, 20, 16, 19):
        update(whole, logits(positive, 20))
        for part in logits(positive, 20).chunk(4):
            parts.observe(part)
        parts.adapt()
        for name in ("p", "tally", "turns", "pending"):
            assert torch.equal(getattr(whole, name), getattr(parts, name)), name
    assert whole.p > 0


def test_r_t_averages_the_logits_of_patches() -> None:
    augment = ADA(interval=1, images=100, target=0.2)
    update(augment, torch.tensor([[1.0, 1, 1, -1], [1, 1, -1, -1]]))
    assert augment.p.item() == pytest.approx(0.02)  # r_t = 1 / 4, of two images
    update(augment, torch.tensor([[0.0, 0.0], [0.0, 0.0]]))
    assert augment.p.item() == pytest.approx(0.0)


def test_p_stays_a_probability() -> None:
    augment = ADA(0.95, interval=1, images=100)
    update(augment, logits(10, 10))
    assert augment.p == 1
    augment = ADA(0.05, interval=1, images=100)
    update(augment, logits(0, 10))
    assert augment.p == 0


def test_nan_has_sign_0() -> None:
    augment = ADA(0.5, interval=1, images=100)
    update(augment, torch.full((10,), torch.nan))
    assert augment.p.item() == pytest.approx(0.4)
    update(augment, torch.full((10,), torch.inf))
    assert augment.p.item() == pytest.approx(0.5)


def test_r_t_of_16_bit_logits_is_exact() -> None:
    augment = ADA(interval=1, images=10_000, target=0.5)
    update(augment, logits(751, 1001).bfloat16())  # r_t = 0.5005
    assert augment.p.item() == pytest.approx(0.1001)


def test_p_rises_at_the_published_rate() -> None:
    augment = ADA()
    for _ in range(4 * 10):
        update(augment, torch.ones(64))
    assert augment.p.item() == pytest.approx(40 * 64 / 500_000)


def test_without_a_target_p_is_constant() -> None:
    augment = ADA(0.3, None, interval=1, images=10)
    update(augment, logits(10, 10))
    augment.set_progress(1000)
    assert augment.p.item() == pytest.approx(0.3)


def test_a_schedule_sets_p() -> None:
    augment = ADA(0.8, None, interval=1, images=10, schedule=Linear(end=1000, final=0.5))
    assert augment.p.item() == pytest.approx(0.8)
    for images, p in ((0, 0.8), (500, 0.6), (1000, 0.4), (5000, 0.4)):
        augment.set_progress(images)
        update(augment, logits(10, 10))
        assert augment.p.item() == pytest.approx(p)
    rising = ADA(0.8, None, schedule=Cosine(end=10, final=3.0))
    rising.set_progress(10)
    assert rising.p == 1


def test_interfaces() -> None:
    assert isinstance(ADA(), Augmentation)
    assert isinstance(ADA(), Scheduled)


def test_a_loaded_state_continues_exactly() -> None:
    def train(augment: ADA, turns: range) -> list[Tensor]:
        seen = []
        for turn in turns:
            augment.set_progress(10 * turn)
            torch.manual_seed(turn)
            seen += [augment(images()), augment.p.clone()]
            update(augment, torch.randn(10) + 0.6)
        return seen

    whole = train(ADA(0.3, interval=3, images=400), range(20))
    first = ADA(0.3, interval=3, images=400)
    head = train(first, range(10))  # within an interval
    assert first.turns == 1
    assert set(first.state_dict()) == {"p", "tally", "turns"}
    second = ADA(0.3, interval=3, images=400)
    second.load_state_dict(first.state_dict())
    assert len({p.item() for p in whole[1::2]}) > 3
    assert all(map(torch.equal, whole, head + train(second, range(10, 20))))


def test_several_processes_count_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = ADA(interval=1, images=1000), ADA(interval=1, images=1000)
    update(one, logits(9, 10).repeat(2))
    monkeypatch.setattr(processes, "world_size", lambda: 2)  # the other process has equal counts
    update(two, logits(9, 10))
    assert torch.equal(one.p, two.p)
    assert two.p.item() == pytest.approx(0.02)


def buffers_after_each_update(share: int, of: int) -> list[Tensor]:
    """Return the buffers after each discriminator update of one of ``of`` processes."""
    augment, seen = ADA(0.1, interval=3, images=500), []
    for turn in range(12):
        every = torch.randn(16, generator=torch.Generator().manual_seed(turn)) + 0.8
        update(augment, every.chunk(of)[share])
        seen += [b.clone() for b in (augment.p, augment.tally, augment.turns)]
    return seen


def work(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2
    )
    torch.save(buffers_after_each_update(rank, 2), folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_two_processes_equal_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(rank, tmp_path)) for rank in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    expected = buffers_after_each_update(0, 1)
    assert len({p.item() for p in expected[::3]}) > 2
    for rank in (0, 1):
        assert all(map(torch.equal, torch.load(tmp_path / f"{rank}.pt"), expected))


# Illegal arguments


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"p": 2.0}, r"augment\.p=2\.0: give a probability"),
        ({"p": -0.1}, r"augment\.p=-0\.1: give a probability"),
        ({"p": float("nan")}, r"augment\.p=nan: give a probability"),
        ({"target": 1.0}, r"augment\.target=1\.0: give a number between -1 and 1"),
        ({"interval": 0}, r"augment\.interval=0: give a number from 1"),
        ({"images": 0}, r"augment\.images=0: give a number from 1"),
        ({"schedule": Constant()}, r"augment\.target=0\.6 .* augment\.target=null"),
        *(({kind: -1.0}, rf"augment\.{kind}=-1\.0: give a multiplier") for kind in KINDS),
    ],
)
def test_illegal_arguments_are_refused(arguments: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line):
        ADA(**arguments)
