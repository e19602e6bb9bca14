"""The gradient's norm in a compiled function, compared with the plain one before it is used."""

import warnings
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator
from torch.fx import GraphModule

from gan.layers.precision import full_precision
from gan.layers.state import restoring
from gan.regularizers.base import DiscriminatorOutputs, Networks
from gan.regularizers.gradient_norm import ExactNorm, squared_gradient_norm

Pass = Callable[[Tensor, Tensor | None, Networks], Tensor]
DIFFERENT = "its gradient would be wrong"
TOLERANCE = 0.002  # relative L2 distance of gradients: rounding of TF32 convolutions included


def _pass(images: Tensor, labels: Tensor | None, networks: Networks) -> Tensor:
    """Return the squared norms of images, to be compiled.

    The critic is given a copy, since leaves ask it for a pass that is not compiled.
    """
    logits, _ = networks.discriminate(images * 1.0, labels)
    return squared_gradient_norm(logits, images)


def _compile(graph: GraphModule, inputs: list[Any]) -> Callable[..., Any]:
    """Compile a graph, with the random numbers of other passes.

    Raises:
        NotImplementedError: if an operator contains graphs, such as a function with a backward pass
            of its own, of whose gradient PyTorch loses a part in graphs that differentiate.
    """
    for node in graph.graph.nodes:
        if isinstance(node.target, HigherOrderOperator):
            raise NotImplementedError(f"a pass of the discriminator has {node.target}")
    compiled: Callable[..., Any] = torch._inductor.compile(
        graph, inputs, options={"fallback_random": True}
    )
    return compiled


@cache
def _compiled_pass() -> Pass:
    """Return the compiled pass."""
    compiled: Pass = torch.compile(_pass, fullgraph=True, dynamic=False, backend=_compile)
    return compiled


def with_gradients(norm: Tensor, weights: Iterable[Tensor]) -> list[Tensor]:
    """Return the norm and the gradient of its mean by each weight, zeros where there is none."""
    chosen = [weight for weight in weights if weight.requires_grad]
    found = torch.autograd.grad(norm.mean(), chosen, materialize_grads=True)
    return [norm.detach(), *found]


def is_close(found: list[Tensor], exact: list[Tensor]) -> bool:
    """Return whether each tensor equals its like up to rounding, in the L2 norm."""
    largest = max(float(b.norm()) for b in exact)
    return all(
        float((a - b).norm()) <= TOLERANCE * (float(b.norm()) + TOLERANCE * largest)
        for a, b in zip(found, exact, strict=True)
    )


class CompiledNorm(ExactNorm):
    """By differentiation in a compiled function, with a forward pass of its own.

    The function can be differentiated once more, by D's weights. Functions with a backward pass of
    their own are not compiled: PyTorch loses parts of their gradients without a word. Whenever it
    compiles, at the start and for images or networks of another form, norms and gradients are also
    compared with those of :class:`ExactNorm`. If they differ by more than 0.2 %, or if D cannot be
    compiled, a warning says so, and a plain forward pass of its own computes the norm from then on.
    It is not that of D's update, so that resumed runs draw the same random numbers.
    """

    differentiates = False

    def __init__(self) -> None:
        self.compiles = True

    @staticmethod
    def supported() -> bool:
        """Return whether this version of PyTorch differentiates inside compiled functions."""
        return hasattr(torch._dynamo.config, "trace_autograd_ops")

    def squared(
        self, images: Tensor, logits: Tensor, out: DiscriminatorOutputs, networks: Networks
    ) -> Tensor:
        """Return the squared norm for each image, (B,)."""
        return self.at(images.detach().requires_grad_(), out.batch.labels, networks)

    def at(self, images: Tensor, labels: Tensor | None, networks: Networks) -> Tensor:
        """Return the squared norm of each image, (B,)."""
        given = images, labels, networks
        norm = self._compute(*given) if self.compiles else None
        return super().at(*given) if norm is None else norm

    def _compute(self, images: Tensor, labels: Tensor | None, networks: Networks) -> Tensor | None:
        """Return what the compiled function returns, or ``None`` if it is not to be used."""
        given = images, labels, networks
        with full_precision(images.device), torch._dynamo.config.patch(trace_autograd_ops=True):
            try:
                with torch.compiler.set_stance("fail_on_recompile"):
                    return _compiled_pass()(*given)
            except RuntimeError:  # not compiled for images and networks of this form yet
                self.compiles = self._equals_exact(*given)
            return _compiled_pass()(*given) if self.compiles else None

    def _equals_exact(self, images: Tensor, labels: Tensor | None, networks: Networks) -> bool:
        """Return whether the compiled function equals the plain one; warn if it does not."""

        def gradients(function: Pass) -> list[Tensor]:
            with restoring([*networks.buffers()], images.device):
                norm = function(images, labels, networks)
                return with_gradients(norm, networks.parameters())

        exact = gradients(super().at)
        try:
            reason = None if is_close(gradients(_compiled_pass()), exact) else DIFFERENT
        except Exception as error:  # of any kind, from the compiler
            reason = str(getattr(error, "inner_exception", error)).partition("\n")[0]
        if reason is not None:
            warnings.warn(f"the penalty of gradients is not compiled: {reason}", stacklevel=2)
        return reason is None
