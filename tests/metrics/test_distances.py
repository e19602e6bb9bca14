import pytest
import torch
from torch import Tensor

from gan.metrics.distances import distances, nearest


def draw(count: int, seed: int, width: int = 64) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)).abs() + 3


def naive(x: Tensor, y: Tensor) -> Tensor:
    """Root of the sum of squared differences, pair by pair."""
    return torch.stack([(row.double() - y.double()).square().sum(1).sqrt() for row in x])


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_equal_the_differences_pair_by_pair(chunk: int) -> None:
    x, y = draw(50, 0), draw(40, 1)
    found = torch.cat(list(distances(x, y, chunk)))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), naive(x, y), rtol=1e-6, atol=0)


def test_rows_come_a_chunk_at_a_time() -> None:
    blocks = list(distances(draw(50, 0), draw(40, 1), chunk=20))
    assert [tuple(block.shape) for block in blocks] == [(20, 40), (20, 40), (10, 40)]


def test_a_copy_is_at_zero_and_a_near_copy_is_not() -> None:
    y = draw(200, 2, width=2048)
    noise = 1e-5 * torch.randn(y.shape, generator=torch.Generator().manual_seed(3))
    near = y + noise
    (to_copies, indices), (to_near, _) = nearest(y, y, 1), nearest(near, y, 1)
    assert to_copies.eq(0).all()
    assert indices.flatten().equal(torch.arange(len(y)))
    expected = (near.double() - y.double()).norm(dim=1)
    torch.testing.assert_close(to_near.flatten().double(), expected, rtol=1e-3, atol=0)


def test_the_precision_of_matrix_products_does_not_matter() -> None:
    x, y = draw(30, 4), draw(30, 5)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        found = torch.cat(list(distances(x, y)))
    finally:
        torch.set_float32_matmul_precision(before)
    torch.testing.assert_close(found.double(), naive(x, y), rtol=1e-6, atol=0)


@pytest.mark.parametrize("chunk", [1, 13, 1000])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_nearest_are_the_first_of_all_sorted(k: int, chunk: int) -> None:
    x, y = draw(50, 6), draw(40, 7)
    values, indices = nearest(x, y, k, chunk)
    expected = naive(x, y).sort(1)
    assert indices.equal(expected.indices[:, :k])
    torch.testing.assert_close(values.double(), expected.values[:, :k], rtol=1e-6, atol=0)


@pytest.mark.parametrize("k", [0, 6])
def test_no_more_neighbours_than_points(k: int) -> None:
    with pytest.raises(ValueError, match=f"{k} nearest of 5"):
        nearest(draw(3, 0), draw(5, 1), k)


def test_no_progress_bar_for_short_computations(capsys: pytest.CaptureFixture[str]) -> None:
    nearest(draw(30, 0), draw(30, 1), 2, chunk=1)
    assert capsys.readouterr().err == ""
