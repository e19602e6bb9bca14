"""The mechanics of two players, whatever they are told and must answer."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.optim import Optimizer

from gan import processes
from gan.averaging import Averaging, NoAveraging
from gan.clock import Clock, Scheduled
from gan.errors import InputError
from gan.latents import keyed_seed
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
        epsilon: uniform in [0, 1), one number an image, (B,), for the points of a penalty.
    """

    real: Tensor
    labels: Tensor | None
    z: Tensor
    epsilon: Tensor

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
        z, epsilon = self.z.chunk(count), self.epsilon.chunk(count)
        parts = zip(self.real.chunk(count), labels, z, epsilon, strict=True)
        return (Batch(*part) for part in parts)


@contextmanager
def idle(network: nn.Module) -> Iterator[None]:
    """Leave ``network`` untouched bit for bit.

    No gradients, no recording of batch statistics, no following of singular values.
    """
    weights = [p for p in network.parameters() if p.requires_grad]
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    spectra = [m for m in network.modules() if isinstance(m, _SpectralNorm) and m.training]

    def listen(active: bool) -> None:
        for weight in weights:
            weight.requires_grad_(active)
        for norm in norms:
            norm.track_running_stats = active
        for spectrum in spectra:
            spectrum.training = active

    try:
        listen(False)
        yield
    finally:
        listen(True)


def full_precision(device: torch.device) -> torch.autocast:
    """Return the context in which nothing is cast to fewer bits."""
    return torch.autocast(device.type, enabled=False)


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
        beta2: multiplier of Adam's second decay, or ``None``.
        loss: of its latest turn, without graph.
    """

    name: str
    index: int
    network: nn.Module
    opponent: nn.Module
    schedule: Schedule
    clip_norm: float | None
    beta2: Schedule | None = None
    loss: Tensor = field(default_factory=lambda: torch.zeros(()))

    def tune(self, optimizer: Optimizer, images: int) -> float:
        """Set what a turn after ``images`` real images is due and return the learning rate."""
        for group in optimizer.param_groups:
            base = group.setdefault("initial_lr", group["lr"])
            group["lr"] = base * self.schedule(images)
            if self.beta2 is not None:
                first, second = group.setdefault("initial_betas", group["betas"])
                group["betas"] = (first, second * self.beta2(images))
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

    Several processes play as one: after each turn they average the gradients of the player whose
    turn it was, in one exchange, and after each step what layers recorded, such as the statistics
    of batches.

    Args:
        generator: the one player.
        discriminator: the other.
        optimizer: for each player, parameters -> optimizer.
        schedule: for each player, multiplier of the learning rate by images seen.
        clip_norm: for each player, largest norm of the gradient or ``None``.
        beta2: for each player, multiplier of Adam's second decay by images seen; others keep it.
        averaging: of the generator's weights.
        n_critic: discriminator turns a step.
        accumulate: parts into which each batch is cut to save memory; without batch statistics
            the gradient is the whole batch's.
        nan_to_num: put 0 where a gradient is not a number and a large number where it is infinite
            (Karras et al., 2020), and count them.
        seed: of all that the game draws.

    Attributes:
        clock: steps and images seen.
        averaged: the generator that samples and metrics come from.
        turn: of the discriminator within the step, from 0.
        active: the player whose turn it is, or was last.
        measuring: norms of the gradients are wanted among the readings of this step, which are
            then those of all processes.
        mended: numbers that ``nan_to_num`` has replaced in each player's gradients, (2,).
    """

    mended: Tensor

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizer: Mapping[str, Callable[..., Optimizer]],
        schedule: Mapping[str, Schedule] | None = None,
        clip_norm: Mapping[str, float | None] | None = None,
        beta2: Mapping[str, Schedule] | None = None,
        averaging: Averaging | None = None,
        n_critic: int = 1,
        accumulate: int = 1,
        nan_to_num: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = generator, discriminator
        self.optimizer = optimizer
        self.averaging = averaging or NoAveraging()
        self.averaged = self.averaging.copy(generator)
        self.n_critic, self.accumulate, self.seed = n_critic, accumulate, seed
        self.nan_to_num = nan_to_num
        self.register_buffer("mended", torch.zeros(2, dtype=torch.int64))
        self.clock, self.turn, self.measuring = Clock(), 0, True
        self.readings: dict[str, Tensor | float] = {}
        self._random: list[list[Tensor]] = []
        self.players = self._seat(schedule or {}, clip_norm or {}, beta2 or {})
        self.active = self.players[0]

    def _seat(
        self,
        schedule: Mapping[str, Schedule],
        clip_norm: Mapping[str, float | None],
        beta2: Mapping[str, Schedule],
    ) -> list[Player]:
        """Return generator and discriminator with what each learns by."""
        sides = {"generator": self.generator, "discriminator": self.discriminator}
        for name in {*self.optimizer, *schedule, *clip_norm, *beta2} - sides.keys():
            raise InputError(f"{name} is no player: name generator or discriminator")
        for name, bound in clip_norm.items():
            if bound is not None and not (isinstance(bound, int | float) and bound > 0):
                raise InputError(f"clip_norm.{name}={bound}: give a positive number or null")
        opponents = reversed(sides.values())
        return [
            Player(
                *(name, i, own, other),
                *(schedule.get(name, Constant()), clip_norm.get(name), beta2.get(name)),
            )
            for i, ((name, own), other) in enumerate(zip(sides.items(), opponents, strict=True))
        ]

    def enlist(self, name: str, network: nn.Module) -> None:
        """Let ``network`` learn with a player, from its loss alone, and be idle with it.

        Args:
            name: "generator" or "discriminator".
            network: a module of the game; one that the class has made.
        """
        for player in self.players:
            if player.name == name:
                player.network = nn.ModuleList([player.network, network])
            else:
                player.opponent = nn.ModuleList([player.opponent, network])

    @cached_property
    def scheduled(self) -> list[Scheduled]:
        """Return what changes with the images seen."""
        return [module for module in self.modules() if isinstance(module, Scheduled)]

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
            made = [self.optimizer[p.name](p.network.parameters()) for p in self.players]
        except ValueError as error:
            raise InputError(f"optimizer: {error}") from error
        for player, optimizer in zip(self.players, made, strict=True):
            if player.beta2 is not None and "betas" not in optimizer.param_groups[0]:
                raise InputError(
                    f"optimizer.{player.name}: model.beta2 moves a decay that it does not have: "
                    "choose optimizer=adam, or set model.beta2=null"
                )
        return made

    def training_step(self, batches: Sequence[Images], batch_idx: int) -> dict[str, Any]:
        """Play one step on ``n_critic`` batches and return its readings."""
        self.readings = {}
        for part in self.scheduled:
            part.set_progress(self.clock.images)
        generator, discriminator = self.players
        for self.turn, images in enumerate(batches):
            self._play(discriminator, self.discriminator_loss, self.deal(images, self.turn))
            self.after_discriminator()
        self._play(generator, self.generator_loss, self.deal(images, self.n_critic))
        self._agree()
        seen = sum(len(real) for real, _ in batches) * self.trainer.world_size
        self.clock.tick(seen)
        self.averaging.update(self.averaged, self.generator, seen, self.clock.images)
        return self.readings

    def _play(self, player: Player, objective: Callable[[Batch], Terms], batch: Batch) -> None:
        """Let ``player`` take its turn while the other is idle."""
        self.active = player
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        optimizer = optimizers[player.index]
        self.readings[f"lr/{player.name}"] = player.tune(optimizer.optimizer, self.clock.images)
        with idle(player.opponent):
            for part in batch.chunks(self.accumulate):
                terms = objective(part)
                loss = torch.stack([*terms.values()]).sum() / self.accumulate
                with full_precision(self.device):
                    self.manual_backward(loss)
        player.loss = loss.detach()
        processes.average([p.grad for p in player.network.parameters() if p.grad is not None])
        optimizer.step()
        optimizer.zero_grad()
        self.readings |= {f"{player.name}/{name}": t.detach() for name, t in terms.items()}

    def _agree(self) -> None:
        """Average over the processes what layers recorded and, if wanted, the readings."""
        if self.trainer.world_size == 1:
            return
        recorded = [b for player in self.players for b in player.network.buffers()]
        processes.average([buffer for buffer in recorded if buffer.is_floating_point()])
        if self.measuring:
            said = [torch.as_tensor(v, device=self.device) for v in self.readings.values()]
            processes.average(said)
            self.readings = dict(zip(self.readings, said, strict=True))

    def _mend(self, player: Player) -> None:
        """Replace what is not finite in a player's gradient, and count it."""
        for weight in player.network.parameters():
            if weight.grad is not None:
                self.mended[player.index] += weight.grad.isfinite().logical_not().sum()
                weight.grad.nan_to_num_(nan=0.0, posinf=1e5, neginf=-1e5)
        self.readings[f"nan_to_num/{player.name}"] = self.mended[player.index].clone()

    def sound(self) -> bool:
        """Return whether all weights and averages are finite."""
        return bool(nn.utils.get_total_norm(list(self.parameters())).isfinite())

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Mend and clip the active player's gradient, unscaled by then."""
        if self.nan_to_num:
            self._mend(self.active)
        if self.measuring or self.active.clip_norm is not None:
            self.readings[f"gradient_norm/{self.active.name}"] = self.active.clip()

    def on_train_start(self) -> None:
        """Begin as one, each process with its own random state: the checkpoint's, if there is one.

        Where the number of processes has changed, those that the checkpoint does not know begin
        anew.
        """
        processes.broadcast([*self.parameters(), *self.buffers()])
        rank = self.global_rank
        if rank < len(self._random):
            self._set_random(self._random[rank])
        elif rank > 0:
            torch.manual_seed(keyed_seed(self.seed, self.clock.step, rank))

    def _set_random(self, states: list[Tensor]) -> None:
        """Set the random state of the CPU and, where it was used, of the device."""
        torch.set_rng_state(states[0].cpu())
        if self.device.type == "cuda" and len(states) > 1:
            torch.cuda.set_rng_state(states[1].cpu(), self.device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the clock and each process's random state, which dropout and noise draw from."""
        checkpoint["clock"] = self.clock.state_dict()
        states = [torch.get_rng_state()]
        if self.device.type == "cuda":
            states.append(torch.cuda.get_rng_state(self.device))
        checkpoint["random"] = processes.gathered(states)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the clock, and let a finished run go on where more steps are asked for."""
        self.clock.load_state_dict(checkpoint["clock"])
        self._random = checkpoint["random"]
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        progress["is_last_batch"] = False
