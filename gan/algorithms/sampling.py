"""Sampling of a trained game: truncation, standing statistics, Langevin steps."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan.algorithms.latent import LatentGame, evaluating
from gan.errors import InputError
from gan.latents import Truncated, keyed_generator, keyed_seed
from gan.networks.base import Discriminator
from gan.networks.style import StyleGenerator
from gan.progress import track
from gan.settings.sampling import STANDING_BATCH, Sampling

_BATCH = 100  # images at once
_COUNT = "num_batches_tracked"
_STATISTICS, _NOISE = (0, 1), (0, 2)  # last parts of keys; keys of training have no 0 there


def _norms(network: nn.Module) -> list[_BatchNorm]:
    """Return the batch normalisation layers that keep running statistics."""
    return [
        m for m in network.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None
    ]


@contextmanager
def _averaging_statistics(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Set the running statistics to the mean over the batches that pass inside the context."""
    before = [(norm.momentum, norm.get_buffer(_COUNT).clone()) for norm in norms]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.training, norm.momentum = True, None
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum = momentum
            norm.get_buffer(_COUNT).copy_(count)


def set_standing_statistics(game: LatentGame, batches: int, size: int = STANDING_BATCH) -> None:
    """Compute standing statistics for the averaged generator, in place.

    The running mean and variance of each batch normalisation become the mean over the batches of
    their mean and unbiased variance, computed in training mode. Latents are drawn from the prior,
    keyed by the game's seed; labels are the classes in turn. Weights, modes and random states do
    not change.

    Source: Brock et al., 2019, section 3 and appendix C.

    Args:
        game: to be sampled.
        batches: at least 1.
        size: latents per batch, at least 2.

    Raises:
        InputError: if there is no batch normalisation, or a number is out of range.
    """
    if batches < 1 or size < 2:
        raise InputError(f"standing={batches} must be 1 or more, of batches of {size}, 2 or more")
    norms = _norms(game.averaged)
    if not norms:
        raise InputError("standing: the generator has no batch normalisation: leave standing out")
    devices = [game.device] if game.device.type == "cuda" else []
    with evaluating(game.averaged), _averaging_statistics(norms), torch.random.fork_rng(devices):
        for batch in track(range(batches), "standing statistics", batches, "batch"):
            _generate(game, (game.seed, batch, *_STATISTICS), size)


def _generate(game: LatentGame, key: Sequence[int], size: int) -> None:
    """Generate images of ``size`` latents of a key, for the statistics."""
    torch.manual_seed(keyed_seed(*key))  # of noise within the generator
    z, y = game.prior.sample(size, keyed_generator(*key)), game.labels_for(size, None)
    game.averaged(z.to(game.device), None if y is None else y.to(game.device))


def apply_sampling(game: LatentGame, sampling: Sampling) -> LatentGame:
    """Apply settings of sampling to ``game`` in place and return it.

    Raises:
        InputError: if its prior cannot be truncated, or it lacks batch normalisation or styles.
    """
    if sampling.psi is not None:
        if not isinstance(game.averaged, StyleGenerator):
            raise InputError("psi: the generator has no styles: give truncation instead")
        game.averaged.psi = float(sampling.psi)
    if sampling.truncation is not None:
        game.prior = Truncated(game.prior, sampling.truncation)
    if sampling.standing:
        set_standing_statistics(game, sampling.standing)
    return game


class Langevin:
    """Langevin dynamics of latents: z <- z - eps/2 grad E(z) + sqrt(eps) n.

    E(z) = -log p(z) - D(G(z)), n standard normal. There is no rejection step, so the stationary
    distribution has an error of the order of eps: for D = 0 a variance of 1 / (1 - eps/4). The
    logit D is a log density ratio only at the optimum of a logistic loss. Images are
    generated with the averaged weights and are not augmented.

    Source: Che et al., 2020, Your GAN is Secretly an Energy-based Model, algorithm 1.

    Args:
        steps: at least 1.
        step_size: eps, above 0.

    Raises:
        InputError: if one is out of range.
    """

    def __init__(self, steps: int, step_size: float = 0.01) -> None:
        if steps < 1 or not 0 < step_size < math.inf:
            raise InputError(
                f"langevin={steps} must be 1 or more and langevin_step={step_size} above 0"
            )
        self.steps, self.step_size = steps, step_size

    def __call__(
        self, game: LatentGame, z: Tensor, labels: Tensor | None, seed: int, first: int = 0
    ) -> Tensor:
        """Return the last latents (n, dim) of the chains, on the CPU.

        Args:
            game: with a Gaussian prior and a discriminator of one logit an image.
            z: first latents of the chains, (n, dim).
            labels: (n,), or ``None`` for an unconditional model.
            seed: chain k depends on (seed, k), its latent and its label alone.
            first: k of the first chain.

        Raises:
            InputError: if the game has no such prior or logits, or a chain diverges.
        """
        judge = game.discriminator or nn.Identity()
        with evaluating(game.averaged), evaluating(judge), torch.enable_grad():
            _check_energy(game, z[:2], None if labels is None else labels[:2])
            parts = []
            for start in range(0, len(z), _BATCH):
                rows = slice(start, start + _BATCH)
                y = None if labels is None else labels[rows].to(game.device)
                parts.append(self._run(game, z[rows], y, first + start, seed))
        ends = torch.cat(parts)
        if not ends.isfinite().all():
            raise InputError(f"langevin_step={self.step_size}: the chains diverge: lower it")
        return ends

    def _run(self, game: LatentGame, z: Tensor, y: Tensor | None, first: int, seed: int) -> Tensor:
        """Return the last latents of the chains of some images."""
        keys = [keyed_generator(seed, first + k, *_NOISE) for k in range(len(z))]
        title = f"langevin, images from {first}"
        z = z.to(game.device)
        for _ in track(range(self.steps), title, self.steps):
            z.requires_grad_()
            (slope,) = torch.autograd.grad(_energy(game, z, y).sum(), z)
            noise = torch.cat([torch.randn(1, z.shape[1], generator=key) for key in keys]).to(z)
            z = z.detach() - self.step_size / 2 * slope + math.sqrt(self.step_size) * noise
        return z.cpu()


def _logits(game: LatentGame, z: Tensor, y: Tensor | None) -> Tensor:
    """Return the logits of the images of latents (n, dim)."""
    assert game.discriminator is not None
    logits: Tensor = game.discriminator(game.judged(game.averaged(z, y), z), y)
    return logits


def _energy(game: LatentGame, z: Tensor, y: Tensor | None) -> Tensor:
    """Return E(z), (n,)."""
    return game.prior.energy(z) - _logits(game, z, y)


@torch.no_grad()
def _check_energy(game: LatentGame, z: Tensor, y: Tensor | None) -> None:
    """Refuse a game whose prior has no energy, or whose logits depend on other images."""
    game.prior.energy(z)
    if not isinstance(game.discriminator, Discriminator):
        raise InputError("langevin: the model has no discriminator of logits: leave langevin out")
    together = getattr(game, "pack", 1) > 1
    if not together:
        z, y = z.to(game.device), None if y is None else y.to(game.device)
        logits, alone = _logits(game, z, y), _logits(game, z[:1], None if y is None else y[:1])
        if logits.shape != z.shape[:1]:
            raise InputError(
                f"langevin: the discriminator gives logits of shape {tuple(logits.shape[1:])} an "
                "image where one number is needed: leave langevin out"
            )
        together = not torch.allclose(alone, logits[:1], rtol=1e-3, atol=1e-3)
    if together:
        raise InputError(
            "langevin: the logit of an image depends on other images of its batch: leave langevin "
            "out"
        )
