import math

import pytest
import torch
from torch import nn

from gan.conditioning.base import EmbeddedEntry
from gan.conditioning.inner_product import InnerProduct, InnerProductHead, Mapped, MappingHead
from gan.layers.equalised import EqualisedLinear
from gan.layers.mapping import Mapping, normalise_second_moment


def test_the_logit_is_an_inner_product() -> None:
    torch.manual_seed(0)
    head, h, y = InnerProduct(3).head(6), torch.randn(4, 6), torch.tensor([0, 2, 1, 1])
    assert isinstance(head, InnerProductHead)
    expected = [head.linear(h[i]) @ head.embedding.weight[y[i]] for i in range(4)]
    assert torch.allclose(head(h, y), torch.stack(expected), atol=1e-6)


def test_the_embedding_is_initialised_as_in_the_paper() -> None:
    head = InnerProduct(10).head(768)
    assert isinstance(head, InnerProductHead)
    assert head.embedding.weight.std().item() == pytest.approx(1 / math.sqrt(7680), rel=0.05)
    entry = InnerProduct(10, 640).entry(64)  # a linear layer of ten inputs
    assert isinstance(entry, EmbeddedEntry)
    assert entry.embedding.weight.std().item() == pytest.approx(1 / math.sqrt(10), rel=0.05)


def test_the_mapped_logit_equals_its_formula() -> None:
    torch.manual_seed(0)
    head, h, y = Mapped(3, depth=2).head(6), torch.randn(4, 6), torch.tensor([0, 2, 1, 1])
    assert isinstance(head, MappingHead)
    label = head.mapping(head.embedding(torch.eye(3)))[y]
    expected = (head.linear(h) * label).sum(1) / math.sqrt(6)
    assert torch.allclose(head(h, y), expected, atol=1e-6)


def test_latent_and_label_have_equal_power() -> None:
    torch.manual_seed(0)
    entry = Mapped(3, embedding_dim=5).entry(4)
    both = entry(100 * torch.randn(7, 4), torch.arange(7) % 3)
    z, label = both[:, :4], both[:, 4:]
    assert torch.allclose(z.square().mean(1), torch.ones(7), atol=1e-4)
    assert torch.allclose(label.square().mean(1), torch.ones(7), atol=1e-4)
    assert entry.width == 9


def test_mapping_equals_its_formula() -> None:
    torch.manual_seed(0)
    mapping, x = Mapping(5, 8, layers=2), torch.randn(3, 5)
    first, second = mapping.layers
    w = x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()
    rectifier = nn.LeakyReLU(0.2)
    for layer in (first, second):
        assert isinstance(layer, EqualisedLinear)
        assert layer.bias is not None
        weight = layer.weight * 0.01 / math.sqrt(layer.weight.shape[1])
        w = rectifier(w @ weight.T + 0.01 * layer.bias) * math.sqrt(2)
    assert torch.allclose(mapping(x), w, atol=1e-5)
    assert torch.allclose(normalise_second_moment(x).square().mean(1), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize("conditioning", [InnerProduct(3), Mapped(3)])
def test_missing_labels_are_refused(conditioning: InnerProduct | Mapped) -> None:
    with pytest.raises(ValueError, match="needs labels"):
        conditioning.head(4)(torch.randn(2, 4))
    with pytest.raises(ValueError, match="needs labels"):
        conditioning.entry(4)(torch.randn(2, 4))
    with pytest.raises(ValueError, match=f"conditioning={conditioning.name}"):
        type(conditioning)(0)
