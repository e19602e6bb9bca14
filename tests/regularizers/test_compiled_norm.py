"""Norms of gradients in compiled functions."""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.backends.debugging import aot_eager

from gan.augment.resampling import _GridSample
from gan.batch import LatentBatch
from gan.regularizers import compiled_norm
from gan.regularizers.base import Regularizer
from gan.regularizers.compiled_norm import CompiledNorm, is_close
from gan.regularizers.gradient import DRAGAN, R1, R2, GradientPenalty, compile_norms
from gan.regularizers.gradient_norm import ExactNorm, FiniteDifference
from gan.settings.trust import build
from tests.conftest import Compose
from tests.regularizers.passes import discriminator_pass

SHAPE = (8, 3, 4, 4)


@pytest.fixture(autouse=True)
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let functions be compiled without a compiler of C++, and note the options."""
    asked = list[Any]()

    def compile_without_inductor(graph: Any, inputs: Any, options: Any) -> Any:
        asked.append(options)
        return aot_eager(graph, inputs)

    monkeypatch.setattr(torch._inductor, "compile", compile_without_inductor)
    compiled_norm._compiled_pass.cache_clear()
    torch.compiler.reset()
    return asked


class Smooth(nn.Module):
    """A critic of two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        layers = nn.Conv2d(3, 4, 3, padding=1), nn.Softplus(), nn.Conv2d(4, 1, 3, stride=2)
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = 50 * self.layers(images).square().mean((1, 2, 3))
        return logits


class Branching(Smooth):
    """A critic that no graph holds: it branches on a value."""

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        return logits if logits.sum().item() > 0 else -logits


class Sampling(Smooth):
    """A critic of which a part of the gradient passes through a custom function, if it warps."""

    warps = True

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        if self.warps:
            maps = self.layers[0](images)
            grid = torch.linspace(-0.9, 0.8, 2 * len(images) * 9).view(-1, 3, 3, 2)
            logits = logits + 2 * _GridSample.apply(maps, grid).square().mean((1, 2, 3))
        return logits


class Noisy(Smooth):
    """A critic that draws, and counts its passes."""

    passes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        self.passes.add_(1)
        logits: Tensor = super().forward(images * (1 + torch.rand_like(images)))
        return logits


TERMS: list[Callable[[], Any]] = [
    lambda: R1(gamma=3.0),
    lambda: R2(gamma=3.0),
    lambda: GradientPenalty(weight=2.0),
    lambda: GradientPenalty(one_sided=True),
    lambda: DRAGAN(weight=2.0),
]


def compiled(term: Any) -> Any:
    """Return a term whose norm is compiled."""
    compile_norms([term])
    return term


def evaluate(term: Any, critic: nn.Module, seed: int = 2) -> list[Tensor]:
    """Return a term and its gradients by the weights of a critic."""
    torch.manual_seed(seed)
    out, networks = discriminator_pass(critic, *torch.randn(2, *SHAPE))
    value = term.penalty(out, networks)
    weights = [*critic.parameters()]
    return [value, *torch.autograd.grad(value, weights, materialize_grads=True)]


def check_equal(found: list[Tensor], exact: list[Tensor]) -> None:
    for value, expected in zip(found, exact, strict=True):
        assert torch.allclose(value, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("make", TERMS)
def test_a_compiled_norm_is_the_exact_one(make: Callable[[], Any]) -> None:
    critic, term = Smooth(), compiled(make())
    for seed in range(3):  # compiled once, used with the weights of then
        exact = evaluate(make(), critic, seed)
        check_equal(evaluate(term, critic, seed), exact)
        assert exact[0] > 0
        assert exact[1].abs().max() > 0
        with torch.no_grad():
            for weight in critic.parameters():
                weight.mul_(1.1)
    assert term.form.compiles


def test_the_compiled_function_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    critic, term = Smooth(), compiled(R1())
    evaluate(term, critic)
    monkeypatch.setattr(ExactNorm, "at", None)
    evaluate(term, critic)


def test_frozen_weights_are_left_out() -> None:
    critic = Smooth()
    term = compiled(R1())
    critic.layers[0].requires_grad_(False)
    out, networks = discriminator_pass(critic, *torch.randn(2, *SHAPE))
    assert torch.allclose(term.penalty(out, networks), R1().penalty(out, networks), rtol=1e-4)
    assert term.form.compiles


def test_a_game_compiles_its_penalties(config: Compose) -> None:
    """Its critic has a pass of its own for leaves, and images do not require a gradient here."""
    given = "model=dcgan", "data=digits", "size=tiny", "critic_norm=layer"
    terms = list[float]()
    for terms_of in (list, compile_norms):
        torch.manual_seed(0)
        game = build(config(*given, "regularizers=[r1]").model)
        terms_of(game.modules())
        real, z = torch.rand(4, 1, 16, 16), torch.randn(4, game.generator.latent_dim)
        batch = LatentBatch(real, None, z, torch.rand(4))
        terms.append(float(game.discriminator_loss(batch)["r1"].detach()))
        assert getattr(game.regularizers["r1"].form, "compiles", True)
    assert terms[0] == pytest.approx(terms[1], rel=1e-4)
    assert terms[0] > 0


def test_what_cannot_be_compiled_is_computed_and_said() -> None:
    critic, term = Branching(), compiled(GradientPenalty())
    with pytest.warns(
        UserWarning, match="the penalty of gradients is not compiled: .*data-dependent"
    ):
        found = evaluate(term, critic)
    check_equal(found, evaluate(GradientPenalty(), critic))
    evaluate(term, critic)  # no second warning, which would fail


def test_a_custom_function_is_not_compiled() -> None:
    critic, term = Sampling(), compiled(R1())
    with pytest.warns(UserWarning, match="not compiled: a pass of .* has autograd_function_apply"):
        found = evaluate(term, critic)
    check_equal(found, evaluate(R1(), critic))
    evaluate(term, critic)


def test_a_custom_function_that_comes_later_is_not_compiled() -> None:
    critic = Sampling()
    term = compiled(R1())
    critic.warps = False
    check_equal(evaluate(term, critic), evaluate(R1(), critic))
    assert term.form.compiles
    critic.warps = True
    with pytest.warns(UserWarning, match="not compiled: a pass of .* has autograd_function_apply"):
        check_equal(evaluate(term, critic), evaluate(R1(), critic))


def test_a_wrong_gradient_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_norm, "HigherOrderOperator", int)  # custom functions are compiled
    critic, term = Sampling(), compiled(R1())
    with pytest.warns(UserWarning, match="not compiled: its gradient would be wrong"):
        check_equal(evaluate(term, critic), evaluate(R1(), critic))


def test_a_function_without_a_graph_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def detached(*given: Any) -> Tensor:
        return compiled_norm._pass(*given).detach()

    monkeypatch.setattr(compiled_norm, "_compiled_pass", lambda: detached)
    critic, term = Smooth(), CompiledNorm()
    out, networks = discriminator_pass(critic, *torch.randn(2, *SHAPE))
    with pytest.warns(UserWarning, match="not compiled: element 0 .*does not require grad"):
        assert not term._equals_exact(out.real.detach().requires_grad_(), None, networks)


@pytest.mark.parametrize("limit", [1, 8])
def test_forms_beyond_the_limit_of_compilations(limit: int) -> None:
    term = compiled(R1())
    with torch._dynamo.config.patch(recompile_limit=limit), warnings.catch_warnings(record=True):
        for width in range(3):
            critic = nn.Sequential(nn.Conv2d(3, width + 1, 4), nn.Flatten(0), nn.Softplus())
            critic = nn.Sequential(critic, nn.Unflatten(0, (8, -1)), Mean())
            check_equal(evaluate(term, critic), evaluate(R1(), critic))
    assert term.form.compiles == (limit == 8)


class Mean(nn.Module):
    """The mean of the features."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


def test_the_comparison_leaves_random_numbers_and_buffers_as_they_were() -> None:
    critic = Noisy()
    states = list[Tensor]()
    term = compiled(R1())
    first = evaluate(term, critic)
    states.append(torch.get_rng_state())
    assert critic.passes == 3  # reals, fakes, the compiled pass
    check_equal(evaluate(term, critic), first)
    assert torch.equal(states[0], torch.get_rng_state())
    assert critic.passes == 6


def test_a_compiled_norm_asks_for_no_gradient_of_the_images() -> None:
    assert not compiled(R1()).needs_real_gradient
    assert not compiled(R2()).needs_fake_gradient


@pytest.mark.parametrize(
    ("change", "close"), [(0.0, True), (0.0019, True), (0.003, False), (-0.003, False)]
)
def test_tensors_that_are_close(change: float, close: bool) -> None:
    exact = [torch.tensor([3.0, 4.0]), torch.zeros(2)]
    assert is_close([exact[0] * (1 + change), exact[1]], exact) == close
    assert is_close([exact[0], torch.tensor([0.0, 0.01 * change])], exact) == close
    assert not is_close([exact[0], torch.full((2,), torch.nan)], exact)


class Own(R1):
    """A term of the user's own."""


def test_terms_that_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def forms() -> list[type]:
        terms: list[Any] = [R1(), R2(), GradientPenalty(), DRAGAN()]
        terms += [R1(form="finite_difference"), Own()]
        compile_norms([*terms, nn.Identity(), Regularizer()])
        return [type(term.form) for term in terms]

    assert forms() == [CompiledNorm] * 4 + [FiniteDifference, ExactNorm]
    monkeypatch.setattr(CompiledNorm, "supported", staticmethod(lambda: False))
    exact = R1()
    compile_norms([exact])
    assert type(exact.form) is ExactNorm


def test_random_numbers_are_those_of_plain_passes(compilations: list[Any]) -> None:
    evaluate(compiled(R1()), copy.deepcopy(Smooth()))
    assert compilations == [{"fallback_random": True}]
