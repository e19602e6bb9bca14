"""The mechanics of two players, whatever they are told and must answer."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from gan.averaging import Averaging, NoAveraging
from gan.clock import Clock
from gan.errors import InputError
from gan.schedules import Constant, Schedule

Terms = dict[str, Tensor]
Images = tuple[Tensor, Tensor | None]


@dataclass(frozen=True)
class Batch:
    """What one turn is played with.

    Attributes:
        real: images (B, C, H, W) in [-1, 1].
        labels: (B,) of int64, or ``None`` for data without labels.
        z: latents (B, latent_dim).
    """

    real: Tensor
    labels: Tensor | None
    z: Tensor

    def chunks(self, count: int) -> Iterator["Batch"]:
        """Cut the batch into ``count`` equal parts.

        Raises:
            InputError: if ``count`` does not divide it.
        """
        if len(self.real) % count:
            raise InputError(
                f"accumulate={count} does not divide the {len(self.real)} images of a device: "
                "give a number that divides batch_size"
            )
        labels = [None] * count if self.labels is None else self.labels.chunk(count)
        parts = zip(self.real.chunk(count), labels, self.z.chunk(count), strict=True)
        return (Batch(*part) for part in parts)


@contextmanager
def idle(network: nn.Module) -> Iterator[None]:
    """Leave ``network`` untouched bit for bit: no gradients, no recording of batch statistics."""
    weights = [p for p in network.parameters() if p.requires_grad]
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    try:
        for weight in weights:
            weight.requires_grad_(False)
        for norm in norms:
            norm.track_running_stats = False
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
        for norm in norms:
            norm.track_running_stats = True


@dataclass
class Player:
    """One side of the game and how it learns.

    Attributes:
        name: "generator" or "discriminator", the prefix of its log names.
        index: of its optimizer.
        network: what it trains.
        opponent: what stays idle meanwhile.
        schedule: multiplier of the learning rate.
        clip_norm: largest norm of its gradient, or ``None``.
    """

    name: str
    index: int
    network: nn.Module
    opponent: nn.Module
    schedule: Schedule
    clip_norm: float | None

    def tune(self, optimizer: Optimizer, images: int) -> float:
        """Set the learning rate for a turn after ``images`` real images and return it."""
        for group in optimizer.param_groups:
            base = group.setdefault("initial_lr", group["lr"])
            group["lr"] = base * self.schedule(images)
        rate: float = optimizer.param_groups[0]["lr"]
        return rate

    def clip(self) -> Tensor:
        """Clip the gradient to ``clip_norm``, if there is one, and return its norm before."""
        weights = [p for p in self.network.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm([p.grad for p in weights if p.grad is not None])
        if self.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(weights, self.clip_norm, norm)
        return norm


class TwoPlayerGame(pl.LightningModule, ABC):
    """Alternating optimization of a generator and a discriminator.

    A game states its two objectives as dictionaries of named terms that are summed; this class
    plays the turns. One *step* is ``n_critic`` discriminator turns, each on fresh real images, and
    one generator turn.

    Args:
        generator: the one player.
        discriminator: the other.
        optimizer: for each player, parameters -> optimizer.
        schedule: for each player, multiplier of the learning rate by images seen.
        clip_norm: for each player, largest norm of the gradient or ``None``.
        averaging: of the generator's weights.
        n_critic: discriminator turns a step.
        accumulate: parts into which each batch is cut to save memory; without batch statistics
            the gradient is the whole batch's.
        seed: of all that the game draws.

    Attributes:
        clock: steps and images seen.
        averaged: the generator that samples and metrics come from.
        turn: of the discriminator within the step, from 0.
        measuring: norms of the gradients are wanted among the readings of this step.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizer: Mapping[str, Callable[..., Optimizer]],
        schedule: Mapping[str, Schedule] | None = None,
        clip_norm: Mapping[str, float | None] | None = None,
        averaging: Averaging | None = None,
        n_critic: int = 1,
        accumulate: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = generator, discriminator
        self.optimizer = optimizer
        self.averaging = averaging or NoAveraging()
        self.averaged = self.averaging.copy(generator)
        self.n_critic, self.accumulate, self.seed = n_critic, accumulate, seed
        self.clock, self.turn, self.measuring = Clock(), 0, True
        self.readings: dict[str, Tensor | float] = {}
        self._random: list[Tensor] = []
        self.players = self._seat(schedule or {}, clip_norm or {})
        self._active = self.players[0]

    def _seat(
        self, schedule: Mapping[str, Schedule], clip_norm: Mapping[str, float | None]
    ) -> list[Player]:
        """Return generator and discriminator with what each learns by."""
        sides = {"generator": self.generator, "discriminator": self.discriminator}
        for name in {*self.optimizer, *schedule, *clip_norm} - sides.keys():
            raise InputError(f"{name} is no player: name generator or discriminator")
        for name, bound in clip_norm.items():
            if bound is not None and not (isinstance(bound, int | float) and bound > 0):
                raise InputError(f"clip_norm.{name}={bound}: give a positive number or null")
        opponents = reversed(sides.values())
        return [
            Player(name, i, own, other, schedule.get(name, Constant()), clip_norm.get(name))
            for i, ((name, own), other) in enumerate(zip(sides.items(), opponents, strict=True))
        ]

    @abstractmethod
    def deal(self, images: Images, turn: int) -> Batch:
        """Return what a turn is played with; turn ``n_critic`` is the generator's."""

    @abstractmethod
    def discriminator_loss(self, batch: Batch) -> Terms:
        """Return the terms whose sum the discriminator minimises."""

    @abstractmethod
    def generator_loss(self, batch: Batch) -> Terms:
        """Return the terms whose sum the generator minimises."""

    @abstractmethod
    def validation_step(self, batch: Images, batch_idx: int) -> dict[str, Tensor]:
        """Return images ``real`` and ``fake`` to compare, (B, C, H, W) in [-1, 1]."""

    def after_discriminator(self) -> None:
        """Do what follows each update of the discriminator."""

    def configure_optimizers(self) -> list[Optimizer]:
        """Return the optimizers of generator and discriminator.

        Raises:
            InputError: if an optimizer refuses its settings.
        """
        try:
            return [self.optimizer[p.name](p.network.parameters()) for p in self.players]
        except ValueError as error:
            raise InputError(f"optimizer: {error}") from error

    def training_step(self, batches: Sequence[Images], batch_idx: int) -> dict[str, Any]:
        """Play one step on ``n_critic`` batches and return its readings."""
        self.readings = {}
        generator, discriminator = self.players
        for self.turn, images in enumerate(batches):
            self._play(discriminator, self.discriminator_loss, self.deal(images, self.turn))
            self.after_discriminator()
        self._play(generator, self.generator_loss, self.deal(images, self.n_critic))
        seen = sum(len(real) for real, _ in batches) * self.trainer.world_size
        self.clock.tick(seen)
        self.averaging.update(self.averaged, self.generator, seen, self.clock.images)
        return self.readings

    def _play(self, player: Player, objective: Callable[[Batch], Terms], batch: Batch) -> None:
        """Let ``player`` take its turn while the other is idle."""
        self._active = player
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        optimizer = optimizers[player.index]
        self.readings[f"lr/{player.name}"] = player.tune(optimizer.optimizer, self.clock.images)
        with idle(player.opponent):
            for part in batch.chunks(self.accumulate):
                terms = objective(part)
                self.manual_backward(torch.stack([*terms.values()]).sum() / self.accumulate)
        optimizer.step()
        optimizer.zero_grad()
        self.readings |= {f"{player.name}/{name}": t.detach() for name, t in terms.items()}

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the active player's gradient, after the precision plugin has unscaled it."""
        if self.measuring or self._active.clip_norm is not None:
            self.readings[f"gradient_norm/{self._active.name}"] = self._active.clip()

    def on_train_start(self) -> None:
        """Take up the random state of the checkpoint, if there is one."""
        if self._random:
            cpu, *devices = self._random
            torch.set_rng_state(cpu.cpu())
            torch.cuda.set_rng_state_all([state.cpu() for state in devices])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the clock and the random state, which dropout and penalties draw from."""
        checkpoint["clock"] = self.clock.state_dict()
        checkpoint["random"] = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the clock, and let a finished run go on where more steps are asked for."""
        self.clock.load_state_dict(checkpoint["clock"])
        self._random = checkpoint["random"]
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        progress["is_last_batch"] = False
