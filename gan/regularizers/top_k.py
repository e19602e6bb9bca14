"""Top-k training of the generator."""

from torch import Tensor

from gan.errors import InputError
from gan.regularizers.base import Regularizer, mean_over_patches


class TopK(Regularizer):
    """G is trained on the k fakes of highest logit (Sinha et al., 2020).

    k = max(gamma^(images / epoch_images), nu) B, rounded, at least 1: from the whole batch down to
    its share ``nu``. Deviation: a function of images seen, where the paper lowers k by gamma at the
    end of an epoch. B is the batch of a device; each device selects its own fakes.

    Args:
        gamma: factor of k per epoch, in (0, 1].
        nu: smallest share of the batch, in (0, 1].
        epoch_images: real images of an epoch; 50,000 are CIFAR-10's.
        every: as in :class:`Regularizer`.

    Raises:
        InputError: if a number is out of range.
    """

    selective = True

    def __init__(
        self, gamma: float = 0.99, nu: float = 0.5, epoch_images: int = 50_000, every: int = 1
    ) -> None:
        super().__init__(every)
        if not (0 < gamma <= 1 and 0 < nu <= 1 and epoch_images >= 1):
            raise InputError(
                f"regularizers.top_k: gamma={gamma} and nu={nu} must lie in (0, 1], "
                f"epoch_images={epoch_images} must be at least 1"
            )
        self.gamma, self.nu, self.epoch_images = gamma, nu, epoch_images

    def kept(self, batch: int, images: int) -> int:
        """Return k of ``batch`` fakes after ``images`` real images."""
        share: float = max(self.gamma ** (images / self.epoch_images), self.nu)
        return max(round(share * batch), 1)

    def select(self, fake_logits: Tensor, images: int) -> Tensor:
        """Return the k highest of logits (B,).

        Of two margins (B, 2) the first ranks, of maps of logits (B, h, w) the mean.
        """
        k = self.kept(len(fake_logits), images)
        rank = mean_over_patches(fake_logits).view(len(fake_logits), -1)[:, 0]
        return fake_logits[rank.topk(k).indices]
