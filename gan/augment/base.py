"""The interface of augmentations that both players see."""

from torch import Tensor, nn


class Augmentation(nn.Module):
    """The identity, and the interface of what can replace it.

    A replacement is differentiable with respect to the images and may adapt itself in
    :meth:`observe`.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return the images, (B, C, H, W) in [-1, 1], as the discriminator shall see them."""
        return images

    def substitute_reals(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return what the discriminator shall take for real, (B, C, H, W), at its turn."""
        return real

    def disguise(self, real: Tensor, fake: Tensor) -> Tensor:  # old name
        """Call :meth:`substitute_reals`."""
        return self.substitute_reals(real, fake)

    def observe(self, real_logits: Tensor) -> None:
        """Take note of the logits on real images, once a discriminator turn."""

    def readings(self) -> dict[str, Tensor]:
        """Return what is worth logging, by log name."""
        return {}
