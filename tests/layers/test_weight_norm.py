import copy

import pytest
import torch
from torch import Tensor, nn

from gan.layers.gaussian_noise import GaussianNoise
from gan.layers.weight_norm import initialize_from_data, weight_norm


def layers() -> list[nn.Module]:
    torch.manual_seed(0)
    kinds = (nn.Linear(6, 5), nn.Conv2d(6, 5, 3), nn.ConvTranspose2d(6, 5, 3))
    return [weight_norm(layer, learned=True) for layer in kinds]


@pytest.mark.parametrize("k", [0, 1, 2])
def test_each_unit_has_weights_of_norm_g(k: int) -> None:
    layer = layers()[k]
    state = dict(layer.named_parameters())
    with torch.no_grad():
        state["parametrizations.weight.0.g"].copy_(torch.arange(1.0, 6.0))
    before = weights(layer)
    units = before.transpose(0, 1) if k == 2 else before
    assert torch.allclose(units.flatten(1).norm(dim=1), torch.arange(1.0, 6.0))
    with torch.no_grad():
        state["parametrizations.weight.original"].mul_(7)
    assert torch.allclose(weights(layer), before)


def weights(layer: nn.Module) -> Tensor:
    """Return the weights that a layer computes with."""
    assert isinstance(layer.weight, Tensor)
    return layer.weight.detach().clone()


def test_g_is_a_parameter_only_if_it_is_learned() -> None:
    fixed, learned = weight_norm(nn.Linear(3, 2)), weight_norm(nn.Linear(3, 2), learned=True)
    names = [
        {name.rpartition(".")[2] for name, _ in m.named_parameters()} for m in (fixed, learned)
    ]
    assert names == [{"bias", "original"}, {"bias", "original", "g"}]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    last = weight_norm(nn.Linear(9, 3), learned=True, std=0.1)
    untouched = weight_norm(nn.Linear(3, 3), std=None)
    first = weight_norm(nn.Conv2d(2, 9, 3))
    return nn.Sequential(first, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last, untouched)


def test_the_outputs_of_each_layer_are_standardised() -> None:
    players, images = network(), 3 + 2 * torch.randn(40, 2, 5, 5)
    before = [copy.deepcopy(m.state_dict()) for m in players]
    initialize_from_data(players, images)
    maps = players[0](images)
    assert torch.allclose(maps.mean((0, 2, 3)), torch.zeros(9), atol=1e-5)
    assert torch.allclose(maps.std((0, 2, 3), correction=0), torch.ones(9), atol=1e-5)
    logits = players[:5](images)
    assert torch.allclose(logits.mean(0), torch.zeros(3), atol=1e-6)
    assert torch.allclose(logits.std(0, correction=0), torch.full((3,), 0.1), atol=1e-6)
    assert all(torch.equal(v, before[5][k]) for k, v in players[5].state_dict().items())
    key = "parametrizations.weight.original"
    assert torch.equal(players[0].state_dict()[key], before[0][key])  # only g and biases change


def test_later_passes_change_nothing() -> None:
    players, images = network(), torch.randn(40, 2, 5, 5)
    initialize_from_data(players, images)
    state = copy.deepcopy(players.state_dict())
    players(2 * images + 1)
    assert all(torch.equal(value, state[key]) for key, value in players.state_dict().items())


def test_noise_is_that_of_training() -> None:
    torch.manual_seed(0)
    noise, x = GaussianNoise(0.3), torch.ones(100, 100)
    assert float((noise(x) - x).std()) == pytest.approx(0.3, rel=0.05)
    assert noise.eval()(x) is x
