"""Layers compared with independent formulas."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, relu
from torch.nn.utils.parametrizations import spectral_norm

from gan.algorithms.player import frozen
from gan.layers.attention import SelfAttention
from gan.layers.conditional_norm import (
    ClassConditionalBatchNorm,
    CodeConditionalBatchNorm,
    UnconditionalBatchNorm,
)
from gan.layers.residual import DownBlock, UpBlock
from gan.layers.spectral import apply_spectral_norm, has_spectral_norm


def randomize(module: nn.Module) -> nn.Module:
    """Set every parameter to random values."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.double()


def conv1x1(conv: nn.Module, x: Tensor) -> Tensor:
    """Return a 1x1 convolution of one image (C, H, W)."""
    assert isinstance(conv, nn.Conv2d)
    return torch.einsum("oc,chw->ohw", conv.weight[:, :, 0, 0], x)


def attention_by_loop(layer: SelfAttention, x: Tensor) -> Tensor:
    """Return the attention of one image, computed position by position."""
    _, height, width = x.shape
    query, key, value = (conv1x1(part, x) for part in (layer.query, layer.key, layer.value))
    places = [(i, j) for i in range(0, height, 2) for j in range(0, width, 2)]
    keys = [key[:, i : i + 2, j : j + 2].amax((1, 2)) for i, j in places]
    values = torch.stack([value[:, i : i + 2, j : j + 2].amax((1, 2)) for i, j in places])
    mixed = torch.zeros_like(value)
    for i in range(height):
        for j in range(width):
            scores = torch.stack([(query[:, i, j] @ k).exp() for k in keys])
            mixed[:, i, j] = (scores[:, None] * values).sum(0) / scores.sum()
    return x + layer.gamma * conv1x1(layer.out, mixed)


def test_attention_equals_its_definition() -> None:
    layer = randomize(SelfAttention(16))
    assert isinstance(layer, SelfAttention)
    x = 0.3 * torch.randn(2, 16, 4, 6, dtype=torch.float64)
    expected = torch.stack([attention_by_loop(layer, image) for image in x])
    assert torch.allclose(layer(x), expected, rtol=1e-9)


def test_attention_is_the_identity_at_initialisation() -> None:
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(SelfAttention(8)(x), x)


def test_spectral_norm_divides_by_the_largest_singular_value() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 5), nn.Embedding(4, 6))
    raw = {k: v.clone() for k, v in network.state_dict().items()}
    apply_spectral_norm(network)
    for _ in range(50):
        for module in network:
            _ = getattr(module, "weight", None)  # one power iteration per forward pass in training
    network.eval()
    for name, module in network.named_children():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            matrix = raw[f"{name}.weight"].flatten(1)
            largest = torch.linalg.svdvals(matrix)[0]
            assert torch.allclose(module.weight.flatten(1), matrix / largest, atol=1e-5)


def test_a_frozen_network_does_not_update_singular_values() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 40), nn.Linear(40, 30))
    apply_spectral_norm(network)
    before = copy.deepcopy(network.state_dict())
    with frozen(network):
        network(torch.randn(2, 4))
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    network(torch.randn(2, 4))
    assert not all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def normalised(x: Tensor) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    return (x - mean) / (x.var((0, 2, 3), keepdim=True, correction=0) + 1e-5).sqrt()


def test_class_conditional_norm_equals_its_formula() -> None:
    layer = randomize(ClassConditionalBatchNorm(3, 4))
    assert isinstance(layer, ClassConditionalBatchNorm)
    x, y = torch.randn(5, 3, 2, 2, dtype=torch.float64), torch.tensor([0, 3, 1, 1, 2])
    expected = torch.stack(
        [
            image * layer.gain[label].view(3, 1, 1) + layer.bias[label].view(3, 1, 1)
            for image, label in zip(normalised(x), y, strict=True)
        ]
    )
    assert torch.allclose(layer(x, y), expected)
    with pytest.raises(ValueError, match="labels"):
        layer(x)


def test_class_conditional_norm_is_batch_norm_at_initialisation() -> None:
    x = torch.randn(6, 3, 2, 2)
    assert torch.allclose(
        ClassConditionalBatchNorm(3, 4)(x, torch.arange(6) % 4), UnconditionalBatchNorm(3)(x)
    )


def test_code_conditional_norm_is_linear_in_the_code() -> None:
    layer = randomize(CodeConditionalBatchNorm(3, 4))
    assert isinstance(layer, CodeConditionalBatchNorm)
    x, code = torch.randn(5, 3, 2, 2).double(), torch.randn(5, 4).double()
    gain = 1 + torch.einsum("oc,bc->bo", layer.gain.weight, code)
    bias = torch.einsum("oc,bc->bo", layer.bias.weight, code)
    expected = normalised(x) * gain[..., None, None] + bias[..., None, None]
    assert torch.allclose(layer(x, code), expected)


def convolved(conv: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(conv, nn.Conv2d)
    return conv2d(x, conv.weight, conv.bias, padding=conv.kernel_size[0] // 2)


def scaled(norm: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(norm, UnconditionalBatchNorm)
    weight, bias = norm.norm.weight.view(1, -1, 1, 1), norm.norm.bias.view(1, -1, 1, 1)
    return normalised(x) * weight + bias


def test_up_block_equals_its_layers() -> None:
    block = randomize(UpBlock(3, 5, UnconditionalBatchNorm))
    assert isinstance(block, UpBlock)
    x = torch.randn(4, 3, 4, 4).double()
    h = interpolate(relu(scaled(block.norms[0], x)), scale_factor=2)
    h = relu(scaled(block.norms[1], convolved(block.branch[0], h)))
    skip = convolved(block.skip, interpolate(x, scale_factor=2))
    assert torch.allclose(block(x), convolved(block.branch[1], h) + skip, rtol=1e-8)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("down", [True, False])
def test_down_block_equals_its_layers(first: bool, down: bool) -> None:
    block = randomize(DownBlock(3, 5, down, first=first))
    assert isinstance(block, DownBlock)
    x = torch.randn(4, 3, 4, 4).double()
    widen, refine = (m for m in block.branch if isinstance(m, nn.Conv2d))
    h = convolved(widen, x if first else relu(x))
    h = convolved(refine, relu(h)) + convolved(block.skip, x)
    assert torch.allclose(block(x), avg_pool2d(h, 2) if down else h, rtol=1e-8)


def test_a_block_without_downsampling_has_an_identity_skip() -> None:
    block = DownBlock(4, 4, down=False)
    assert isinstance(block.skip, nn.Identity)


def test_one_layer_with_spectral_norm_is_enough() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    assert not has_spectral_norm(network)
    assert has_spectral_norm(network.append(spectral_norm(nn.Linear(2, 2))))
