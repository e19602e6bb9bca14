"""The classifier that a discriminator has learned."""

import torch
from torch import Tensor

from gan.algorithms.latent import SAMPLE_BATCH, evaluating
from gan.conditioning.auxiliary import ClassHead
from gan.networks.base import Discriminator


def class_logits(discriminator: Discriminator, images: Tensor) -> Tensor:
    """Return class logits (n, K), float32 on the CPU, of the classifier in evaluation mode.

    Args:
        discriminator: whose head classifies.
        images: (n, C, H, W) in [-1, 1], on any device.
    """
    head, device = discriminator.head, next(discriminator.parameters()).device
    assert isinstance(head, ClassHead)
    with evaluating(discriminator):
        parts = [
            head.classify(discriminator.features(part.to(device))).float().cpu()
            for part in torch.split(images, SAMPLE_BATCH)
        ]
    return torch.cat(parts)
