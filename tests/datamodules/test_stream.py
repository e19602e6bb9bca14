import pytest
import torch

from datamodules.stream import FLIP_ROWS, IndexStream, keyed_generator


def batches(stream: IndexStream, batches: int) -> torch.Tensor:
    return torch.cat([stream.batch(k) for k in range(batches)])


def test_sequences_of_different_numbers_differ() -> None:
    first, second = (IndexStream(64, 64, seed=3, number=number) for number in (0, 1))
    assert first.batch(0).equal(IndexStream(64, 64, seed=3).batch(0))
    assert not first.batch(0).equal(second.batch(0))
    assert not first.flips(0).equal(second.flips(0))


def test_every_image_occurs_once_per_epoch() -> None:
    positions = batches(IndexStream(50, 8, seed=3), 25)
    for epoch in positions.view(4, 50):
        assert epoch.sort().values.tolist() == list(range(50))


def test_a_batch_does_not_depend_on_earlier_calls() -> None:
    forwards, backwards = IndexStream(50, 8, seed=3), IndexStream(50, 8, seed=3)
    expected = [forwards.batch(k).tolist() for k in range(25)]
    assert [backwards.batch(k).tolist() for k in reversed(range(25))] == expected[::-1]


@pytest.mark.parametrize("k", [0, 1, 2])
def test_any_epoch_may_be_the_first_that_is_read(k: int) -> None:
    stream = IndexStream(7, 7, seed=3)
    in_order = [stream.batch(number) for number in range(3)][k]
    assert IndexStream(7, 7, seed=3).batch(k).equal(in_order)
    flips = [stream.flips(block * FLIP_ROWS) for block in range(3)][k]
    assert IndexStream(7, 7, seed=3).flips(k * FLIP_ROWS).equal(flips)


def test_the_order_of_an_epoch_does_not_depend_on_the_batch_size() -> None:
    assert batches(IndexStream(50, 8, seed=3), 25).equal(batches(IndexStream(50, 25, seed=3), 8))


@pytest.mark.parametrize("size", [1, 8])
def test_a_batch_can_be_the_whole_set(size: int) -> None:
    assert IndexStream(size, size, seed=0).batch(5).sort().values.tolist() == list(range(size))


def test_seeds_and_epochs_have_different_orders() -> None:
    stream = IndexStream(50, 50, seed=3)
    assert not stream.batch(0).equal(stream.batch(1))
    assert not stream.batch(0).equal(IndexStream(50, 50, seed=4).batch(0))


def test_flips_have_probability_half_and_depend_on_seed_and_batch() -> None:
    stream = IndexStream(64, 64, seed=3)
    coins = torch.stack([stream.flips(k) for k in range(600)])
    assert coins.float().mean().item() == pytest.approx(0.5, abs=0.01)
    again = IndexStream(64, 64, seed=3)
    assert all(again.flips(k).equal(coins[k]) for k in (599, 0, 256, 255))
    assert not coins[0].equal(coins[256])
    assert not coins[0].equal(IndexStream(64, 64, seed=4).flips(0))


def test_purposes_have_different_random_numbers() -> None:
    draws = [keyed_generator(3, 0, purpose).random() for purpose in (0, 1)]
    assert draws[0] != draws[1]
