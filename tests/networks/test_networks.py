from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from inspect import isabstract, isclass, signature
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan.conditioning.base import Conditioning, EmbeddedEntry, Unconditional
from gan.conditioning.projection import Projection, ProjectionHead
from gan.layers.maxout import Maxout
from gan.layers.norm import LayerNorm2d
from gan.networks import __file__ as networks
from gan.networks.base import Discriminator, Generator
from gan.networks.biggan import BigGANDiscriminator, BigGANGenerator
from gan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan.networks.mlp import (
    BatchNormMLPGenerator,
    LeakyMLPDiscriminator,
    LeakyMLPGenerator,
    MLPDiscriminator,
    MLPGenerator,
)
from gan.networks.resnet import ResNetDiscriminator
from gan.schedules import Growth

Players = tuple[Generator, Discriminator]
MAKERS: dict[str, Callable[[int, int, Conditioning], Players]] = {
    "dcgan": lambda c, r, y: (DCGANGenerator(6, c, r, y, 2), DCGANDiscriminator(c, r, y, width=2)),
    "mlp": lambda c, r, y: (MLPGenerator(6, c, r, y, (8,)), MLPDiscriminator(c, r, y, (8,), 2)),
    "mlp_leaky": lambda c, r, y: (
        LeakyMLPGenerator(6, c, r, y, (8,)),
        LeakyMLPDiscriminator(c, r, y, (8,)),
    ),
}
NETWORKS = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def labels(conditioning: Conditioning) -> Tensor | None:
    return torch.arange(4) % 3 if conditioning.num_classes else None


@NETWORKS
@pytest.mark.parametrize("resolution", [16, 28, 32, 48, 64])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("conditioning", [Unconditional(), Projection(3)], ids=["plain", "labels"])
def test_shapes_and_range(
    make: Callable[..., Players], resolution: int, channels: int, conditioning: Conditioning
) -> None:
    generator, discriminator = make(channels, resolution, conditioning)
    y = labels(conditioning)
    images = generator(100 * torch.randn(4, 6), y)
    assert images.shape == (4, channels, resolution, resolution)
    assert images.abs().max() <= 1
    assert images.std() > 0
    logits = discriminator(images, y)
    assert logits.shape == (4,)
    assert torch.equal(discriminator.eval()(images, y), discriminator(images, y))
    assert torch.equal(
        discriminator.score(discriminator.features(images), y), discriminator(images, y)
    )
    assert generator.num_classes == discriminator.num_classes == conditioning.num_classes
    assert generator.latent_dim == 6


@NETWORKS
def test_logits_are_not_probabilities(make: Callable[..., Players]) -> None:
    _, discriminator = make(1, 16, Unconditional())
    assert isinstance(discriminator, DCGANDiscriminator | MLPDiscriminator | LeakyMLPDiscriminator)
    nn.init.constant_(discriminator.head.linear.bias, 50.0)
    images = torch.zeros(2, 1, 16, 16)
    assert (discriminator(images) > 1).all()


def test_batch_normalisation_of_tutorials_is_before_each_relu() -> None:
    generator = BatchNormMLPGenerator(3, 1, 4, Unconditional(), (5, 6)).double()
    h = z = torch.randn(7, 3, dtype=torch.float64)
    first, second, last = (m for m in generator.modules() if isinstance(m, nn.Linear))
    for linear in (first, second):
        h = linear(h)
        h = (h - h.mean(0)) / (h.var(0, unbiased=False) + 1e-5).sqrt()
        h = h.clamp(min=0)
    torch.testing.assert_close(generator(z).flatten(1), last(h).tanh())


def test_fully_connected_networks_of_tutorials_have_their_formula() -> None:
    """Two layers a side, each max(h, 0.2 h); weights from N(0, 0.02), biases 0."""
    torch.manual_seed(0)
    generator = LeakyMLPGenerator(100, 1, 28, Unconditional()).double()
    discriminator = LeakyMLPDiscriminator(1, 28, Unconditional()).double()
    for network, first in ((generator, 100), (discriminator, 784)):
        h = x = torch.randn(3, first, dtype=torch.float64)
        linears = [m for m in network.modules() if isinstance(m, nn.Linear)]
        assert [m.out_features for m in linears[:-1]] == [256, 256]
        for linear in linears:
            assert linear.weight.std().item() == pytest.approx(0.02, rel=0.1)
            assert not linear.bias.any()
            nn.init.normal_(linear.bias)
        for linear in linears[:-1]:
            h = h @ linear.weight.T + linear.bias
            h = torch.maximum(h, 0.2 * h)
        h = h @ linears[-1].weight.T + linears[-1].bias
        if network is generator:
            torch.testing.assert_close(network(x).flatten(1), h.tanh())
        else:
            torch.testing.assert_close(network(x.view(3, 1, 28, 28)), h[:, 0])


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_generator_parameter_count() -> None:
    generator = DCGANGenerator(100, 3, 64, Unconditional(), width=64)
    bias = 3  # the tutorial's last layer has none
    assert count(generator) == 3_576_704 + bias


def test_discriminator_parameter_count() -> None:
    discriminator = DCGANDiscriminator(3, 64, Unconditional(), width=64)
    biases = (64 + 128 + 256 + 512) + 1  # four convolutions and the head, none in the tutorial
    assert count(discriminator) == 2_765_568 + biases


def test_weights_are_initialised_as_in_the_paper() -> None:
    torch.manual_seed(0)
    network = DCGANDiscriminator(3, 64, Unconditional(), width=32)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 10_000:
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1, abs=0.02)
            assert module.weight.std() > 0.01


@pytest.mark.parametrize("resolution", [4, 7, 9, 18, 33, 100])
@pytest.mark.parametrize("kind", [partial(DCGANGenerator, 6), DCGANDiscriminator])
def test_dcgan_refuses_other_resolutions(resolution: int, kind: Callable[..., nn.Module]) -> None:
    with pytest.raises(ValueError, match=f"data.resolution={resolution}.*16, 28, 32, 48"):
        kind(channels=3, resolution=resolution, conditioning=Unconditional())


@pytest.mark.parametrize(
    ("resolution", "side", "halvings"),
    [(8, 4, 1), (14, 7, 1), (28, 7, 2), (32, 4, 3), (48, 6, 3), (80, 5, 4), (96, 6, 4)],
)
def test_dcgan_begins_with_maps_of_4_to_7_pixels(resolution: int, side: int, halvings: int) -> None:
    generator = DCGANGenerator(6, 1, resolution, Unconditional(), width=1)
    assert isinstance(generator.layers[1], nn.Unflatten)
    assert generator.layers[1].unflattened_size == (2 ** (halvings - 1), side, side)
    assert generator(torch.randn(2, 6)).shape == (2, 1, resolution, resolution)
    critic = DCGANDiscriminator(1, resolution, Unconditional(), width=1)
    assert critic.body(torch.randn(2, 1, resolution, resolution)).shape == (
        2,
        2 ** (halvings - 1) * side**2,
    )


@pytest.mark.parametrize(
    "norm", [nn.Identity, LayerNorm2d, partial(nn.InstanceNorm2d, affine=True)]
)
def test_without_batch_norm_a_logit_depends_on_its_image_only(
    norm: Callable[[int], nn.Module],
) -> None:
    critic = DCGANDiscriminator(1, 16, Unconditional(), norm, width=4)
    images = torch.randn(3, 1, 16, 16)
    assert torch.allclose(critic(images)[:1], critic(images[:1]), atol=1e-6)
    batch = DCGANDiscriminator(1, 16, Unconditional(), width=4)
    assert not torch.allclose(batch(images)[:1], batch(images[:1]), atol=1e-4)


def test_layer_norm_equals_its_formula() -> None:
    x = torch.randn(2, 3, 4, 4)
    flat = x.flatten(1)
    expected = (flat - flat.mean(1, True)) / (flat.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    assert torch.allclose(LayerNorm2d(3)(x).flatten(1), expected, atol=1e-5)


def test_maxout_equals_its_formula() -> None:
    layer = Maxout(2, units=2, pieces=3)
    weight = torch.tensor([[1.0, 0], [0, 1], [-1, -1], [2, 0], [0, 2], [1, 1]])
    with torch.no_grad():
        layer.linear.weight.copy_(weight)
        layer.linear.bias.copy_(torch.tensor([0.0, 0, 0, 0, 0, 5]))
    x = torch.tensor([[3.0, -2], [-1, -4]])
    assert layer(x).tolist() == [[3.0, 6.0], [5.0, 0.0]]


def test_the_input_has_no_dropout() -> None:
    network = MLPDiscriminator(1, 4, Unconditional(), units=(3,), pieces=2, dropout=0.5)
    kinds = [type(module) for module in network.layers]
    assert kinds == [nn.Flatten, Maxout, nn.Dropout]
    assert isinstance(network.layers[2], nn.Dropout)
    assert network.layers[2].p == 0.5


def test_projection_equals_its_formula() -> None:
    head = ProjectionHead(5, num_classes=3)
    h, y = torch.randn(4, 5), torch.tensor([2, 0, 1, 1])
    v, b, embedding = head.linear.weight[0], head.linear.bias, head.embedding.weight
    expected = torch.stack([(v + embedding[k]) @ row for k, row in zip(y, h, strict=True)]) + b
    assert torch.allclose(head(h, y), expected, atol=1e-6)


def test_label_embeddings_are_small_at_initialisation() -> None:
    torch.manual_seed(0)
    entry, head = Projection(10).entry(100), Projection(10).head(512)
    assert isinstance(entry, EmbeddedEntry)
    assert isinstance(head, ProjectionHead)
    assert entry.embedding.weight.norm(dim=1).mean().item() == pytest.approx(1, rel=0.1)
    assert head.embedding.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_label_embeddings_start_like_the_layers_of_their_network() -> None:
    """Xavier in SNGAN and orthogonal in BigGAN, before spectral normalisation."""
    torch.manual_seed(0)
    y, original = Projection(10), "head.embedding.parametrizations.weight.original"
    xavier = ResNetDiscriminator(3, 8, y).get_parameter(original)
    assert xavier.std().item() == pytest.approx((2 / 138) ** 0.5, rel=0.05)
    assert xavier.abs().max() <= (6 / 138) ** 0.5  # uniform
    for weight in (
        BigGANDiscriminator(3, 8, y, width=16).get_parameter(original),
        BigGANGenerator(9, 3, 8, y, width=16).get_parameter("entry.embedding.weight"),
    ):
        assert torch.allclose(weight @ weight.T, torch.eye(10), atol=1e-5)


@NETWORKS
def test_conditional_networks_depend_on_the_label(make: Callable[..., Players]) -> None:
    torch.manual_seed(0)
    generator, discriminator = (player.eval() for player in make(1, 16, Projection(3)))
    z, one, other = torch.randn(2, 6), torch.tensor([0, 0]), torch.tensor([0, 1])
    a, b = generator(z, one), generator(z, other)
    assert torch.allclose(a[0], b[0])
    assert not torch.equal(a[1], b[1])
    p, q = discriminator(a, one), discriminator(a, other)
    assert torch.allclose(p[0], q[0])
    assert not torch.equal(p[1], q[1])


@NETWORKS
def test_unconditional_networks_ignore_the_label(make: Callable[..., Players]) -> None:
    generator, discriminator = (player.eval() for player in make(1, 16, Unconditional()))
    z, y = torch.randn(2, 6), torch.tensor([0, 1])
    images = generator(z)
    assert torch.equal(images, generator(z, y))
    assert torch.equal(discriminator(images), discriminator(images, y))


@NETWORKS
def test_conditional_networks_need_labels(make: Callable[..., Players]) -> None:
    generator, discriminator = make(1, 16, Projection(3))
    with pytest.raises(ValueError, match="generator needs labels"):
        generator(torch.randn(2, 6))
    with pytest.raises(ValueError, match="discriminator needs labels"):
        discriminator(torch.randn(2, 1, 16, 16))


def test_conditioning_without_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="conditioning=none"):
        Projection(0)


KINDS: list[Any] = [
    kind
    for path in sorted(Path(str(networks)).parent.glob("[!_]*.py"))
    for kind in vars(import_module(f"gan.networks.{path.stem}")).values()
    if isclass(kind) and kind.__module__ == f"gan.networks.{path.stem}" and not isabstract(kind)
]
GENERATORS = [kind for kind in KINDS if issubclass(kind, Generator)]
SMALL: dict[str, Any] = {"width": 16, "style_dim": 8, "depth": 1, "capacity": 256, "most": 8}
SMALL |= {"resample_filter": (1, 2, 1), "growth": Growth(32), "box": True, "epsilon": 1e-8}


@pytest.mark.parametrize("kind", GENERATORS, ids=lambda kind: kind.__name__)
def test_every_generator_makes_images(kind: type[nn.Module]) -> None:
    taken = signature(kind).parameters
    given: dict[str, Any] = {k: v for k, v in SMALL.items() if k in taken}
    if "hidden" in taken:
        given["hidden"] = 8 if taken["hidden"].annotation is int else (8, 8)
    for channels in (1, 3):
        generator: nn.Module = kind(6, channels, 32, Projection(3), **given)
        images = generator(torch.randn(4, 6), torch.arange(4) % 3)
        assert images.shape == (4, channels, 32, 32)
        assert images.std() > 0


LISTS = [
    (kind, name)
    for kind in KINDS
    for name, parameter in signature(kind).parameters.items()
    if name in ("hidden", "units") and parameter.annotation == Sequence[int]
]  # networks with a list of widths, and the name of the list


def test_layers_may_have_unequal_widths() -> None:
    """The k-th layer has the k-th width, and the image or the logits follow the last."""
    assert len(LISTS) >= 6
    for kind, name in LISTS:
        given: dict[str, Any] = {"latent_dim": 6, "channels": 1, "resolution": 4, "classes": 3}
        given |= {"pieces": 1, "conditioning": Unconditional(), name: (9, 7, 5)}
        taken = {k: v for k, v in given.items() if k in signature(kind).parameters}
        network: Any = kind(**taken)
        made = isinstance(network, Generator)
        out = network.eval()(torch.randn(2, 6) if made else torch.randn(2, 1, 4, 4))
        assert out.shape == ((2, 1, 4, 4) if made else (2, *out.shape[1:]))
        rows = [len(weight) for weight in network.state_dict().values() if weight.dim() == 2]
        assert [n for n in rows if n in (9, 7, 5)] == [9, 7, 5], kind
