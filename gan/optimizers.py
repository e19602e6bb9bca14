"""Optimizers that torch does not provide."""

import copy
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

_TINY = 1e-30  # the square root of a second moment of 0 has no derivative


class LazyAdam(torch.optim.Adam):
    """Adam for a player with lazy regularization (Karras et al., 2020a, appendix B).

    With c = every / (every + 1), the learning rate is c lr and the decays are beta^c. The authors
    use this because their regularizer takes an additional step. Deviation: here the regularizer is
    a term of the loss, without an additional step, but lr and betas have the published meaning.

    Args:
        params: parameters.
        lr: learning rate without lazy regularization.
        betas: decay rates without lazy regularization.
        every: updates between two uses of the regularizer.
        settings: other arguments of ``torch.optim.Adam``.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.0, 0.99),
        every: int = 16,
        **settings: Any,
    ) -> None:
        share = every / (every + 1)
        first, second = betas
        super().__init__(params, share * lr, (first**share, second**share), **settings)


class DifferentiableUpdates:
    """Updates of an optimizer as functions of weights and gradients, which can be differentiated.

    An update is the optimizer's own ``step``, with torch's setting ``differentiable``, on copies:
    the optimizer, its parameters and its state stay as they are.

    Args:
        optimizer: of ``torch.optim``; the updates start from its settings and state.
        parameters: of the optimizer, by name; those without a name are left out.

    Raises:
        ValueError: if the optimizer lacks the setting ``differentiable``.
    """

    def __init__(self, optimizer: Optimizer, parameters: Mapping[str, Tensor]) -> None:
        if "differentiable" not in optimizer.defaults:
            raise ValueError(f"{type(optimizer).__name__} has no differentiable updates")
        self._optimizer = optimizer
        self._name = {parameter: name for name, parameter in parameters.items()}
        self._state = {n: dict(optimizer.state.get(p, {})) for n, p in parameters.items()}

    def __call__(
        self, weights: Mapping[str, Tensor], gradients: Mapping[str, Tensor | None]
    ) -> dict[str, Tensor]:
        """Return the weights after one more update; those without a gradient stay as they are."""
        moved = {n: weight.clone() for n, weight in weights.items() if gradients[n] is not None}
        optimizer = self._optimizer_of(moved)
        for name, weight in moved.items():
            weight.grad = gradients[name]
        optimizer.step()
        for name, weight in moved.items():
            self._state[name] = dict(optimizer.state[weight])
            weight.grad = None
        return {**weights, **moved}

    def _optimizer_of(self, weights: Mapping[str, Tensor]) -> Optimizer:
        """Return a copy of the optimizer and of its state for other weights."""
        optimizer = copy.copy(self._optimizer)
        settings: dict[str, Any] = {"differentiable": True}
        settings |= dict.fromkeys(optimizer.defaults.keys() & {"fused", "foreach"}, False)
        optimizer.defaults = {**optimizer.defaults, **settings}
        optimizer.param_groups = [
            {**group, **settings, "params": self._replace(group["params"], weights)}
            for group in optimizer.param_groups
        ]
        optimizer.state = defaultdict(dict, {w: self._copy_of(n) for n, w in weights.items()})
        return optimizer

    def _copy_of(self, name: str) -> dict[str, Any]:
        """Return a copy of the state of a weight."""
        state = self._state[name]
        return {k: v + _TINY if isinstance(v, Tensor) else v for k, v in state.items()}

    def _replace(self, parameters: list[Tensor], weights: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the weights of those parameters that have one."""
        names = [self._name[parameter] for parameter in parameters if parameter in self._name]
        return [weights[name] for name in names if name in weights]
