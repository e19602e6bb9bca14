"""The content of a checkpoint, compared with the game and the trainer that it is to restore.

A checkpoint may have been changed by anyone: what is restored from it has the names, types, shapes
and ranges that a run writes, or is refused by name.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, get_type_hints

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from gan.algorithms.two_player import TwoPlayerGame, rename_entries
from gan.archives import Dense
from gan.clock import ClockState
from gan.structure import Count, Finite, Leaf, Range, StructureError, check, check_mapping, show

# Entries of an optimizer's state that are counts, or means of squares.
_NOT_NEGATIVE = ("step", "exp_avg_sq", "max_exp_avg_sq", "square_avg")
_Rate = Annotated[float, Range(0, 1e9)]
_Scale = Annotated[float, Range(1e-30, 1e30)]
_FLAGS = ("foreach", "fused", "capturable", "differentiable")  # how an optimizer is computed
_OLD_SCALE = "native_amp_scaling_state"  # read by Lightning from files of its earlier versions


class _Decays(Leaf):
    """Decay rates of Adam, which a schedule may change."""

    def fault(self, value: Any) -> str | None:
        """Return that they are not two numbers in [0, 1), or ``None``."""
        pair = isinstance(value, list | tuple) and len(value) == 2
        if pair and all(type(beta) in (int, float) and 0 <= beta < 1 for beta in value):
            return None
        return f"is {show(value)}, not two numbers from 0 to below 1"


def not_nan(values: Tensor) -> Tensor:
    """Return which elements are numbers, infinities among them."""
    return ~values.isnan()


def not_negative(values: Tensor) -> Tensor:
    """Return which elements are numbers from 0."""
    return values >= 0


def check_game(content: dict[str, Any], game: TwoPlayerGame[Any]) -> None:
    """Compare weights and clock with those of a game.

    Buffers of the networks in training, such as batch statistics, may hold any number.

    Raises:
        StructureError: if they differ.
    """
    trained = {name for name, _ in game.named_parameters(remove_duplicate=False)}
    expected: dict[str, Dense] = {}
    for name, value in game.state_dict().items():
        finite = name in trained or name.startswith("averaged")
        expected[name] = Dense(value, torch.isfinite if finite else None)
    check(content["state_dict"], expected, "state_dict")
    check(content["clock"], ClockState, "clock")


def check_optimizers(states: Any, game: TwoPlayerGame[Any]) -> None:
    """Compare the states of the optimizers with those of a game.

    Raises:
        StructureError: if they differ.
    """
    optimizers = game.configure_optimizers()
    check(states, [dict] * len(optimizers), "optimizer_states")
    for index, (player, optimizer) in enumerate(zip(game.players, optimizers, strict=True)):
        name, state = f"optimizer_states[{index}]", states[index]
        check(state, {"state": dict, "param_groups": list}, name)
        fresh = optimizer.state_dict()["param_groups"]
        check(state["param_groups"], [dict] * len(fresh), f"{name}.param_groups")
        for number, group in enumerate(fresh):
            _check_group(state["param_groups"][number], group, f"{name}.param_groups[{number}]")
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        build = game.optimizer[player.name]
        expected = dict(enumerate(_state_after_step(build, weight) for weight in weights))
        check_mapping(state["state"], expected, (), f"{name}.state")


def _check_group(group: Any, fresh: dict[str, Any], name: str) -> None:
    """Compare a parameter group with a new one; what is off there may be absent."""
    expected = fresh | {key: bool | None for key in _FLAGS if key in fresh}
    expected |= dict.fromkeys(("lr", "initial_lr"), _Rate)
    if "betas" in fresh:
        expected |= dict.fromkeys(("betas", "initial_betas"), _Decays())
    required = {key for key, value in fresh.items() if value is not None and value is not False}
    check_mapping(group, expected, required, name)


def _state_after_step(build: Callable[..., Optimizer], weight: Tensor) -> Any:
    """Return what is expected of the state of a parameter: that of a new optimizer after a step."""
    zero = torch.zeros_like(weight, device="cpu").requires_grad_()
    zero.grad = torch.zeros_like(zero)
    try:
        optimizer = build([zero])
        optimizer.step()
    except (RuntimeError, AssertionError, TypeError):  # does not compute on the CPU
        return dict
    return {key: _like(key, value) for key, value in optimizer.state[zero].items()}


def _like(key: str, value: Any) -> Any:
    """Return what is expected of an entry of a state like ``value``."""
    if isinstance(value, Tensor):
        return Dense(value, not_negative if key in _NOT_NEGATIVE else not_nan)
    return Finite if isinstance(value, int | float) else type(value)


def check_training(content: dict[str, Any], game: TwoPlayerGame[Any], trainer: pl.Trainer) -> None:
    """Compare what resumes training, besides weights and clock, with a game and its trainer.

    Raises:
        StructureError: if it differs.
    """
    check(content["loops"], _loops(trainer, content["clock"]["step"]), "loops")
    check_optimizers(content["optimizer_states"], game)
    _check_random(content["random"])
    check(content.get("lr_schedulers"), [], "lr_schedulers")
    check(content.get("callbacks"), dict, "callbacks")
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        key = callback.state_key
        if key in content["callbacks"]:
            check(content["callbacks"][key], _annotation(callback), f"callbacks.{key}")
    plugin = trainer.precision_plugin
    name = type(plugin).__qualname__
    if name in content:
        check(content[name], _scales(plugin.state_dict()), name)


def current_version(content: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint under the names of today, without what Lightning would convert itself.

    The weights are a plain dictionary: attributes of the stored one are not read.
    """
    weights = dict(content["state_dict"])
    rename_entries(weights)
    kept = {key: value for key, value in content.items() if key != _OLD_SCALE}
    return kept | {
        "state_dict": weights,
        "pytorch-lightning_version": version("pytorch-lightning"),
    }


def _loops(trainer: pl.Trainer, step: int) -> dict[str, Any]:
    """Return the state of Lightning's loops in a checkpoint of a step."""
    batches = {"ready": step, "started": step, "processed": step, "completed": step - 1}
    updates = {"ready": Count, "completed": Count}
    epochs = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
    fit = trainer.fit_loop.state_dict() | {
        "epoch_progress": {"total": epochs, "current": epochs},
        "epoch_loop.state_dict": {"_batches_that_stepped": step - 1},
        "epoch_loop.batch_progress": {
            "total": batches,
            "current": batches,
            "is_last_batch": bool,
        },
        "epoch_loop.manual_optimization.optim_step_progress": {
            "total": updates,
            "current": updates,
        },
    }
    return {
        "fit_loop": fit,
        "validate_loop": trainer.validate_loop.state_dict(),
        "test_loop": trainer.test_loop.state_dict(),
        "predict_loop": trainer.predict_loop.state_dict(),
    }


def _check_random(states: Any) -> None:
    """Compare the random states of all processes with those that generators have.

    The state of a GPU, if there is one, is checked by its generator.
    """
    check(states, list, "random")
    expected = [Dense(torch.get_rng_state(), None), Tensor]
    for rank, state in enumerate(states):
        name = f"random[{rank}]"
        check(state, list, name)
        check(state, expected[: len(state)] or expected, name)
        try:
            torch.Generator().set_state(state[0])
        except RuntimeError as error:
            raise StructureError(f"{name} is no state of a random generator") from error


def _annotation(callback: pl.Callback) -> Any:
    """Return the structure of a callback's state, the annotation of what ``state_dict`` returns."""
    try:
        return get_type_hints(type(callback).state_dict, include_extras=True).get("return", dict)
    except NameError:  # a name that only a type checker imports
        return dict


def _scales(fresh: dict[str, Any]) -> dict[str, Any]:
    """Return what is expected of the loss scales, of which only scale and tracker change."""
    changes = {"scale": _Scale, "_growth_tracker": Count}
    return {
        key: value | changes if isinstance(value, dict) and value else value
        for key, value in fresh.items()
    }
