"""StyleGAN2 and R3GAN against formulas of their papers, a layer at a time."""

import math
from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, linear

from gan.conditioning.base import Unconditional
from gan.layers.filtering import Downsample, Upsample
from gan.networks.r3gan import Bottleneck, R3GANDiscriminator, R3GANGenerator
from gan.networks.stylegan2 import StyledLayer, StyleGAN2Generator, ToImage
from tests.golden import formula

SIDE, DIM, COUNT = 16, 5, 2


def modulated(layer: nn.Module, x: Tensor, w: Tensor, demodulate: bool) -> Tensor:
    """Karras et al., 2020a, eqs. 1 and 3, with weights of its own for each image."""
    weight, style = layer.weight, layer.style
    assert isinstance(weight, Tensor)
    images = []
    for maps, s in zip(x, linear(w, style.weight / math.sqrt(DIM), style.bias), strict=True):  # type: ignore[union-attr, arg-type, operator]
        own = weight / math.sqrt(weight[0].numel()) * s[:, None, None]
        if demodulate:
            own = own / (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if layer.upsample is None:
            images.append(conv2d(maps[None], own, padding=own.shape[2] // 2))
        else:
            images.append(Upsample().double().upsample_conv2d(maps[None], own))
    return torch.cat(images)


def styled(layer: nn.Module, x: Tensor, w: Tensor) -> Tensor:
    assert isinstance(layer, StyledLayer)
    maps = modulated(layer.convolution, x, w, demodulate=True)
    maps = maps + layer.noise.strength * layer.noise.constant + layer.bias
    return leaky_relu(maps, 0.2) * math.sqrt(2)


def shown(layer: nn.Module, x: Tensor, w: Tensor) -> Tensor:
    assert isinstance(layer, ToImage)
    return modulated(layer.convolution, x, w, demodulate=False) + layer.bias


@pytest.mark.parametrize("skip", [True, False])
def test_stylegan2_generator_with_a_style_for_each_layer(skip: bool) -> None:
    """The styles of 16 pixels: 0, image 1; 1, 2, image 3; 3, 4, image 5."""
    network = StyleGAN2Generator(
        3, 2, SIDE, Unconditional(), DIM, depth=1, capacity=64, most=6, skip=skip
    )
    formula.fill(network.double().eval())
    styles = formula.waves((COUNT, 6, DIM))
    x = styled(network.first, network.constant.expand(COUNT, -1, -1, -1), styles[:, 0])
    images = shown(network.to_image[0], x, styles[:, 1]) if skip else None
    for stage in (1, 2):
        first, second, image = styles[:, 2 * stage - 1 : 2 * stage + 2].unbind(1)
        x = styled(network.rise[stage - 1], x, first)
        x = styled(network.keep[stage - 1], x, second)
        if images is not None:
            images = Upsample().double()(images) + shown(network.to_image[stage], x, image)
    expected = shown(network.to_image[0], x, styles[:, 5]) if images is None else images
    assert torch.allclose(network.compute_images(styles), expected, atol=1e-10)


WIDTHS, GROUP, DEPTH = (12, 8, 8), 4, 2  # at 4, 8 and 16 pixels
RESNEXT = {"width": WIDTHS, "group_size": GROUP, "depth": DEPTH}


def convolved(layers: Iterator[nn.Module], x: Tensor) -> Tensor:
    """Return what the next layer, a convolution of single pixels, makes of maps."""
    layer = next(layers)
    assert isinstance(layer, nn.Conv2d)
    return torch.einsum("oi,bihw->bohw", layer.weight[:, :, 0, 0], x)


def resampled(layers: Iterator[nn.Module], kind: type[nn.Module], x: Tensor) -> Tensor:
    """Return what the next layer, which resamples, makes of maps."""
    layer = next(layers)
    assert isinstance(layer, kind)
    maps: Tensor = layer(x)
    return maps


def deepened(layers: Iterator[nn.Module], x: Tensor) -> Tensor:
    """Return what the next residual blocks, those of one resolution, make of maps."""
    for _ in range(DEPTH):
        block = next(layers)
        assert isinstance(block, Bottleneck)
        weights = [block.get_parameter(f"layers.{k}.weight") for k in (0, 2, 4)]
        biases = [block.get_parameter(f"layers.{k}.bias") for k in (1, 3)]
        h = leaky_relu(conv2d(x, weights[0]) + biases[0], 0.2)
        parts = zip(torch.split(h, GROUP, 1), torch.split(weights[1], GROUP), strict=True)
        h = torch.cat([conv2d(maps, weight, padding=1) for maps, weight in parts], 1)
        x = x + conv2d(leaky_relu(h + biases[1], 0.2), weights[2])
    return x


def test_r3gan_generator() -> None:
    network = R3GANGenerator(DIM, 2, SIDE, Unconditional(), (1.0, 3.0, 3.0, 1.0), **RESNEXT)  # type: ignore[arg-type]
    formula.fill(network.double())
    z, layers = formula.waves((COUNT, DIM)), iter(network.layers)
    weights = z @ network.weigh.weight.T
    x = deepened(layers, torch.einsum("bc,chw->bchw", weights, network.basis))
    for before, after in pairwise(WIDTHS):
        x = x if before == after else convolved(layers, x)
        x = deepened(layers, resampled(layers, Upsample, x))
    assert torch.allclose(network(z), convolved(layers, x), atol=1e-10)
    assert torch.allclose(network.eval()(z), network.train()(z).clamp(-1, 1))
    assert not [*layers]


def test_r3gan_discriminator() -> None:
    network = R3GANDiscriminator(2, SIDE, Unconditional(), (1.0, 3.0, 3.0, 1.0), **RESNEXT)  # type: ignore[arg-type]
    formula.fill(network.double())
    images, layers = formula.waves((COUNT, 2, SIDE, SIDE)), iter(network.layers)
    x = deepened(layers, convolved(layers, images))
    for before, after in zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True):
        x = resampled(layers, Downsample, x)
        x = deepened(layers, x if before == after else convolved(layers, x))
    last = next(layers)
    assert isinstance(last, nn.Conv2d)
    expected = (x * last.weight[:, 0]).sum((2, 3))  # of each channel
    assert torch.allclose(network.body(images), expected, atol=1e-10)
    assert torch.allclose(network(images), expected @ network.head.linear.weight[0], atol=1e-10)
