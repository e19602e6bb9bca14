"""The interface of augmentations of the discriminator's input."""

from torch import Tensor, nn


class Augmentation(nn.Module):
    """The identity, and the base class of augmentations.

    A subclass is differentiable with respect to the images. It may adapt to the discriminator in
    :meth:`adapt`.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return augmented images, (B, C, H, W) in [-1, 1], the input of the discriminator."""
        return images

    def substitute_reals(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the images used as real ones in the discriminator's update, (B, C, H, W)."""
        return real

    def observe(self, real_logits: Tensor) -> None:
        """Keep what the augmentation adapts to, of logits of real images.

        They are those of an update of the discriminator, or of a part of it.
        """

    def adapt(self) -> None:
        """Adapt to the logits observed since the last call, once a discriminator update."""

    def readings(self) -> dict[str, Tensor]:
        """Return values to log, by name."""
        return {}
