"""The part of one process among several, and the branches of GPUs, on a single CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from gan import processes
from gan.algorithms import sampling
from gan.algorithms.gan import GAN
from gan.algorithms.pool import ImagePool
from gan.algorithms.ssgan import rotations
from gan.errors import InputError
from gan.latents import keyed_seed
from gan.layers.minibatch import MinibatchDiscrimination
from gan.layers.state import restoring
from gan.layers.weight_norm import initialize_from_data, weight_norm
from tests.algorithms.test_two_player import convolutional, images, plain
from tests.play import play

GPU = torch.device("cuda", 1)


def in_process(game: GAN, rank: int, world_size: int) -> GAN:
    """Return the game as that of one of several processes."""
    trainer: Any = SimpleNamespace(world_size=world_size, global_rank=rank)
    trainer.strategy = SimpleNamespace(root_device=torch.device("cpu"))
    game._trainer = trainer
    return game


@pytest.mark.parametrize("turn", [0, 1, 3])
def test_each_process_takes_its_share_of_one_draw(turn: int) -> None:
    shares = []
    for rank in range(3):
        game = in_process(plain(seed=5), rank, 3)
        game.clock.step = 7
        shares.append(game.make_batch((images(rank), None), turn))
    whole = in_process(plain(seed=5), 0, 1)
    whole.clock.step = 7
    every = whole.make_batch((torch.cat([images(rank) for rank in range(3)]), None), turn)
    for name in ("real", "z", "epsilon"):
        parts = [getattr(share, name) for share in shares]
        assert torch.equal(torch.cat(parts), getattr(every, name)), name


@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("stored", [0, 1, 2])
def test_random_states_at_the_start_of_training(
    rank: int, stored: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the checkpoint; a process that it does not know has a seed, the first goes on."""
    sent: list[Tensor] = []
    monkeypatch.setattr(processes, "broadcast", sent.extend)
    game = in_process(plain(seed=4), rank, 3)
    game.clock.step = 6
    states = []
    for seed in range(stored):
        torch.manual_seed(seed)
        states.append([torch.get_rng_state()])
    game._random = states
    torch.manual_seed(99)
    game.on_train_start()
    drawn = torch.rand(3)
    torch.manual_seed(rank if rank < stored else keyed_seed(4, 6, rank) if rank else 99)
    assert torch.equal(drawn, torch.rand(3))
    assert len(sent) == len([*game.parameters(), *game.buffers()])


def test_a_gpu_s_random_state_is_stored_and_set(monkeypatch: pytest.MonkeyPatch) -> None:
    game, calls = plain(), list[Any]()
    monkeypatch.setattr(type(game), "device", GPU)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: (device, torch.arange(3))[1])
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda *given: calls.append(given))
    checkpoint: dict[str, Any] = {}
    torch.manual_seed(3)
    game.on_save_checkpoint(checkpoint)
    ((cpu, gpu),) = checkpoint["random"]
    torch.manual_seed(8)
    game._set_random_state([cpu])  # of a run on a CPU
    assert not calls
    game._set_random_state([cpu, gpu])
    ((state, device),) = calls
    assert torch.equal(state, torch.arange(3))
    assert device == GPU
    drawn = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(2))

    def refuse(*_: Any) -> None:
        raise RuntimeError("no such state")

    monkeypatch.setattr(torch.cuda, "set_rng_state", refuse)
    with pytest.raises(InputError, match="holds no random state of a GPU"):
        game._set_random_state([cpu, gpu])


def test_a_cpu_s_game_leaves_gpus_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError

    for name in ("get_rng_state", "set_rng_state"):
        monkeypatch.setattr(torch.cuda, name, refuse)
    game, checkpoint = plain(), dict[str, Any]()
    game.on_save_checkpoint(checkpoint)
    ((state,),) = checkpoint["random"]
    game._set_random_state([state, state])


@pytest.mark.parametrize("device", [torch.device("cpu"), GPU])
def test_random_states_are_kept_of_the_gpu_in_use(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked: list[list[torch.device]] = []

    @contextmanager
    def fork(devices: list[torch.device]) -> Iterator[None]:
        forked.append(devices)
        yield

    game = convolutional()
    monkeypatch.setattr(torch.random, "fork_rng", fork)
    monkeypatch.setattr(sampling, "_generate", lambda *_: None)
    monkeypatch.setattr(type(game), "device", device)
    with restoring([], device):
        pass
    sampling.set_standing_statistics(game, 1)
    assert forked == [[GPU] if device == GPU else []] * 2


@pytest.mark.parametrize("rank", [0, 1])
def test_a_pool_holds_the_images_of_all_processes(
    rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = torch.arange(80.0).view(20, 4, 1, 1, 1)
    one, shared = ImagePool(5, 1, 1), ImagePool(5, 1, 1)
    monkeypatch.setattr(processes, "rank", lambda: rank)
    for batch in every:
        monkeypatch.setattr(processes, "concatenate", lambda own, batch=batch: batch)
        own = slice(2 * rank, 2 * rank + 2)
        found = shared(batch[own])
        with monkeypatch.context() as patch:
            patch.setattr(processes, "rank", lambda: 0)
            assert torch.equal(found, one(batch)[own])
    assert torch.equal(one.images, shared.images)
    assert int(shared.seen) == 80


@pytest.mark.parametrize("training", [True, False])
def test_images_of_all_processes_are_compared_in_training(
    training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    layer, h = MinibatchDiscrimination(6, kernels=4, dim=3).train(training), torch.randn(8, 6)
    alone, whole = layer(h[:4]), layer(h)[:4]
    maps = layer.transform(h).unflatten(1, (4, -1))
    monkeypatch.setattr(processes, "gather", lambda own: maps)
    torch.testing.assert_close(layer(h[:4]), whole if training else alone)
    assert not torch.allclose(whole, alone)


def test_weights_are_initialised_from_the_images_of_all_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    x = torch.randn(8, 5) * 3 + 1
    layers = [weight_norm(torch.nn.Linear(5, 3), std=0.5) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    initialize_from_data(layers[0], x)
    raw = x @ layers[1].weight.T  # type: ignore[operator]
    means = iter([raw.mean(0), raw.var(0, correction=0)])
    monkeypatch.setattr(processes, "mean", lambda own: next(means).detach())
    initialize_from_data(layers[1], x[:4])
    torch.testing.assert_close(layers[0](x), layers[1](x))
    torch.testing.assert_close(layers[0](x).std(0, correction=0), torch.full((3,), 0.5))


def test_gradients_are_averaged_before_each_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a mean over processes of 0, plain SGD moves nothing."""

    def cancel(tensors: list[Tensor]) -> None:
        for tensor in tensors:
            tensor.zero_()

    game = plain(partial(torch.optim.SGD, lr=0.1), n_critic=2)
    before = [weight.clone() for weight in game.parameters()]
    monkeypatch.setattr(processes, "average", cancel)
    play(game, images, steps=1)
    assert all(map(torch.equal, before, game.parameters()))


def test_labels_of_rotations_are_on_the_device_of_the_images() -> None:
    images, labels = rotations(torch.zeros(4, 1, 4, 4, device="meta"))
    assert images.device.type == labels.device.type == "meta"
