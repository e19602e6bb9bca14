"""Perceptual path length: how fast images change along the way between latents."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from gan.algorithms.latent import LatentGame
from gan.backbones.base import Backbone
from gan.backbones.source import RealSource
from gan.errors import InputError
from gan.metrics.image_distance import FeatureDistance, ImageDistance
from gan.metrics.probe import Probe

BATCH = 100


@contextmanager
def whole_float32() -> Iterator[None]:
    """Products of float32 in float32: with TF32's 10 bits, nearby images would be equal."""
    switches = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "ieee"
        yield
    finally:
        for switch, precision in zip(switches, before, strict=True):
            switch.fp32_precision = precision


def kept(values: Tensor, lower: float, upper: float) -> Tensor:
    """The values (n,) between two percentiles, each rounded outwards to a value that occurs."""
    low = float(np.percentile(values.numpy(), lower, method="lower"))
    high = float(np.percentile(values.numpy(), upper, method="higher"))
    return values[(values >= low) & (values <= high)]


class PerceptualPathLength(Probe):
    """Perceptual path length in z, keys "ppl" and "ppl_std": lower is smoother.

    Karras et al., 2019, eq. 2, by torch-fidelity's definition: the mean of the squared distance of
    G(a) and G(b) over epsilon^2, a being a latent and b epsilon of the straight way to another,
    without the smallest and the largest percent. Departs from the paper, which steps along the
    great circle from any place on it: a straight step from a Gaussian latent also shortens it, and
    the two numbers do not compare.

    Images are not rounded (NVIDIA's code; torch-fidelity's default wants 8 bits): a step of 1e-4
    moves few pixels by half a byte, and those that it moves count thousands of times too much.
    A conditional model takes its classes in turn, both ends of a step the same.

    Args:
        similarity: distance of images; None is that of the backbone's features.
        count: steps.
        epsilon: length of a step as a part of the way, in (0, 1].
        discard: percentiles below and above which steps are left out; (0, 100) keeps all.
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

    def check(self, game: LatentGame, source: RealSource) -> None:
        """Also readies the distance.

        Raises:
            InputError: its weights cannot be had.
        """
        super().check(game, source)
        self.similarity.prepare(game.device)

    def check_backbone(self, source: RealSource, backbone: Backbone) -> None:
        """Looks at one gray image.

        Raises:
            InputError: the distance cannot use this backbone.
        """
        device = next((value.device for value in backbone.state_dict().values()), None)
        gray = torch.zeros(1, source.channels, source.resolution, source.resolution, device=device)
        self.similarity.prepare(gray.device)
        self.similarity(gray, gray, backbone)

    def measure(
        self, game: LatentGame, source: RealSource, backbone: Backbone, seed: int
    ) -> dict[str, float]:
        """Mean and standard deviation of the steps' lengths that are kept."""
        self.similarity.prepare(game.device)
        lengths = kept(self.lengths(game, backbone, seed), self.lower, self.upper)
        return {"ppl": float(lengths.mean()), "ppl_std": float(lengths.std(correction=0))}

    def lengths(self, game: LatentGame, backbone: Backbone, seed: int) -> Tensor:
        """Squared speed of every step, float64 (count,); step k leads from latent 2k to 2k + 1."""
        parts = []
        with (
            whole_float32(),
            tqdm(total=self.count, desc="path length", unit="step", leave=False) as bar,
        ):
            for start in range(0, self.count, BATCH):
                steps = range(start, min(start + BATCH, self.count))
                parts.append(self._lengths(game, backbone, seed, steps))
                bar.update(len(steps))
        return torch.cat(parts)

    def _lengths(self, game: LatentGame, backbone: Backbone, seed: int, steps: range) -> Tensor:
        """Squared speed of some steps, float64 (n,)."""
        z = game.prior.sample_each(seed, range(2 * steps.start, 2 * steps.stop))
        classes = game.generator.num_classes
        labels = torch.tensor(steps) % classes if classes else None
        # two passes of one shape, so that the kernels round alike
        ends = z[::2], torch.lerp(z[::2], z[1::2], self.epsilon)
        near, far = (game.decode(end, labels).to(game.device) for end in ends)
        return self.similarity(near, far, backbone).double().cpu() / self.epsilon**2

    def stamp(self) -> dict[str, str | int | float]:
        """The distance and the steps."""
        return {
            "ppl_similarity": self.similarity.name,
            "ppl_count": self.count,
            "ppl_epsilon": self.epsilon,
            "ppl_discard": f"{self.lower:g} {self.upper:g}",
        }
