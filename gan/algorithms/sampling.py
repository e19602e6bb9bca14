"""How a trained game is sampled: truncation, standing statistics, Langevin steps."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from tqdm import tqdm

from gan.algorithms.latent import LatentGame, evaluating
from gan.errors import InputError
from gan.latents import Truncated, keyed_generator, keyed_seed
from gan.networks.base import Discriminator
from gan.networks.style import StyleGenerator

_BATCH = 100  # images at once
_COUNT = "num_batches_tracked"
_STATISTICS, _NOISE = (0, 1), (0, 2)  # ends of keys; those of training have no 0 there


def _norms(network: nn.Module) -> list[_BatchNorm]:
    """Return the layers that normalise by the statistics of batches of the past."""
    return [
        m for m in network.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None
    ]


@contextmanager
def _gathering(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Let layers take the plain mean of the statistics of the batches that pass for a while."""
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


def stand(game: LatentGame, batches: int, size: int = _BATCH) -> None:
    """Give the averaged generator standing statistics, in place.

    Each batch normalisation gets the plain mean over the batches of their mean and unbiased
    variance, those of a generator that normalises by the batch at hand. Latents are the prior's,
    keyed by the game's seed, labels the classes in turn; nothing else changes: no weight, mode or
    random state.

    Source: Brock et al., 2019, section 3 and appendix C.

    Args:
        game: whose samples are wanted; its prior is that of the latents.
        batches: at least 1.
        size: latents of a batch, at least 2.

    Raises:
        InputError: if there is no batch normalisation, or a number is out of range.
    """
    if batches < 1 or size < 2:
        raise InputError(f"standing={batches} must be 1 or more, of batches of {size}, 2 or more")
    norms = _norms(game.averaged)
    if not norms:
        raise InputError("standing: the generator has no batch normalisation: leave standing out")
    devices = [game.device] if game.device.type == "cuda" else []
    with evaluating(game.averaged), _gathering(norms), torch.random.fork_rng(devices):
        for batch in tqdm(range(batches), "standing statistics", leave=False, disable=None):
            _pass(game, (game.seed, batch, *_STATISTICS), size)


def _pass(game: LatentGame, key: Sequence[int], size: int) -> None:
    """Let ``size`` latents of a key pass the averaged generator."""
    torch.manual_seed(keyed_seed(*key))  # of noise within the generator
    z, y = game.prior.sample(size, keyed_generator(*key)), game.labels_for(size, None)
    game.averaged(z.to(game.device), None if y is None else y.to(game.device))


@dataclass(frozen=True)
class Sampling:
    """What is changed of a game before it is sampled.

    Attributes:
        truncation: bound on each number of a latent, or ``None``.
        standing: batches of standing statistics, those of the truncated prior; 0 keeps the
            statistics of training.
        psi: how far a style may lie from the mean style, as a share (Karras et al., 2019, section
            2.2), or ``None``.

    Raises:
        InputError: if one is out of range.
    """

    truncation: float | None = None
    standing: int = 0
    psi: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        if self.truncation is not None and not self.truncation > 0:
            raise InputError(f"truncation={self.truncation}: give a number above 0")
        if self.standing < 0:
            raise InputError(f"standing={self.standing}: give a number of batches from 0")
        if self.psi is not None and not math.isfinite(self.psi):
            raise InputError(f"psi={self.psi}: give a number, 0 for the mean style, 1 for all")

    def apply(self, game: LatentGame) -> LatentGame:
        """Change ``game`` in place and return it.

        Raises:
            InputError: if its prior cannot be cut, or it has no batch normalisation or styles.
        """
        if self.psi is not None:
            if not isinstance(game.averaged, StyleGenerator):
                raise InputError("psi: the generator has no styles: give truncation instead")
            game.averaged.psi = float(self.psi)
        if self.truncation is not None:
            game.prior = Truncated(game.prior, self.truncation)
        if self.standing:
            stand(game, self.standing)
        return game

    def stamp(self) -> dict[str, Any]:
        """Return what numbers depend on besides, nothing where nothing is changed."""
        stamp: dict[str, Any] = {}
        if self.truncation is not None:
            stamp["truncation"] = float(self.truncation)
        if self.standing:
            stamp["standing"] = f"{self.standing} batches of {_BATCH}"
        if self.psi is not None:
            stamp["psi"] = float(self.psi)
        return stamp


def changes(stamp: Mapping[str, Any]) -> str:
    """Return what a stamp says of :class:`Sampling`, such as ", truncation 0.7"."""
    names = (field.name for field in fields(Sampling))
    return "".join(f", {name} {stamp[name]}" for name in names if name in stamp)


class Langevin:
    """Latents that the discriminator finds likelier: z <- z - eps/2 grad E(z) + sqrt(eps) n.

    E(z) = -log p(z) - D(G(z)), n standard normal. Without a rejection step, so that what the chain
    settles on is off by the order of eps: for D = 0 a variance of 1 / (1 - eps/4). The logit D is
    taken as it comes, which is a log density ratio at the optimum of a logistic loss alone; images
    come from the averaged weights and pass no augmentation.

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

    def __call__(self, game: LatentGame, z: Tensor, labels: Tensor | None, seed: int) -> Tensor:
        """Return where the chains of latents (n, dim) end, on the CPU.

        Args:
            game: with a Gaussian prior and a discriminator of one logit an image.
            z: latent k is that of image k.
            labels: (n,), or ``None`` for an unconditional model.
            seed: chain k depends on (seed, k), its latent and its label alone.

        Raises:
            InputError: if the game has no such prior or logits, or a chain leaves all bounds.
        """
        with evaluating(game.averaged), evaluating(game.discriminator), torch.enable_grad():
            _refuse(game, z[:2], None if labels is None else labels[:2])
            parts = []
            for start in range(0, len(z), _BATCH):
                part = range(start, min(start + _BATCH, len(z)))
                y = None if labels is None else labels[part.start : part.stop].to(game.device)
                parts.append(self._walk(game, z[part.start : part.stop], y, part, seed))
        ends = torch.cat(parts)
        if not ends.isfinite().all():
            raise InputError(
                f"langevin_step={self.step_size}: the chains leave all bounds: lower it"
            )
        return ends

    def _walk(
        self, game: LatentGame, z: Tensor, y: Tensor | None, indices: range, seed: int
    ) -> Tensor:
        """Return where the chains of some images end."""
        keys = [keyed_generator(seed, k, *_NOISE) for k in indices]
        title = f"langevin, images from {indices.start}"
        z = z.to(game.device)
        for _ in tqdm(range(self.steps), title, leave=False, disable=None):
            z.requires_grad_()
            (slope,) = torch.autograd.grad(_energy(game, z, y).sum(), z)
            noise = torch.cat([torch.randn(1, z.shape[1], generator=key) for key in keys]).to(z)
            z = z.detach() - self.step_size / 2 * slope + math.sqrt(self.step_size) * noise
        return z.cpu()


def _logits(game: LatentGame, z: Tensor, y: Tensor | None) -> Tensor:
    """Return what the discriminator says of the images of latents (n, dim)."""
    logits: Tensor = game.discriminator(game.averaged(z, y), y)
    return logits


def _energy(game: LatentGame, z: Tensor, y: Tensor | None) -> Tensor:
    """Return E(z), (n,)."""
    return game.prior.energy(z) - _logits(game, z, y)


@torch.no_grad()
def _refuse(game: LatentGame, z: Tensor, y: Tensor | None) -> None:
    """Refuse a game without an energy, or whose logits are not each of one image alone."""
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
            "langevin: the discriminator compares the images of a batch, so that no image has a "
            "logit of its own: leave langevin out"
        )
