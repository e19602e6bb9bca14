"""The interface of the discriminator's regularizers."""

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Verdict:
    """What the discriminator said in its turn.

    Attributes:
        critic: images -> logits, labels and augmentation included.
        real: real images (B, C, H, W), attached to ``real_logits`` where a penalty asked for it.
        fake: generated images (B, C, H, W), likewise.
        real_logits: critic(real).
        fake_logits: critic(fake).
        real_features: h of the real images, of which the logits are scores.
        fake_features: likewise.
        epsilon: uniform in [0, 1), one number an image, (B,), for the points of a penalty.
    """

    critic: Callable[[Tensor], Tensor]
    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    real_features: Tensor
    fake_features: Tensor
    epsilon: Tensor


class Regularizer(nn.Module, ABC):
    """A term in the discriminator's loss, or a projection of its weights.

    Args:
        every: discriminator updates between two uses (lazy regularization, Karras et al., 2020);
            when due, the term is worth ``every`` times as much.

    Attributes:
        needs_real_gradient: the verdict's real images must be attached to their logits.
        needs_fake_gradient: the verdict's fake images must be attached to their logits.
        per_sample: the term means something only if an image's logit depends on that image alone,
            so it excludes batch normalisation in the discriminator.
    """

    needs_real_gradient: bool = False
    needs_fake_gradient: bool = False
    per_sample: bool = False

    def __init__(self, every: int = 1) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"regularizers: every={every} must be at least 1")
        self.every = every

    def penalty(self, verdict: Verdict) -> Tensor:
        """Return the term, a scalar; zero where the regularizer only projects."""
        return verdict.real_logits.new_zeros(())

    @torch.no_grad()
    def project(self, discriminator: nn.Module) -> None:
        """Bring the discriminator's weights back into the allowed set, after its update."""
