from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from datamodules.split import Subset, TensorSplit, cut, few_of_each_class, resize, row_slices


def test_images_are_in_the_order_of_the_indices() -> None:
    images = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1)
    split = TensorSplit(images, torch.arange(5) * 10)
    stored, labels = split.fetch(torch.tensor([3, 0, 3]))
    assert stored.flatten().tolist() == [3, 0, 3]
    assert labels is not None
    assert labels.tolist() == [30, 0, 30]


def test_the_fingerprint_depends_on_images_labels_and_shape() -> None:
    images = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    changed = images.clone()
    changed[3, 0, 1, 1] = 1
    labels = torch.tensor([0, 1, 0, 1])
    prints = [
        TensorSplit(images, labels).fingerprint(),
        TensorSplit(changed, labels).fingerprint(),
        TensorSplit(images, 1 - labels).fingerprint(),
        TensorSplit(images).fingerprint(),
        TensorSplit(images.view(1, 1, 4, 4)).fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    assert TensorSplit(images.clone(), labels.clone()).fingerprint() == prints[0]


def test_resizing_is_antialiased_and_rounded() -> None:
    images = torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8)
    exact = F.interpolate(images.float(), size=(4, 4), mode="bilinear", antialias=True)
    assert resize(images, 4).float().sub(exact).abs().max().item() <= 0.5
    assert resize(images, 8).equal(images)


@pytest.mark.parametrize(("total", "lengths"), [(0, []), (4, [4]), (9, [4, 4, 1])])
def test_slices_cover_the_rows(total: int, lengths: list[int]) -> None:
    rows = torch.arange(total)
    parts = [rows[part] for part in row_slices(total, 4)]
    assert [len(part) for part in parts] == lengths
    assert torch.cat([rows[:0], *parts]).equal(rows)


def test_a_validation_split_is_cut_within_each_class() -> None:
    labels = torch.arange(100) % 4
    whole = TensorSplit(torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1), labels)
    kept, gone = cut(whole, 0.2)
    assert sorted([*kept.indices.tolist(), *gone.indices.tolist()]) == list(range(100))
    assert gone.labels is not None
    assert torch.bincount(gone.labels).tolist() == [5] * 4
    assert cut(whole, 0.2)[1].indices.equal(gone.indices)
    position = torch.tensor([3, 0])
    assert gone.images(position).flatten().tolist() == gone.indices[position].tolist()
    ((images, held),) = gone.stream([position])
    assert images.flatten().tolist() == gone.indices[position].tolist()
    assert held is not None
    assert held.equal(gone.labels[position])
    assert kept.num_classes == gone.num_classes == 4
    assert len({kept.fingerprint(), gone.fingerprint(), whole.fingerprint()}) == 3
    assert kept.fingerprint() != cut(whole, 0.1)[0].fingerprint()


@pytest.mark.parametrize(
    "draw",
    [lambda whole: cut(whole, 0.25)[1], lambda whole: few_of_each_class(whole, 100, seed=0)],
    ids=["validation", "labelled"],
)
def test_images_are_drawn_from_all_of_a_class(draw: Callable[[TensorSplit], Subset]) -> None:
    """Files are often stored by what they show: the first of a class are alike."""
    labels = torch.arange(2).repeat_interleave(400)
    chosen = draw(TensorSplit(torch.zeros(800, 1, 1, 1, dtype=torch.uint8), labels)).indices
    one, other = (chosen[labels[chosen] == label] - 400 * label for label in (0, 1))
    assert len(one) == len(other) == 100
    for places in (one, other):
        expected, deviation = 199.5, 400 / (12 * 100) ** 0.5
        assert places.float().mean().item() == pytest.approx(expected, abs=4 * deviation)
    assert set(one.tolist()) != set(other.tolist())
