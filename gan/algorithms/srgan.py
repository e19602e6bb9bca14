"""Super-resolution (Ledig et al., 2017)."""

from typing import Any

import torch
from torch.nn.functional import l1_loss

from gan import processes
from gan.algorithms.restoration import RestorationGame
from gan.algorithms.two_player import Terms
from gan.backbones.perceptual import PerceptualDistance
from gan.batch import PairBatch
from gan.clock import Scheduled
from gan.schedules import Constant, Schedule


class SRGAN(RestorationGame, Scheduled):
    """G is near the image in pixels and in features, and makes D wrong (eq. 3 to 6).

    The adversarial term has a schedule: while it is 0, D is not trained, and G learns from pixels
    and features alone. ``loss=rasgan`` is the relativistic form of ESRGAN (Wang et al., 2018).
    Deviation: L1 instead of the squared difference of pixels, as in ESRGAN, also beside features.

    Args:
        generator: sources to images.
        discriminator: images to logits.
        pixel: weight of the mean absolute difference of pixels.
        adversarial: weight of the adversarial term at the end of its schedule.
        ramp: multiplier of that weight by images seen.
        feature: weight of the distance of features.
        perceptual: distance of features, or ``None`` for none.
        ingredients: see :class:`~gan.algorithms.restoration.RestorationGame`.
    """

    def __init__(
        self,
        *args: Any,
        pixel: float = 1.0,
        adversarial: float = 1e-3,
        ramp: Schedule | None = None,
        feature: float = 1.0,
        perceptual: PerceptualDistance | None = None,
        **ingredients: Any,
    ) -> None:
        super().__init__(*args, **ingredients)
        self.pixel, self.adversarial, self.feature = pixel, adversarial, feature
        self.ramp, self.perceptual = ramp or Constant(), perceptual
        self.set_progress(0)

    def set_progress(self, images: int) -> None:
        """Set the weight of the adversarial term after ``images`` real images."""
        self.weight = self.adversarial * self.ramp(images)

    def setup(self, stage: str) -> None:
        """Prepare the network of the distance of features.

        Raises:
            InputError: if its weights are not available.
        """
        if self.perceptual is not None:
            dataset: Any = self.trainer.datamodule  # type: ignore[attr-defined]
            with processes.first_process_first():
                self.perceptual.prepare(dataset, self.trainer.strategy.root_device)

    @property
    def has_adversary(self) -> bool:
        """Return whether there is an adversarial term by now."""
        return super().has_adversary and self.weight > 0

    def discriminator_loss(self, batch: PairBatch) -> Terms:
        """Return the adversarial term and those of regularizers."""
        with torch.no_grad():
            fake = self.restored(self.generator, batch.source).to(batch.real.dtype)
        return self.discriminator_terms(self.critic, batch, fake)

    def generator_loss(self, batch: PairBatch) -> Terms:
        """Return the terms of pixels and features, and the adversarial one with its weight."""
        real, fake = batch.real, self.restored(self.generator, batch.source)
        terms = {"pixel": self.pixel * l1_loss(fake, real)}
        if self.perceptual is not None:
            terms["feature"] = self.feature * self.perceptual(fake, real)
        judged = self.generator_terms(self.critic, batch, fake)
        if "adversarial" in judged:
            judged["adversarial"] *= self.weight
        return terms | judged
