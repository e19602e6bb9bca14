import pytest
import torch

from gan.metrics.plane import plane
from gan.metrics.probes import accuracies, linear_probe, nearest_neighbour


def clusters(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return vectors (3 count, 4) around three points that are far apart, and their labels."""
    centres = 10 * torch.eye(4)[:3]
    labels = torch.arange(3).repeat(count)
    noise = torch.randn(3 * count, 4, generator=torch.Generator().manual_seed(seed))
    return centres[labels] + noise, labels


def test_separable_vectors() -> None:
    values = accuracies(*clusters(20, 0), *clusters(10, 1))
    assert values == {"linear_probe": 1.0, "nearest_neighbour": 1.0}
    train, labels = clusters(20, 0)
    wrong = (train, labels, train, (labels + 1) % 3)
    assert accuracies(*wrong) == {"linear_probe": 0.0, "nearest_neighbour": 0.0}


def test_a_linear_probe_does_not_depend_on_the_scale_of_a_number() -> None:
    (train, labels), (test, expected) = clusters(20, 0), clusters(10, 1)
    noisy = [
        v + 8 * torch.randn(v.shape, generator=torch.Generator().manual_seed(9))
        for v in (train, test)
    ]
    scale = torch.tensor([1e-6, 1.0, 1e6, 3.0])
    plain = linear_probe(noisy[0], labels, noisy[1], expected)
    assert 0.3 < plain < 1
    assert linear_probe(noisy[0] * scale, labels, noisy[1] * scale, expected) == plain
    constant = torch.cat([train, torch.ones(len(train), 1)], 1)
    assert linear_probe(constant, labels, constant, labels) == 1.0


def test_the_nearest_neighbour_is_that_of_all_distances() -> None:
    random = torch.Generator().manual_seed(0)
    train, test = (torch.randn(n, 5, generator=random) for n in (300, 1100))
    labels, expected = (torch.randint(4, (n,), generator=random) for n in (300, 1100))
    right = 0
    for vector, label in zip(test, expected, strict=True):
        right += int(labels[(train - vector).square().sum(1).argmin()] == label)
    found = nearest_neighbour(train, labels, test, expected)
    assert found == pytest.approx(right / 1100)


def test_a_map_keeps_neighbours_and_is_that_of_its_seed() -> None:
    vectors, labels = clusters(8, 0)
    points = plane(vectors, seed=1)
    assert points.shape == (24, 2)
    assert points.abs().max() == pytest.approx(1.0)
    others = torch.cdist(points, points) + 10 * torch.eye(24)
    assert torch.equal(labels[others.argmin(1)], labels)
    assert torch.equal(plane(vectors, seed=1), points)


@pytest.mark.parametrize("dim", [1, 2])
def test_a_map_of_few_short_vectors(dim: int) -> None:
    assert plane(torch.randn(5, dim)).isfinite().all()
