"""Alternating optimization of two players, whatever their objectives are."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Generic

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from typing_extensions import TypeVar

from gan import processes
from gan.algorithms.accumulation import (
    Readings,
    from_one_state,
    mean_readings,
    rehearsing,
    settled,
)
from gan.algorithms.player import Player, frozen
from gan.averaging import Averaging, NoAveraging
from gan.batch import Batch
from gan.clock import Clock, Scheduled
from gan.errors import InputError
from gan.latents import keyed_seed
from gan.layers.precision import full_precision
from gan.networks.base import Discriminator
from gan.regularizers.base import Regularizer
from gan.schedules import Constant, Schedule

Terms = dict[str, Tensor]
Images = tuple[Tensor, Tensor | None]
Pair = tuple[Images, Images]  # of domain A, of domain B
BatchType = TypeVar("BatchType", bound=Batch, default=Any)


def rename_entries(state: dict[str, Any]) -> None:
    """Rename the entries of a state dict of an earlier version, in place."""
    if "mended" in state:
        state["nonfinite"] = state.pop("mended")


def _load_earlier_version(module: nn.Module, state: dict[str, Any], *_: Any) -> None:
    """Rename the entries of an earlier version before they are loaded."""
    rename_entries(state)


class TwoPlayerGame(pl.LightningModule, ABC, Generic[BatchType]):
    """Alternating optimization of a generator and a discriminator.

    A model without an opponent, such as a VAE, has no discriminator and is the only player.

    A game states its two objectives as dictionaries of named terms, whose sum is minimised. One
    *step* is ``n_critic`` discriminator updates, each on new real images, and one generator update.

    With several processes, the gradients of a player are averaged after each of its updates, in one
    exchange, and the floating-point buffers of the networks after each step.

    Args:
        generator: first player.
        discriminator: second player, or ``None``; its optimizer is then not used.
        optimizer: for each player, parameters -> optimizer.
        schedule: for each player, multiplier of the learning rate by images seen.
        clip_norm: for each player, largest norm of the gradient or ``None``.
        beta2: for each player, multiplier of Adam's second decay by images seen.
        averaging: of the generator's weights.
        n_critic: discriminator updates a step.
        accumulate: parts of each batch whose gradients are added up, to save memory. Running means
            and other states of networks, regularizers and augmentation change once an update, by
            the whole batch. The gradient is that of the whole batch too, unless a term or a layer
            compares images: then those of a part (batch and minibatch layers, contrastive heads,
            ``loss=rasgan``, feature matching, ``top_k``, ``mode_seeking``, path length).
        nan_to_num: replace what is not finite in a gradient (Karras et al., 2020) and count it.
        seed: of all random numbers of the game.

    Attributes:
        clock: steps and images seen.
        averaged: the generator whose images are sampled and measured.
        turn: number of the discriminator update within the step, from 0.
        active: the player that is updated, or was last.
        log_due: gradient norms are wanted in the readings of this step, which are then averaged
            over all processes.
        readings: values to log of the latest step, by log name.
        inherited: names of the networks that start from the weights of another run.
        frozen_layers: of the discriminators, which training leaves as they are.
        nonfinite: numbers that ``nan_to_num`` has replaced in each player's gradients, (2,).
    """

    nonfinite: Tensor

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module | None,
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
        self.optimizer, self.averaging = optimizer, averaging or NoAveraging()
        self._averages: list[tuple[nn.Module, nn.Module]] = []
        self.averaged = self.average(generator)
        self.n_critic, self.accumulate = n_critic, accumulate
        self.seed, self.nan_to_num = seed, nan_to_num
        self.register_buffer("nonfinite", torch.zeros(2, dtype=torch.int64))
        self.register_load_state_dict_pre_hook(_load_earlier_version)  # type: ignore[no-untyped-call]
        self.clock, self.turn, self.log_due = Clock(), 0, True
        self.readings: Readings = {}
        self.inherited, self.frozen_layers = frozenset[str](), list[nn.ModuleList]()
        self._random: list[list[Tensor]] = []
        self.players = self._make_players(schedule or {}, clip_norm or {}, beta2 or {})
        self.active = self.players[0]

    def _make_players(
        self,
        schedule: Mapping[str, Schedule],
        clip_norm: Mapping[str, float | None],
        beta2: Mapping[str, Schedule],
    ) -> list[Player]:
        """Return generator and discriminator, each with its settings."""
        known = {"generator": self.generator, "discriminator": self.discriminator}
        for name in {*self.optimizer, *schedule, *clip_norm, *beta2} - known.keys():
            raise InputError(f"{name} is no player: name generator or discriminator")
        for name, bound in clip_norm.items():
            if bound is not None and not (isinstance(bound, int | float) and bound > 0):
                raise InputError(f"clip_norm.{name}={bound}: give a positive number or null")
        networks = {name: network for name, network in known.items() if network is not None}
        return [
            Player(
                *(name, i, network),
                nn.ModuleList(other for key, other in networks.items() if key != name),
                *(schedule.get(name, Constant()), clip_norm.get(name), beta2.get(name)),
            )
            for i, (name, network) in enumerate(networks.items())
        ]

    def add_network(self, name: str, network: nn.Module) -> None:
        """Let ``network`` be trained with a player, on its loss alone, and frozen with it.

        Args:
            name: "generator" or "discriminator".
            network: a module of the game.
        """
        for player in self.players:
            if player.name == name:
                player.network = nn.ModuleList([player.network, network])
            else:
                player.opponent = nn.ModuleList([player.opponent, network])

    def average(self, network: nn.Module) -> nn.Module:
        """Return the network that holds the average of the weights of ``network`` over training."""
        average = self.averaging.copy(network)
        self._averages.append((average, network))
        return average

    def answering(self) -> dict[str, nn.Module]:
        """Return the networks that are asked after training, by name; an export holds them."""
        return {"generator": self.averaged}

    def weighted(self) -> dict[str, nn.Module]:
        """Return the networks, and their averages, by name; one that is its own average once."""
        return {name: child for name, child in self.named_children() if [*child.parameters()]}

    def freeze_discriminator(self, count: int) -> None:
        """Leave the layers of each discriminator that are nearest the image as they are.

        FreezeD (Mo et al., 2020): their weights get no gradients and are in no update; the vectors
        of spectral norms and running statistics stay too. As in the authors' code, batch
        normalisation in them normalises by the batch. Layers are those of
        :meth:`~gan.networks.base.Discriminator.layers_from_image`.

        Args:
            count: number of layers, from 1.

        Raises:
            InputError: if a discriminator has fewer, or none is trained.
        """
        if not self.trains_discriminator:
            raise InputError(
                f"freeze.discriminator={count}: this run trains no discriminator: leave it out"
            )
        trained = self.players[1].network.modules()
        layers = [m.layers_from_image() for m in trained if isinstance(m, Discriminator)]
        most = min(map(len, layers), default=0)
        if not 0 < count <= most:
            raise InputError(
                f"freeze.discriminator={count}: the discriminator has {most} layers before its "
                f"head: give a number from 0 to {most}"
            )
        self.frozen_layers = [layer for every in layers for layer in every[:count]]

    def drop_training(self, kept: Collection[str]) -> None:
        """Drop the networks that training alone needs; the game answers as before.

        Args:
            kept: names of networks; "discriminator" keeps it, where it does not answer.
        """
        self.generator = self.averaged
        if "discriminator" not in {*kept, *self.answering()}:
            self.discriminator = None
        self.players, self._averages = [], []

    @cached_property
    def scheduled(self) -> list[Scheduled]:
        """Return the modules that change with the images seen."""
        return [module for module in self.modules() if isinstance(module, Scheduled)]

    @cached_property
    def _regularizers(self) -> list[Regularizer]:
        """Return the regularizers of all discriminators."""
        return [module for module in self.modules() if isinstance(module, Regularizer)]

    @property
    def opponents(self) -> list[Player]:
        """Return the players that are updated in this step before the generator."""
        return self.players[1:]

    @property
    def trains_discriminator(self) -> bool:
        """Return whether a discriminator is trained, at some time of training."""
        return len(self.players) > 1

    def own_share(self, values: Tensor) -> Tensor:
        """Return this device's rows of values that were drawn for the batch of all devices."""
        count = len(values) // self.trainer.world_size
        return values[count * self.global_rank :][:count]

    @abstractmethod
    def make_batch(self, images: Any, turn: int) -> BatchType:
        """Return what an update is computed on; turn ``n_critic`` is the generator's."""

    def discriminator_loss(self, batch: BatchType) -> Terms:
        """Return the terms whose sum the discriminator minimises; without any it is not updated."""
        return {}

    @abstractmethod
    def generator_loss(self, batch: BatchType) -> Terms:
        """Return the terms whose sum the generator minimises."""

    @abstractmethod
    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Return images ``real`` and ``fake`` to compare, (B, C, H, W) in [-1, 1]."""

    def after_discriminator_update(self) -> None:
        """Run after each update of the discriminator, such as to project its weights."""

    def _optimizer_of(self, player: Player) -> Optimizer:
        """Return a new optimizer of a player."""
        try:
            return self.optimizer[player.name](player.network.parameters())
        except ValueError as error:
            raise InputError(f"optimizer.{player.name}: {error}: give another") from error

    def configure_optimizers(self) -> list[Optimizer]:
        """Return the optimizers of generator and discriminator.

        Raises:
            InputError: if an optimizer refuses its settings.
        """
        optimizers = [self._optimizer_of(player) for player in self.players]
        for player, optimizer in zip(self.players, optimizers, strict=True):
            if player.beta2 is not None and "betas" not in optimizer.param_groups[0]:
                raise InputError(
                    f"optimizer.{player.name}: model.beta2 moves a decay that it does not have: "
                    "choose optimizer=adam, or set model.beta2=null"
                )
        return optimizers

    def training_step(self, batches: Sequence[Any], batch_idx: int) -> dict[str, Any]:
        """Run one step on ``n_critic`` batches and return the values to log."""
        with frozen(nn.ModuleList(self.frozen_layers)):
            return self._step(batches)

    def _step(self, batches: Sequence[Any]) -> dict[str, Any]:
        """Update both players, the clock and the averages; return the values to log."""
        self.readings, seen = {}, 0
        for module in self.scheduled:
            module.set_progress(self.clock.images)
        for self.turn, images in enumerate(batches):
            whole = self.make_batch(images, self.turn)
            seen += len(whole.real) * self.trainer.world_size
            for discriminator in self.opponents:
                with self.updating(discriminator), self._observing(whole):
                    self.add_gradient(self.discriminator_loss, whole)
                self.after_discriminator_update()
        with self.updating(self.players[0]):
            self.add_gradient(self.generator_loss, self.make_batch(images, self.n_critic))
        self._average_over_processes()
        self.clock.tick(seen)
        self.update_averages(seen)
        return self.readings

    def update_averages(self, images: int) -> None:
        """Average weights after a step of ``images`` real images."""
        for pair in self._averages:
            self.averaging.update(*pair, images, self.clock.images - images)

    def trained_optimizer(self, player: Player) -> LightningOptimizer:
        """Return the optimizer of a player in training, with its state."""
        optimizers = self.optimizers()
        every = optimizers if isinstance(optimizers, list) else [optimizers]
        return every[player.index]

    @contextmanager
    def updating(self, player: Player) -> Iterator[None]:
        """Freeze the opponent inside the context; at its end, step the player's optimizer."""
        self.active = player
        optimizer = self.trained_optimizer(player)
        rate = player.schedule_optimizer(optimizer.optimizer, self.clock.images)
        self.readings[f"lr/{player.name}"] = rate
        with frozen(player.opponent):
            yield
        gradients = [p.grad for p in player.network.parameters() if p.grad is not None]
        if gradients:
            processes.average(gradients)
            optimizer.step()
            optimizer.zero_grad()

    def parts(self, whole: BatchType) -> Iterator[BatchType]:
        """Yield the parts of a batch; what they change is changed once, by the whole batch."""
        parts, modules = [*whole.chunks(self.accumulate)], list[nn.Module]()
        if len(parts) > 1:
            modules = [*(player.network for player in self.players), *self._regularizers]
        buffers = [buffer for module in modules for buffer in module.buffers()]
        return from_one_state(parts, [buffer for buffer in buffers if buffer.is_floating_point()])

    @contextmanager
    def _observing(self, whole: BatchType) -> Iterator[None]:
        """Before the parts of a batch, let the regularizers that need all of it observe it."""
        observers = [regularizer for regularizer in self._regularizers if regularizer.observes]
        if self.accumulate == 1 or not observers:
            yield
            return
        with rehearsing(self, observers, self.device):
            for part in self.parts(whole):
                self.discriminator_loss(part)
        with settled(observers):
            yield

    def add_gradient(self, objective: Callable[[BatchType], Terms], whole: BatchType) -> None:
        """Add the gradient of a player's objective on a batch, part by part, to the player's."""
        before, logged = self.readings, list[Readings]()
        self.active.loss = torch.zeros((), device=self.device)
        for part in self.parts(whole):
            self.readings = {}
            self.backpropagate(objective(part))
            logged.append(self.readings)
        self.readings = before | mean_readings(logged)

    def backpropagate(self, terms: Terms) -> None:
        """Add the gradient of the sum of ``terms`` to the active player's, and log the terms."""
        if not terms:
            return
        player = self.active
        loss = torch.stack([*terms.values()]).sum() / self.accumulate
        with full_precision(self.device):
            self.manual_backward(loss)
        player.loss = player.loss + loss.detach()
        self.readings |= {f"{player.name}/{name}": term.detach() for name, term in terms.items()}

    def _average_over_processes(self) -> None:
        """Average the networks' buffers and, if they are logged, the readings."""
        if self.trainer.world_size == 1:
            return
        buffers = [b for player in self.players for b in player.network.buffers()]
        processes.average([buffer for buffer in buffers if buffer.is_floating_point()])
        if self.log_due:
            values = [torch.as_tensor(v, device=self.device) for v in self.readings.values()]
            processes.average(values)
            self.readings = dict(zip(self.readings, values, strict=True))

    def is_finite(self) -> bool:
        """Return whether all weights and averages are finite."""
        return bool(nn.utils.get_total_norm(list(self.parameters())).isfinite())

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Make the active player's gradient finite and clip it, after any loss scale is undone."""
        player = self.active
        if self.nan_to_num:
            self.nonfinite[player.index] += player.replace_nonfinite_gradient()
            self.readings[f"nan_to_num/{player.name}"] = self.nonfinite[player.index].clone()
        if self.log_due or player.clip_norm is not None:
            self.readings[f"gradient_norm/{player.name}"] = player.clip_gradient()

    def on_train_start(self) -> None:
        """Start all processes from equal weights, each from its own random state.

        The random states are those of the checkpoint, if there is one. Processes that it does not
        know are seeded anew.
        """
        processes.broadcast([*self.parameters(), *self.buffers()])
        rank = self.global_rank
        if rank < len(self._random):
            self._set_random_state(self._random[rank])
        elif rank > 0:
            torch.manual_seed(keyed_seed(self.seed, self.clock.step, rank))

    def _set_random_state(self, states: list[Tensor]) -> None:
        """Set the random state of the CPU and, if it was stored, of the device.

        Raises:
            InputError: if the device refuses it.
        """
        torch.set_rng_state(states[0].cpu())
        if self.device.type == "cuda" and len(states) > 1:
            try:
                torch.cuda.set_rng_state(states[1].cpu(), self.device)
            except (RuntimeError, TypeError) as error:
                raise InputError(
                    "resume: the checkpoint holds no random state of a GPU: copy it anew"
                ) from error

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the clock and the random state of each process."""
        checkpoint["clock"] = self.clock.state_dict()
        states = [torch.get_rng_state()]
        if self.device.type == "cuda":
            states.append(torch.cuda.get_rng_state(self.device))
        checkpoint["random"] = processes.all_gather(states)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the clock, and let a finished run go on if more steps are asked for."""
        self.clock.load_state_dict(checkpoint["clock"])
        self._random = checkpoint["random"]
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        progress["is_last_batch"] = False
