from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan.optimizers import DifferentiableUpdates, LazyAdam

Maker = Callable[[list[nn.Parameter]], Optimizer]
OPTIMIZERS: dict[str, Maker] = {
    "adam": partial(torch.optim.Adam, lr=0.01, betas=(0.5, 0.9), fused=True),
    "adamw": partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1, amsgrad=True),
    "lazy": partial(LazyAdam, lr=0.01, betas=(0.3, 0.9)),
    "rmsprop": partial(torch.optim.RMSprop, lr=0.001),
    "sgd": partial(torch.optim.SGD, lr=0.1, momentum=0.5),
}
STEPS = 3


def test_lazy_adam_scales_learning_rate_and_decays() -> None:
    """Karras et al. (2020a), appendix B: c = k / (k + 1)."""
    optimizer = LazyAdam([nn.Parameter(torch.zeros(1))], lr=0.0025, betas=(0.2, 0.99), every=16)
    group = optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(0.0025 * 16 / 17)
    assert group["betas"] == pytest.approx((0.2 ** (16 / 17), 0.99 ** (16 / 17)))


def bowl(w: Tensor, x: Tensor) -> Tensor:
    """A function of weights w and inputs x that is not quadratic in w."""
    return ((w * x).sum() - 1).square() + w.pow(3).sum()


def trained(make: Maker, x: Tensor) -> tuple[nn.Parameter, Optimizer]:
    """Return weights and their optimizer after some updates."""
    w = nn.Parameter(torch.linspace(-1, 1, 5).double())
    optimizer = make([w])
    train(w, optimizer, x)
    return w, optimizer


def train(w: nn.Parameter, optimizer: Optimizer, x: Tensor) -> None:
    for _ in range(STEPS):
        optimizer.zero_grad()
        torch.autograd.backward(bowl(w, x))
        optimizer.step()


def ahead(w: nn.Parameter, optimizer: Optimizer, x: Tensor) -> Tensor:
    """Return the weights after further updates, differentiable by the inputs."""
    update, weights = DifferentiableUpdates(optimizer, {"w": w}), {"w": w.detach().requires_grad_()}
    for _ in range(STEPS):
        (gradient,) = torch.autograd.grad(bowl(weights["w"], x), weights["w"], create_graph=True)
        weights = update(weights, {"w": gradient})
    return weights["w"]


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_differentiable_updates_are_those_of_the_optimizer(make: Maker) -> None:
    x = torch.linspace(-1, 2, 5).double()
    w, optimizer = trained(make, x)
    before, state = w.detach().clone(), optimizer.state_dict()["state"][0]
    moments = {k: v.clone() for k, v in state.items() if isinstance(v, Tensor)}
    predicted = ahead(w, optimizer, x)
    assert torch.equal(w, before)
    assert all(torch.equal(state[key], moment) for key, moment in moments.items())
    train(w, optimizer, x)
    assert not torch.allclose(w, before, atol=1e-4)
    assert torch.allclose(predicted, w, rtol=0, atol=1e-6)


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_gradient_of_the_updates_agrees_with_finite_differences(make: Maker) -> None:
    x = torch.linspace(-1, 2, 5).double()
    w, optimizer = trained(make, x)
    assert torch.autograd.gradcheck(lambda x: ahead(w, optimizer, x), (x.requires_grad_(),))


def test_weights_without_a_gradient_so_far_keep_the_derivative_finite() -> None:
    """The root of a second moment of 0 has none."""
    w = nn.Parameter(torch.zeros(2).double())
    optimizer = torch.optim.Adam([w])
    w.grad = torch.tensor([0.0, 1.0]).double()
    optimizer.step()
    x = torch.tensor([0.0, 1.0]).double().requires_grad_()
    moved = DifferentiableUpdates(optimizer, {"w": w})({"w": w.detach()}, {"w": x * x})
    (gradient,) = torch.autograd.grad(moved["w"].sum(), x)
    assert gradient.isfinite().all()
    assert moved["w"][0].item() == pytest.approx(0, abs=1e-20)


@pytest.mark.filterwarnings("error")
def test_a_weight_without_a_gradient_stays_as_it_is() -> None:
    weights = {name: torch.ones(2) for name in "ab"}
    parameters = {name: nn.Parameter(weight) for name, weight in weights.items()}
    update = DifferentiableUpdates(torch.optim.SGD(parameters.values(), lr=1.0), parameters)
    moved = update(weights, {"a": torch.ones(2), "b": None})
    assert moved["a"].tolist() == [0.0, 0.0]
    assert moved["b"].tolist() == [1.0, 1.0]


def test_an_optimizer_without_differentiable_updates_is_refused() -> None:
    with pytest.raises(ValueError, match="LBFGS has no differentiable updates"):
        DifferentiableUpdates(torch.optim.LBFGS([nn.Parameter(torch.zeros(1))]), {})
