"""The interface of augmentations of the discriminator's input."""

from torch import Tensor, nn


class Augmentation(nn.Module):
    """The identity, and the base class of augmentations.

    A subclass is differentiable with respect to the images. It may adapt in :meth:`observe`.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return augmented images, (B, C, H, W) in [-1, 1], the input of the discriminator."""
        return images

    def substitute_reals(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the images used as real ones in the discriminator's update, (B, C, H, W)."""
        return real

    def observe(self, real_logits: Tensor) -> None:
        """Use the logits of real images, once per discriminator update."""

    def readings(self) -> dict[str, Tensor]:
        """Return values to log, by name."""
        return {}
