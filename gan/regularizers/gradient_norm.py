"""Squared norms of the gradient of the critic's logits with respect to its images."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from gan.batch import PairBatch
from gan.errors import InputError
from gan.layers.precision import full_precision
from gan.layers.state import restoring
from gan.regularizers.base import DiscriminatorOutputs, Networks, mean_over_patches

Labels = Tensor | None
Pass = Callable[[Tensor, Labels, Networks], Tensor]


def squared_gradient_norm(logits: Tensor, images: Tensor) -> Tensor:
    """Return the squared norm of d logit / d image for each image, (B,), differentiable.

    Of a map of logits (B, h, w), an image's logit is the mean.
    """
    total = mean_over_patches(logits).sum()
    (gradient,) = torch.autograd.grad(total, images, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1)


class GradientNorm(ABC):
    """The squared norm of the gradient of logits, or an estimate of it.

    Attributes:
        differentiates: it needs the logits in a graph with their images.
    """

    differentiates: bool

    @abstractmethod
    def squared(
        self, images: Tensor, logits: Tensor, out: DiscriminatorOutputs, networks: Networks
    ) -> Tensor:
        """Return one value for each image that it is computed for, (n,), differentiable.

        Args:
            images: real images or fakes (B, C, H, W).
            logits: of the images.
            out: of the update.
            networks: of the game.
        """


class ExactNorm(GradientNorm):
    """By differentiation, whose result is differentiated once more by D's weights."""

    differentiates = True

    def at(self, images: Tensor, labels: Labels, networks: Networks) -> Tensor:
        """Return the squared norm of each image, (B,), from a forward pass of its own.

        Args:
            images: that need a gradient, (B, C, H, W).
            labels: of the images.
            networks: of the game.
        """
        logits, _ = networks.discriminate(images, labels)
        return squared_gradient_norm(logits, images)

    def squared(
        self, images: Tensor, logits: Tensor, out: DiscriminatorOutputs, networks: Networks
    ) -> Tensor:
        """Return the squared norm for each image, (B,)."""
        return squared_gradient_norm(logits, images)


def _pass(images: Tensor, labels: Labels, networks: Networks) -> Tensor:
    """Return the squared norms of images, to be compiled.

    The critic is given a copy, since leaves ask it for a pass that is not compiled.
    """
    logits, _ = networks.discriminate(images * 1.0, labels)
    return squared_gradient_norm(logits, images)


@cache
def _compiled_pass() -> Pass:
    """Return the compiled pass, which has the random numbers of other passes."""
    compiled: Pass = torch.compile(_pass, fullgraph=True, options={"fallback_random": True})
    return compiled


class CompiledNorm(ExactNorm):
    """By differentiation in a compiled function, with a forward pass of its own.

    The function can be differentiated once more, by D's weights. Where D cannot be compiled, a
    warning says so, and :class:`ExactNorm` computes the norm.

    Raises:
        InputError: if this version of PyTorch does not differentiate inside compiled functions.
    """

    differentiates = False

    def __init__(self) -> None:
        if not self.supported():
            raise InputError(
                f"form=compiled: PyTorch {torch.__version__} does not differentiate inside "
                "compiled functions: set form=exact"
            )
        self.compute: Pass | None = None

    @staticmethod
    def supported() -> bool:
        """Return whether this version of PyTorch differentiates inside compiled functions."""
        return hasattr(torch._dynamo.config, "trace_autograd_ops")

    def squared(
        self, images: Tensor, logits: Tensor, out: DiscriminatorOutputs, networks: Networks
    ) -> Tensor:
        """Return the squared norm for each image, (B,)."""
        return self.at(images.detach().requires_grad_(), out.batch.labels, networks)

    def at(self, images: Tensor, labels: Labels, networks: Networks) -> Tensor:
        """Return the squared norm of each image, (B,)."""
        self.compute = self.compute or _compiled_pass()
        try:
            with (
                full_precision(images.device),
                torch._dynamo.config.patch(trace_autograd_ops=True),
            ):
                return self.compute(images, labels, networks)
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = str(error).splitlines()[0]
            warnings.warn(f"the penalty of gradients is not compiled: {reason}", stacklevel=2)
            self.compute = super().at
            return self.compute(images, labels, networks)


class FiniteDifference(GradientNorm):
    """(D(x + epsilon n) - D(x))^2 / epsilon^2 with n from N(0, 1) (Lin et al., 2025).

    Its mean over n is the squared norm of the gradient, up to epsilon^2. It needs no second
    derivative. Both passes of D draw the same random numbers, such as those of the augmentation,
    and start from the same buffers, such as the vectors of spectral norms.

    Args:
        epsilon: standard deviation of the change of pixels.
        part: it is computed for one in ``part`` images; for all where D has a second input.
    """

    differentiates = False

    def __init__(self, epsilon: float = 0.01, part: int = 4) -> None:
        self.epsilon, self.part = epsilon, part

    def squared(
        self, images: Tensor, logits: Tensor, out: DiscriminatorOutputs, networks: Networks
    ) -> Tensor:
        """Return the estimate for each image of the part, (n,)."""
        count = len(images)
        if not isinstance(out.batch, PairBatch):
            count = -(-count // self.part)
        images, labels = images[:count].detach(), out.batch.labels
        labels = None if labels is None else labels[:count]
        moved = images + self.epsilon * torch.randn_like(images)
        with restoring([*networks.buffers()], images.device):
            at_image, _ = networks.discriminate(images, labels)
        at_moved, _ = networks.discriminate(moved, labels)
        difference = mean_over_patches(at_moved) - mean_over_patches(at_image)
        return (difference / self.epsilon).square()


DIFFERENTIATED: dict[str, type[ExactNorm]] = {"exact": ExactNorm, "compiled": CompiledNorm}
FORMS: dict[str, type[GradientNorm]] = {**DIFFERENTIATED, "finite_difference": FiniteDifference}
