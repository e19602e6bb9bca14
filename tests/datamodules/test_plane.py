import math
from typing import Any

import pytest
import torch

from datamodules.errors import DataError
from datamodules.plane import Grid, Mixture, Ring

KINDS = [(Ring, 8), (Grid, 25)]


def build(kind: type[Mixture], modes: int, **changes: Any) -> Mixture:
    facts = {"channels": 2, "resolution": 1, "num_classes": modes, "batch_size": 8}
    return kind(**(facts | {"train_size": 4000, "test_size": 500} | changes))


@pytest.mark.parametrize(("kind", "modes"), KINDS)
def test_points_are_normal_around_the_centre_of_their_label(
    kind: type[Mixture], modes: int
) -> None:
    module = build(kind, modes, train_size=modes * 1000)
    points, labels = next(module.reals("train", modes * 1000))
    assert labels is not None
    assert points.shape == (modes * 1000, 2, 1, 1)
    assert labels.bincount().tolist() == [1000] * modes
    offsets = (points.flatten(1) - module.centres[labels]) / module.std
    assert offsets.mean(0).abs().max().item() < 0.05
    assert offsets.T.cov().sub(torch.eye(2)).abs().max().item() < 0.05
    assert points.abs().max().item() < 1


def test_the_ring_has_equal_gaps_on_a_circle() -> None:
    centres = build(Ring, 8).centres
    assert centres[2].tolist() == pytest.approx([0, 0.8], abs=1e-6)
    assert centres.norm(dim=1).tolist() == pytest.approx([0.8] * 8)
    gaps = centres.sub(centres.roll(1, 0)).norm(dim=1)
    assert gaps.tolist() == pytest.approx([1.6 * math.sin(math.pi / 8)] * 8)


def test_the_grid_has_five_columns_and_rows() -> None:
    centres = build(Grid, 25).centres
    assert centres[5 * 1 + 4].tolist() == pytest.approx([-0.4, 0.8])
    assert len({tuple(c) for c in centres.tolist()}) == 25
    assert torch.pdist(centres).min().item() == pytest.approx(0.4)


def test_points_keep_float32_precision() -> None:
    module = build(Ring, 8, steps=1, batch_size=8)
    stored = module.split("train").images(torch.arange(4000))
    assert stored.dtype == torch.float32
    assert len(set(map(tuple, stored.flatten(1).tolist()))) == 4000
    assert torch.cat([x for x, _ in module.reals("train", 700)]).equal(stored)
    drawn, labels = module.batch("train", torch.tensor([9, 2]))
    assert drawn.equal(stored[[9, 2]])
    assert labels is not None
    assert labels.tolist() == [1, 2]
    ((images, y),) = next(iter(module.train_dataloader()))
    assert y is not None
    assert images.dtype == torch.float32
    assert (stored == images[:, None]).flatten(2).all(2).any(1).all()


def test_flipping_one_pixel_changes_nothing() -> None:
    plain, flipped = (build(Ring, 8, steps=3, flip=flip) for flip in (False, True))
    for (step,), (other,) in zip(plain.train_dataloader(), flipped.train_dataloader(), strict=True):
        assert step[0].equal(other[0])


def test_points_depend_on_content_seed_only() -> None:
    module = build(Grid, 25)
    assert build(Grid, 25, seed=5).fingerprint("train") == module.fingerprint("train")
    assert build(Grid, 25, content_seed=5).fingerprint("train") != module.fingerprint("train")
    assert build(Grid, 25, std=0.02).fingerprint("train") != module.fingerprint("train")
    first = torch.arange(500)
    shorter = build(Grid, 25, train_size=500).split("train").images(first)
    assert shorter.equal(module.split("train").images(first))
    assert not shorter.equal(module.split("test").images(first))


def test_points_out_of_range_are_on_the_border() -> None:
    points = build(Ring, 8, std=2.0).split("train").images(torch.arange(4000))
    assert points.abs().max().item() == 1


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan")])
def test_std_must_be_positive(std: float) -> None:
    with pytest.raises(DataError, match=r"data\.std=.*: must be above 0"):
        build(Ring, 8, std=std)
