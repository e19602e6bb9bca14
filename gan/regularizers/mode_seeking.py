"""Mode seeking."""

from torch import Tensor
from torch.nn.functional import l1_loss

from gan.errors import InputError
from gan.regularizers.base import GeneratorOutputs, Networks, Regularizer


class ModeSeeking(Regularizer):
    """Different latents give different images (Mao et al., 2019).

    weight / (d(G(z1), G(z2)) / d(z1, z2) + eps) in G's loss, d the mean absolute difference over a
    device's batch: the inverse of the paper's ratio, as in the authors' code. z2 are the latents z1
    of the batch, each the next one's, generated again under the labels of z1. Deviation: the
    authors draw z2 anew, and their adversarial loss has the images of z2 too.

    Args:
        weight: lambda_ms.
        eps: keeps the term finite where all images are equal, above 0.
        every: as in :class:`Regularizer`.

    Raises:
        InputError: if ``eps`` is not above 0.
    """

    needs_latents = True

    def __init__(self, weight: float = 1.0, eps: float = 1e-5, every: int = 1) -> None:
        super().__init__(every)
        if eps <= 0:
            raise InputError(f"regularizers.mode_seeking.eps={eps}: give a positive number")
        self.weight, self.eps = weight, eps

    def generator_penalty(self, out: GeneratorOutputs, networks: Networks) -> Tensor:
        """Return the term, with the images of the other latents.

        Raises:
            InputError: if there is one image only.
        """
        z = out.latents
        if len(z) < 2:
            raise InputError(
                "regularizers.mode_seeking compares images, but a device has one at a time: "
                "give a larger batch_size or a smaller accumulate"
            )
        others = z.roll(1, 0)
        images = networks.generator(others, out.batch.labels)
        ratio = l1_loss(images, out.fake) / l1_loss(others, z)
        return self.weight / (ratio + self.eps)
