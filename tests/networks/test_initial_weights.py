"""Weights at initialisation, and networks on another device, of every class."""

import math
from contextlib import nullcontext
from inspect import signature
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan.conditioning.projection import Projection
from gan.networks.base import Discriminator, Encoder, Generator, Translator
from gan.networks.joint import JointDiscriminator
from gan.networks.r3gan import R3GANDiscriminator, R3GANGenerator
from gan.networks.resnet import ResNetGenerator
from gan.networks.semi_supervised_cnn import DeconvolutionGenerator
from tests.networks.test_networks import KINDS, SMALL

NETWORKS = [
    kind for kind in KINDS if issubclass(kind, Generator | Discriminator | Encoder | Translator)
]
GIVEN = SMALL | {"latent_dim": 6, "channels": 3, "resolution": 32, "classes": 3, "blocks": 1}
LAYERS = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
ORIGINAL = "parametrizations.weight.original"
NORMAL = [  # N(0, 0.02^2), as DCGAN
    *("ALIEncoder", "BiGANGenerator", "BiGANEncoder", "BiGANDiscriminator"),
    *("ResNetTranslator", "DCGANGenerator", "DCGANDiscriminator", "InfoGANGenerator"),
    *("InfoGANDiscriminator", "LeakyMLPGenerator", "BatchNormMLPGenerator"),
    *("LeakyMLPDiscriminator", "PatchDiscriminator", "UNet", "SNDCGANGenerator"),
    *("SNDCGANDiscriminator", "ConvolutionalEncoder"),
]


def build(kind: type[nn.Module], **changes: Any) -> nn.Module:
    """Return a small network for three classes."""
    torch.manual_seed(0)
    taken = signature(kind).parameters
    given = {name: value for name, value in (GIVEN | changes).items() if name in taken}
    if "conditioning" in taken:
        given["conditioning"] = Projection(3)
    for name in {"hidden", "units"} & taken.keys():
        given[name] = 32 if taken[name].annotation is int else (32, 32)
    return kind(**given)


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights of linear maps and convolutions, those under a norm as learned."""
    modules = [(name, m) for name, m in network.named_modules() if isinstance(m, LAYERS)]
    return {
        name: module.get_parameter(ORIGINAL if hasattr(module, "parametrizations") else "weight")
        for name, module in modules
    }


@pytest.mark.parametrize("name", NORMAL)
def test_weights_are_normal_and_biases_zero(name: str) -> None:
    network = build(next(kind for kind in NETWORKS if kind.__name__ == name))
    found = {key: weight for key, weight in weights(network).items() if weight.numel() >= 150}
    assert found
    for key, weight in found.items():
        assert weight.std().item() == pytest.approx(0.02, rel=0.2), key
        assert weight.mean().abs().item() < 0.006, key
        bias: Any = vars(network.get_submodule(key))["_parameters"]["bias"]
        assert bias is None or not bias.any(), key


@pytest.mark.parametrize("kind", [R3GANGenerator, R3GANDiscriminator])
def test_weights_of_r3gan_have_a_variance_by_their_inputs(kind: type[nn.Module]) -> None:
    """N(0, gain^2 / fan-in): in the blocks, Fixup's gain of 8 blocks and 0 in their last layer."""
    fixup = math.sqrt(2 / 1.04) * 8**-0.25
    for key, weight in weights(build(kind, depth=2)).items():
        inner = key.rpartition(".layers.")[2] if key.count("layers") == 2 else ""
        gain = {"": 1.0, "4": 0.0}.get(inner, fixup)
        scaled = weight.std().item() * math.sqrt(weight[0].numel())
        tolerance = 4 / math.sqrt(2 * weight.numel())
        assert scaled == pytest.approx(gain, rel=tolerance), key


def test_residual_branches_have_a_larger_gain_than_other_layers() -> None:
    """Glorot & Bengio, 2010: uniform, 6 gain^2 / (fan-in + fan-out), gain^2 = 2 in a branch."""
    for key, weight in weights(build(ResNetGenerator)).items():
        area = weight[0, 0].numel() if weight.dim() == 4 else 1
        gain = 2 if ".branch." in key else 1
        bound = math.sqrt(6 * gain / (area * (weight.shape[0] + weight.shape[1])))
        assert 0.9 * bound < weight.abs().max().item() <= bound, key


def test_weights_of_a_deconvolution_generator() -> None:
    found = weights(build(DeconvolutionGenerator))
    *plain, last = found
    assert len(plain) >= 2
    for key in plain:
        assert found[key].std().item() == pytest.approx(0.05, rel=0.1), key
    assert "layers" in last


@pytest.mark.parametrize("kind", NETWORKS, ids=lambda kind: kind.__name__)
def test_a_network_computes_on_the_device_of_its_inputs(
    kind: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch refuses a sum with a tensor on another device."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # not of meta
    with torch.device("meta"):
        network: Any = build(kind)
    z, y = torch.zeros(4, 6, device="meta"), torch.zeros(4, device="meta", dtype=torch.int64)
    x = torch.zeros(4, 3, 32, 32, device="meta")
    for training in (True, False):
        network.train(training)
        if isinstance(network, Generator):
            out = network(z, y)
        elif isinstance(network, Encoder):
            out = network.mean(x)
        elif isinstance(network, JointDiscriminator):
            out = network(torch.cat([x.flatten(1), z], 1), y)
        else:
            out = network(x) if isinstance(network, Translator) else network(x, y)
        assert out.device.type == "meta"
