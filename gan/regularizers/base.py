"""The interface of regularizers: what joins a player's loss beside the adversarial term."""

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
        z: latents of ``fake``, (B, latent_dim).
        generate: latents -> images under the same labels, without gradients.
    """

    critic: Callable[[Tensor], Tensor]
    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    real_features: Tensor
    fake_features: Tensor
    epsilon: Tensor
    z: Tensor
    generate: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Attempt:
    """What the generator did in its turn.

    Attributes:
        generator: the network itself.
        generate: latents -> images under the same labels, differentiable.
        z: latents (B, latent_dim).
        fake: generate(z), (B, C, H, W).
        fake_logits: what the discriminator says of them.
        fake_features: h of the fakes, of which the logits are scores.
        real_features: -> h of as many real images, without gradients.
        labels: (B,), or ``None``.
        trace: latents and labels -> what images are a smooth function of, and the images.
    """

    generator: nn.Module
    generate: Callable[[Tensor], Tensor]
    z: Tensor
    fake: Tensor
    fake_logits: Tensor
    fake_features: Tensor
    real_features: Callable[[], Tensor]
    labels: Tensor | None
    trace: Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]


class Regularizer(nn.Module, ABC):
    """A term in either player's loss, a choice among its logits, or a projection of D's weights.

    Args:
        every: updates of its player between two uses (lazy regularization, Karras et al., 2020);
            when due, the term is worth ``every`` times as much.

    Attributes:
        needs_real_gradient: the verdict's real images must be attached to their logits.
        needs_fake_gradient: the verdict's fake images must be attached to their logits.
        per_sample: the term means something only if an image's logit depends on that image alone,
            so it excludes batch normalisation and packing in the discriminator.
        clips: it bounds weights as they are stored, which excludes equalised ones.
        selective: it chooses among the generator's logits, which excludes losses in pairs.
    """

    needs_real_gradient: bool = False
    needs_fake_gradient: bool = False
    per_sample: bool = False
    clips: bool = False
    selective: bool = False

    def __init__(self, every: int = 1) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"regularizers: every={every} must be at least 1")
        self.every = every

    def penalty(self, verdict: Verdict) -> Tensor | None:
        """Return the term of the discriminator's loss, a scalar, or ``None`` for none."""
        return None

    def generator_penalty(self, attempt: Attempt) -> Tensor | None:
        """Return the term of the generator's loss, a scalar, or ``None`` for none."""
        return None

    def select(self, fake_logits: Tensor, images: int) -> Tensor:
        """Return the logits (k,) that count in the generator's loss, after ``images`` real ones."""
        return fake_logits

    @torch.no_grad()
    def project(self, discriminator: nn.Module) -> None:
        """Bring the discriminator's weights back into the allowed set, after its update."""
