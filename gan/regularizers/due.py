"""The regularizers that take part in one update."""

from torch import Tensor, nn

from gan.layers.precision import full_precision
from gan.regularizers.base import (
    DiscriminatorOutputs,
    GeneratorOutputs,
    Networks,
    Regularizer,
)


class DueRegularizers(dict[str, Regularizer]):
    """Regularizers by log name, those of one update of a player.

    Their terms are computed in full precision, whatever the precision of training, and multiplied
    by the number of updates between two uses.
    """

    def attach(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return both images, detached, as leaves that require the gradients which terms need."""
        needs_real = any(regularizer.needs_real_gradient for regularizer in self.values())
        needs_fake = any(regularizer.needs_fake_gradient for regularizer in self.values())
        real, fake = real.detach(), fake.detach()
        return real.requires_grad_(needs_real), fake.requires_grad_(needs_fake)

    def penalties(self, out: DiscriminatorOutputs, networks: Networks) -> dict[str, Tensor]:
        """Return the terms of the discriminator's loss by log name."""
        with full_precision(out.real.device):
            return self._weighted({k: r.penalty(out, networks) for k, r in self.items()})

    def generator_penalties(self, out: GeneratorOutputs, networks: Networks) -> dict[str, Tensor]:
        """Return the terms of the generator's loss by log name."""
        with full_precision(out.fake.device):
            return self._weighted({k: r.generator_penalty(out, networks) for k, r in self.items()})

    def _weighted(self, terms: dict[str, Tensor | None]) -> dict[str, Tensor]:
        """Return the terms that exist, multiplied by the updates between two uses."""
        return {k: self[k].every * term for k, term in terms.items() if term is not None}

    def select(self, fake_logits: Tensor, images: int) -> Tensor:
        """Return the logits that the generator's loss is taken over, after ``images`` real ones."""
        for regularizer in self.values():
            fake_logits = regularizer.select(fake_logits, images)
        return fake_logits

    def project(self, discriminator: nn.Module) -> None:
        """Project the discriminator's weights onto the sets that the regularizers allow."""
        for regularizer in self.values():
            regularizer.project(discriminator)
