"""Squared norms of the gradient of the critic's logits with respect to its images."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from gan.batch import PairBatch
from gan.layers.state import restoring
from gan.regularizers.base import DiscriminatorOutputs, Networks, mean_over_patches


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

    def at(self, images: Tensor, labels: Tensor | None, networks: Networks) -> Tensor:
        """Return the squared norm of each image, (B,), from a forward pass of its own.

        Args:
            images: leaves that require a gradient, (B, C, H, W).
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
