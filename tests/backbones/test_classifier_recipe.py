"""The recipe of the classifier: its layers, its batches, its steps and its accuracy."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan.backbones import classifier
from gan.backbones.classifier import (
    Batches,
    Classifier,
    Training,
    accuracy,
    random_shift,
)
from tests.metrics.tiny_data import TinySplit, tiny_dataset

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("resolution", "widths", "side"),
    [
        (8, [32, 64, 128], 1),
        (28, [32, 64, 128], 4),
        (32, [32, 64, 128], 4),
        (64, [32, 32, 64, 128], 4),
        (100, [32, 32, 32, 64, 128], 4),
    ],
)
def test_maps_are_halved_to_about_4x4(resolution: int, widths: list[int], side: int) -> None:
    net = Classifier(1, resolution, 5).eval()
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert [conv.out_channels for conv in convolutions] == [*widths, 128, 128]
    assert {conv.kernel_size for conv in convolutions} == {(3, 3)}
    assert all(conv.bias is None for conv in convolutions)
    images = torch.zeros(2, 1, resolution, resolution, dtype=torch.uint8)
    assert net.body(images.float()).shape == (2, 128, side, side)
    assert net(images).shape == (2, 5)


def test_features_are_the_means_of_maps_of_images_in_minus_1_to_1() -> None:
    torch.manual_seed(0)
    net = Classifier(3, 12, 4).eval()
    bytes_ = torch.randint(256, (2, 3, 12, 12)).to(torch.uint8)
    maps = bytes_.float() / 127.5 - 1
    blocks: Any = net.body
    for block in blocks:
        before = maps
        convolution, pooling, norm, _ = block
        maps = nn.functional.conv2d(maps, convolution.weight, padding=1)
        if not isinstance(pooling, nn.Identity):
            maps = nn.functional.max_pool2d(maps, 2, ceil_mode=True)
        maps = (maps - norm.running_mean.view(-1, 1, 1)) / math.sqrt(1 + 1e-5)
        maps = maps.clamp(min=0)
        maps = maps + before if isinstance(block, classifier.Residual) else maps
    assert maps.shape == (2, 128, 2, 2)  # 12, 6, 3, 2: odd sides keep their edge
    torch.testing.assert_close(net.pool(bytes_), maps.mean((2, 3)))
    expected = maps.mean((2, 3)) @ net.head.weight.T + net.head.bias
    torch.testing.assert_close(net(bytes_), expected)


def test_shifts_are_all_those_up_to_an_eighth() -> None:
    image = torch.arange(16 * 16).view(1, 1, 16, 16).to(torch.uint8)
    places = torch.arange(16)
    expected = {}
    for down in range(-2, 3):
        for right in range(-2, 3):
            rows, columns = ((places + move).clamp(0, 15) for move in (down, right))
            moved = image[:, :, rows][..., columns]
            expected[(down, right)] = moved.numpy().tobytes()
    generator, found = torch.Generator().manual_seed(0), set()
    for _ in range(300):
        shifted = random_shift(image, generator)
        assert shifted.dtype == torch.uint8
        assert shifted.shape == image.shape
        found.add(shifted.numpy().tobytes())
    assert found == set(expected.values())


def numbered(count: int) -> TinySplit:
    """Return a split whose image k has the pixels k in its left and k + 100 in its right half."""
    pixels = torch.arange(count).view(-1, 1, 1, 1).repeat(1, 1, 4, 4)
    pixels[..., 2:] += 100
    return TinySplit(pixels.to(torch.uint8), torch.arange(count) % 7)


def batches(flip: bool, size: int = 4) -> Batches:
    """Return batches of half of the images of a split of 12."""
    generator = torch.Generator().manual_seed(0)
    training = Training(batch_size=size, flip=flip)
    return Batches(numbered(12), torch.arange(0, 12, 2), training, generator, CPU)


@pytest.mark.parametrize("size", [4, 6, 8])
def test_each_image_comes_once_a_round_with_its_label(size: int) -> None:
    source, seen, orders = batches(False, size), list[int](), set()
    for _ in range(12):
        images, labels = source.sample()
        assert images.shape == (size, 1, 4, 4)
        numbers = images[:, 0, 0, 0]
        assert torch.equal(labels, numbers.long() % 7)
        seen += numbers.tolist()
    for start in range(0, len(seen), 6):
        assert sorted(seen[start : start + 6]) == [0, 2, 4, 6, 8, 10]
        orders.add(tuple(seen[start : start + 6]))
    assert len(orders) > 3


def test_half_of_the_batches_are_mirrored_if_asked_for() -> None:
    flipped = [bool((batch[:, 0, 0, 0] >= 100).all()) for batch in sampled(batches(True))]
    assert 70 < sum(flipped) < 130
    assert not any((batch[:, 0, 0, 0] >= 100).any() for batch in sampled(batches(False)))


def sampled(source: Batches) -> list[Tensor]:
    """Return the images of 200 batches."""
    return [source.sample()[0] for _ in range(200)]


def steps_by_hand(net: nn.Module, source: Batches, count: int, rate: float) -> list[Tensor]:
    """Train with Nesterov's momentum and one cycle, written out; return which were right."""
    weights, peak = list(net.parameters()), 0.25 * count - 1
    speeds = [torch.zeros_like(weight) for weight in weights]
    right = []
    for step in range(count):
        images, labels = source.sample()
        logits = net(images)
        loss = -logits.log_softmax(1)[torch.arange(len(labels)), labels].mean()
        rising = step <= peak
        share = step / peak if rising else (step - peak) / (count - 1 - peak)
        ends = (rate / 25, rate) if rising else (rate, rate / 25 / 1e4)
        cosine = (1 + math.cos(math.pi * share)) / 2
        now = ends[1] + (ends[0] - ends[1]) * cosine
        momenta = (0.95, 0.85) if rising else (0.85, 0.95)
        momentum = momenta[1] + (momenta[0] - momenta[1]) * cosine
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for weight, speed, slope in zip(weights, speeds, gradients, strict=True):
                total = slope + 5e-4 * weight
                speed.copy_(momentum * speed + total if step else total)
                weight.sub_(now * (total + momentum * speed))
        right.append(logits.argmax(1) == labels)
    return right


def test_a_round_is_sgd_with_nesterov_s_momentum_in_one_cycle() -> None:
    nets, found = [], list[Any]()
    split, training = tiny_dataset().split("train"), Training(batch_size=16, learning_rate=0.02)
    for by_hand in (False, True):
        torch.manual_seed(0)
        net = Classifier(1, 8, 3).double()
        net.pool = lambda x, net=net: net.body(x.double() / 127.5 - 1).mean((2, 3))  # type: ignore[method-assign, misc]
        generator = torch.Generator().manual_seed(1)
        source = Batches(split, torch.arange(200), training, generator, CPU)
        if by_hand:
            right = steps_by_hand(net, source, 24, 0.02)
            found.append(float(torch.stack(right[-2:]).float().mean()))
        else:
            found.append(training._cycle(net, source, 24))
        nets.append(net)
    for ours, theirs in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8)
    assert found[0] == pytest.approx(found[1])
    assert found[0] > 0.5


def test_a_short_round_is_measured_on_its_last_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    net, source = Classifier(1, 8, 3), list[Tensor]()

    class Source:
        def sample(self) -> tuple[Tensor, Tensor]:
            images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
            labels = torch.tensor([0, 0] if len(source) < 4 else [1, 2])
            source.append(images)
            return images, labels

    given: Any = Source()
    monkeypatch.setattr(net, "forward", lambda x: net.head(torch.zeros(2, 128)) * 0 + BIASED)
    assert Training()._cycle(net, given, 5) == 0.5
    assert len(source) == 5


BIASED = torch.tensor([0.0, 1.0, 0.0])


def test_accuracy_is_over_all_images_that_are_asked_for() -> None:
    pixels = torch.zeros(1003, 1, 1, 1, dtype=torch.uint8)
    labels = torch.arange(1003) % 4
    pixels[:, 0, 0, 0] = labels.to(torch.uint8)
    labels = torch.where(torch.arange(1003) >= 900, (labels + 1) % 4, labels)  # wrong there
    net: Any = lambda x: nn.functional.one_hot(x.flatten().long(), 4).float()  # noqa: E731
    split = TinySplit(pixels, labels)
    assert accuracy(net, split, torch.arange(1003), CPU) == 900 / 1003
    assert accuracy(net, split, torch.arange(800, 1003), CPU) == 100 / 203
