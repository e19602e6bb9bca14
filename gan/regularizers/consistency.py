"""Consistency of the discriminator on real images."""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import mse_loss

from gan.regularizers.base import DiscriminatorOutputs, Networks, Regularizer


def distance(networks: Networks, *outputs: tuple[Tensor, Tensor]) -> Tensor:
    """Return the mean squared difference of the discriminator's outputs on two sets of images.

    Where the discriminator has a classifier, that of the classifier's outputs is added, as in
    StudioGAN: class logits, or the embeddings of a contrastive head.

    Args:
        networks: of the game.
        outputs: logits and features h of each set.
    """
    (logits, h), (other_logits, other_h) = outputs
    difference = mse_loss(logits, other_logits)
    classes, other_classes = networks.class_outputs(h), networks.class_outputs(other_h)
    if classes is None or other_classes is None:
        return difference
    return difference + mse_loss(classes, other_classes)


class ConsistencyRegularization(Regularizer):
    """weight * E (D(x) - D(T(x)))^2 on real images (Zhang et al., 2020, algorithm 1).

    D is the logit, augmentation included, and the outputs of a classifier, if there is one (see
    :func:`distance`); gradients flow through both sides. Batch normalisation
    and packing are allowed: D gets x and T(x) as two whole batches, and the term needs no logit
    that depends on one image alone.

    Args:
        transform: T, images -> images that show the same; random.
        weight: lambda.
        every: as in :class:`Regularizer`.
    """

    transforms_images = True

    def __init__(
        self, transform: Callable[[Tensor], Tensor], weight: float = 10.0, every: int = 1
    ) -> None:
        super().__init__(every)
        self.transform, self.weight = transform, weight

    def penalty(self, out: DiscriminatorOutputs, networks: Networks) -> Tensor:
        """Return the term, with D's outputs on T(x)."""
        moved = networks.discriminate(self.transform(out.real.detach()), out.batch.labels)
        return self.weight * distance(networks, moved, (out.real_logits, out.real_features))
