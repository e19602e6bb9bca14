"""Penalties on the gradient of the critic with respect to its images."""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from gan.clock import Scheduled
from gan.regularizers.base import DiscriminatorOutputs, Networks, Regularizer
from gan.regularizers.compiled_norm import CompiledNorm
from gan.regularizers.gradient_norm import ExactNorm, FiniteDifference, GradientNorm
from gan.schedules import Constant, Schedule

_FORMS: dict[str, type[GradientNorm]] = {"exact": ExactNorm, "finite_difference": FiniteDifference}


def per_row(values: Tensor, images: Tensor) -> Tensor:
    """Return a value for each image, (B,), in a shape that images (B, ...) are scaled by."""
    return values.view(-1, *[1] * (images.dim() - 1))


class _ZeroCentred(Regularizer, Scheduled):
    """gamma/2 times the mean squared gradient norm of some images."""

    per_sample = True

    def __init__(
        self,
        gamma: float = 10.0,
        every: int = 1,
        schedule: Schedule | None = None,
        form: Literal["exact", "finite_difference"] = "exact",
    ) -> None:
        super().__init__(every)
        self.gamma, self.schedule = gamma, schedule or Constant()
        self.form: GradientNorm = _FORMS[form]()
        self.set_progress(0)

    def set_progress(self, images: int) -> None:
        """Set the weight of the term after ``images`` real images."""
        self.weight = 0.5 * self.gamma * self.schedule(images)


class R1(_ZeroCentred):
    """gamma/2 times E |grad D(x)|^2 on real images (Mescheder et al., 2018, eq. 9).

    Args:
        gamma: weight; 10 in the paper, 0.01 to 10 by resolution and batch in StyleGAN2.
        every: as in :class:`Regularizer`.
        schedule: multiplier of gamma by images seen.
        form: of the gradient's norm; a finite difference needs no second derivative (see
            :class:`~gan.regularizers.gradient_norm.FiniteDifference`). The exact one is computed
            in a compiled function where passes are compiled (see
            :class:`~gan.regularizers.compiled_norm.CompiledNorm`).
    """

    @property
    def needs_real_gradient(self) -> bool:  # type: ignore[override]
        """Return whether the norm is found by differentiation."""
        return self.form.differentiates

    def penalty(self, out: DiscriminatorOutputs, networks: Networks) -> Tensor:
        """Return the term, from the graph of the real logits."""
        return self.weight * self.form.squared(out.real, out.real_logits, out, networks).mean()


class R2(_ZeroCentred):
    """gamma/2 times E |grad D(G(z))|^2 on generated images (Mescheder et al., 2018).

    Args:
        gamma: weight.
        every: as in :class:`Regularizer`.
        schedule: multiplier of gamma by images seen.
        form: as in :class:`R1`.
    """

    @property
    def needs_fake_gradient(self) -> bool:  # type: ignore[override]
        """Return whether the norm is found by differentiation."""
        return self.form.differentiates

    def penalty(self, out: DiscriminatorOutputs, networks: Networks) -> Tensor:
        """Return the term, from the graph of the fake logits."""
        return self.weight * self.form.squared(out.fake, out.fake_logits, out, networks).mean()


class GradientPenalty(Regularizer):
    """lambda E (|grad D| - 1)^2 at points between reals and fakes (Gulrajani et al., 2017, eq. 3).

    The critic is evaluated once more, at the points.

    Args:
        weight: lambda.
        one_sided: penalise only norms above 1 (their section 4).
        every: as in :class:`Regularizer`.
    """

    per_sample = True

    def __init__(self, weight: float = 10.0, one_sided: bool = False, every: int = 1) -> None:
        super().__init__(every)
        self.weight, self.one_sided = weight, one_sided
        self.form = ExactNorm()

    def points(self, out: DiscriminatorOutputs) -> Tensor:
        """Return the point at epsilon between each real image and its fake."""
        real, fake = out.real.detach(), out.fake.detach()
        return torch.lerp(real, fake, per_row(out.batch.epsilon, real))

    def penalty(self, out: DiscriminatorOutputs, networks: Networks) -> Tensor:
        """Return the term at :meth:`points`."""
        points = self.points(out).requires_grad_()
        norm = (self.form.at(points, out.batch.labels, networks) + 1e-12).sqrt()
        excess = (norm - 1).clamp(min=0) if self.one_sided else norm - 1
        return self.weight * excess.square().mean()


class DRAGAN(GradientPenalty):
    """lambda E (|grad D| - 1)^2 around the real images (Kodali et al., 2017, eq. 2).

    As in the authors' code, a point lies at a random distance between a real image and the image
    with uniform noise added, of half the standard deviation of the batch: x + epsilon c s u, with u
    uniform in [0, 1) for each pixel and epsilon for each image. s is that of a device's batch (of a
    part of it where ``accumulate`` cuts it).

    Args:
        weight: lambda.
        spread: c, noise amplitude in standard deviations of the batch.
        every: as in :class:`Regularizer`.
    """

    def __init__(self, weight: float = 10.0, spread: float = 0.5, every: int = 1) -> None:
        super().__init__(weight, every=every)
        self.spread = spread

    def points(self, out: DiscriminatorOutputs) -> Tensor:
        """Return the point at epsilon between each real image and the perturbed one."""
        real = out.real.detach()
        noise = self.spread * real.std(correction=0) * torch.rand_like(real)
        return real + per_row(out.batch.epsilon, real) * noise


def compile_norms(terms: Iterable[nn.Module]) -> None:
    """Let compiled functions compute the norms of these terms that are found by differentiation.

    Terms of the user's own are left as they are, since they may ask for another pass.
    """
    if not CompiledNorm.supported():
        return
    own = R1, R2, GradientPenalty, DRAGAN
    for term in terms:
        if isinstance(term, own) and type(term) in own and type(term.form) is ExactNorm:
            term.form = CompiledNorm()
