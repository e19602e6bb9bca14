"""Perceptual path length: how much images change for small steps between latents."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from gan.algorithms.latent import LatentGame
from gan.backbones.base import Backbone
from gan.backbones.dataset import ImageDataset
from gan.errors import InputError
from gan.metrics.base import Stamp
from gan.metrics.image_distance import FeatureDistance, ImageDistance
from gan.metrics.model_metric import ModelMetric
from gan.progress import bar

BATCH = 100  # steps


@contextmanager
def full_float32() -> Iterator[None]:
    """Compute products of float32 without TF32, whose 10 bits do not resolve small steps."""
    switches = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "ieee"
        yield
    finally:
        for switch, precision in zip(switches, before, strict=True):
            switch.fp32_precision = precision


def trim(values: Tensor, lower: float, upper: float) -> Tensor:
    """Return the values (n,) between two percentiles, each rounded outwards to one of them."""
    low = float(np.percentile(values.numpy(), lower, method="lower"))
    high = float(np.percentile(values.numpy(), upper, method="higher"))
    return values[(values >= low) & (values <= high)]


class PerceptualPathLength(ModelMetric):
    """Perceptual path length in z, keys "ppl" and "ppl_std": lower is smoother.

    Karras et al., 2019, eq. 2, as defined by torch-fidelity: the mean squared distance of G(a) and
    G(b) over epsilon^2, without the smallest and the largest percent; a is a latent and b = lerp(a,
    c, epsilon) for another latent c. Deviation from the paper: it interpolates along a great
    circle, starting from a random point on it. A linear step from a Gaussian latent also shortens
    it, so the values do not compare.

    Images are not rounded, as in NVIDIA's code (torch-fidelity rounds to 8 bits by default): after
    rounding, a step of 1e-4 changes few pixels, each by a whole level. A conditional model
    generates the classes in turn, with the same class at both ends of a step.

    Args:
        similarity: distance of images; None is that of the features of the backbone.
        count: number of steps.
        epsilon: length of a step relative to the distance of the latents, in (0, 1].
        discard: percentiles below and above which steps are left out; (0, 100) keeps all.

    Raises:
        InputError: a number is out of range.
    """

    name = "ppl"

    def __init__(
        self,
        similarity: ImageDistance | None = None,
        count: int = 10_000,
        epsilon: float = 1e-4,
        discard: tuple[float, float] = (1.0, 99.0),
    ) -> None:
        self.similarity = similarity or FeatureDistance()
        self.count, self.epsilon = count, epsilon
        self.lower, self.upper = discard
        if count < 1 or not 0 < epsilon <= 1:
            raise InputError(
                f"ppl.count={count} must be 1 or more and ppl.epsilon={epsilon} in (0, 1]"
            )
        if not 0 <= self.lower < self.upper <= 100:
            raise InputError(f"ppl.discard={list(discard)}: give two rising percentiles in 0..100")

    def check(self, game: LatentGame, dataset: ImageDataset) -> None:
        """Refuse images of another shape than the data, and prepare the distance.

        Raises:
            InputError: with the reason, such as weights that are not available.
        """
        super().check(game, dataset)
        self.similarity.prepare(game.device)

    def check_backbone(self, dataset: ImageDataset, backbone: Backbone) -> None:
        """Compute the distance of one gray image to itself.

        Raises:
            InputError: the distance cannot use this backbone.
        """
        device = next((value.device for value in backbone.state_dict().values()), None)
        gray = torch.zeros(
            1, dataset.channels, dataset.resolution, dataset.resolution, device=device
        )
        self.similarity.prepare(gray.device)
        self.similarity(gray, gray, backbone)

    def measure(
        self, game: LatentGame, dataset: ImageDataset, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """Return mean and standard deviation of the lengths, without the smallest and largest."""
        self.similarity.prepare(game.device)
        lengths = trim(self.lengths(game, backbone, seed), self.lower, self.upper)
        return {"ppl": float(lengths.mean()), "ppl_std": float(lengths.std(correction=0))}

    def lengths(self, game: LatentGame, backbone: Backbone, seed: int) -> Tensor:
        """Return |G(b) - G(a)|^2 / epsilon^2 of every step, float64 (count,).

        Step k goes from latent 2k towards latent 2k + 1.
        """
        parts = []
        with full_float32(), bar("path length", self.count) as progress:
            for start in range(0, self.count, BATCH):
                steps = range(start, min(start + BATCH, self.count))
                parts.append(self._lengths(game, backbone, seed, steps))
                progress.update(len(steps))
        return torch.cat(parts)

    def _lengths(self, game: LatentGame, backbone: Backbone, seed: int, steps: range) -> Tensor:
        """Return |G(b) - G(a)|^2 / epsilon^2 of some steps, float64 (n,)."""
        z = game.prior.sample_each(seed, range(2 * steps.start, 2 * steps.stop))
        classes = game.generator.num_classes
        labels = torch.tensor(steps) % classes if classes else None
        # two passes of one shape, so that the kernels round equally
        ends = z[::2], torch.lerp(z[::2], z[1::2], self.epsilon)
        near, far = (game.decode(end, labels).to(game.device) for end in ends)
        return self.similarity(near, far, backbone).double().cpu() / self.epsilon**2

    def stamp(self) -> Stamp:
        """Return the distance and the steps."""
        return {
            "ppl_similarity": self.similarity.name,
            "ppl_count": self.count,
            "ppl_epsilon": self.epsilon,
            "ppl_discard": f"{self.lower:g} {self.upper:g}",
        }
