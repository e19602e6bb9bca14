"""Training from a checked config."""

import logging
import time
import warnings
from collections.abc import Collection, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, Timer
from pytorch_lightning.loggers import Logger

from gan import counts
from gan.algorithms.precision import scale_losses
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.data_identity import DataIdentity
from gan.callbacks.doctor import Doctor
from gan.callbacks.early_stopping import EarlyStopping
from gan.callbacks.estimate import Estimate
from gan.callbacks.evaluation import MetricsCallback
from gan.callbacks.overview import Overview, parameters
from gan.callbacks.pruning import Pruning
from gan.callbacks.signals import Preemption, Signals
from gan.callbacks.stopwatch import Stopwatch
from gan.callbacks.telemetry import Telemetry
from gan.devices import hardware
from gan.errors import InputError
from gan.layers.bilinear import MinimalFiltering
from gan.layers.checkpointing import blocks, recompute_activations
from gan.layers.folding import FoldedConv2d
from gan.layers.spectral import has_spectral_norm
from gan.layers.synchronised import SynchronisedBatchNorm
from gan.loggers.table import Table
from gan.networks.base import Discriminator
from gan.regularizers.gradient import compile_norms
from gan.runs import checkpoints, initialisation
from gan.runs.accelerator import make_trainer
from gan.runs.batches import check_batches
from gan.runs.data import write_classes
from gan.runs.folder import Run
from gan.runs.lock import is_first_process
from gan.runs.measuring import make_metrics, metrics_on_test
from gan.runs.results import PACKAGES, Results, commit
from gan.runs.resume import AUTO, Resumption, has_checkpoint, identity, refuse_changes
from gan.runs.storage import check_free_space, explain_full_disk
from gan.runs.uses import first_commands
from gan.settings import stored
from gan.settings.description import Description
from gan.settings.groups import options, title
from gan.settings.trust import build, load
from gan.settings.validation import nodes

T = TypeVar("T")

# Order in which callbacks act after a step: the timer of trainer.max_time and signals say whether
# it is the last, telemetry does not time the others, the doctor keeps non-finite numbers from the
# metrics, pruning and early stopping read these.
_ORDER = (Timer, Signals, Telemetry, Doctor, MetricsCallback, Pruning, EarlyStopping)
_FORMS = ("channels_last", "fold", "winograd", "checkpoint", "compile")  # of accelerator
_SMALLER = {"paper": ("small", "tiny"), "small": ("tiny",)}  # sizes of networks


def _rank(callback: Callback) -> int:
    """Return the position of a callback in the order."""
    return next((i for i, kind in enumerate(_ORDER) if isinstance(callback, kind)), len(_ORDER))


def _callbacks(
    config: DictConfig,
    game: TwoPlayerGame,
    changes: Sequence[str] = (),
    origin: Sequence[str] = (),
) -> list[Callback]:
    """Return the callbacks in the order in which they act."""
    allowed = list(config.allow_targets)
    chosen = [build(node, allowed) for node in config.callbacks.values()]
    if config.doctor:
        chosen.append(build(config.doctor, allowed))
    metrics, stop = make_metrics(config, game), build(config.stop, allowed)
    stop.watch(metrics)
    for callback in chosen:
        if isinstance(callback, Checkpoints):
            callback.identity = identity(config)
    signals, stopwatch = Signals(), Stopwatch(metrics)
    forms = [name for name in _FORMS if config.accelerator.get(name, False)]
    overview = Overview(
        *(config.run_dir, _model(config.run_dir), config.batch_size, changes, forms, origin)
    )
    own = [signals, stopwatch, overview, stop, *([metrics] if metrics else [])]
    chosen = [*own, *chosen, DataIdentity(), Estimate(stopwatch, _hint(config))]
    return [*sorted(chosen, key=_rank), Preemption(signals)]


def _model(folder: str) -> str | None:
    """Return name and paper of the model of a run, if they are known."""
    name = stored.choices(Path(folder)).get("model") if is_first_process() else None
    return f"{name}, {title('model', name)}" if name in options("model") else name


def _hint(config: DictConfig) -> str:
    """Return the settings that shorten training."""
    sizes = _SMALLER.get(OmegaConf.select(config, "size"), ())
    smaller = " or ".join(f"size={size}" for size in sizes)
    if not smaller:
        return "steps= trains fewer steps"
    return f"{smaller} trains smaller networks, steps= fewer steps"


def _loggers(config: DictConfig, table: Table) -> list[Logger]:
    """Return the table and the chosen dashboard."""
    allowed = list(config.allow_targets)
    chosen = [build(node, allowed) for node in config.logger.values()]
    if chosen and is_first_process():  # which has stored the command line
        description = Description.of(Path(config.run_dir), config)
        for logger in chosen:
            describe = getattr(logger, "describe", None)
            if describe is not None:
                describe(description)
            logger.log_hyperparams(description.config)
    return [table, *chosen]


def accelerate(game: TwoPlayerGame, node: DictConfig) -> None:
    """Set memory format, forms of convolutions, compilation and the devices of batch statistics."""
    if node.channels_last:
        game.to(memory_format=torch.channels_last)
    for module in game.modules():  # a run of an earlier version has no such keys
        if isinstance(module, FoldedConv2d):
            module.fold = node.get("fold", False)
        if isinstance(module, MinimalFiltering):
            module.winograd = node.get("winograd", False)
    if node.sync_batchnorm:
        SynchronisedBatchNorm.convert(game)
    if node.get("checkpoint", False):
        if node.compile:
            raise InputError(
                "accelerator.checkpoint=true: a compiled pass cannot be computed anew: set "
                "accelerator.compile=false"
            )
        _checkpoint(game)
    if node.compile:
        _compile(game)


def _checkpoint(game: TwoPlayerGame) -> None:
    """Let the blocks of both players compute their activations anew in the backward pass."""
    networks = [player.network for player in game.players]
    if not any(blocks(network) for network in networks):
        raise InputError(
            "accelerator.checkpoint=true: no network of this model consists of blocks whose "
            "activations could be computed anew: leave it out"
        )
    for network in networks:
        recompute_activations(network)


def _compile(game: TwoPlayerGame) -> None:
    """Compile the forward passes of generator and discriminators, and penalties of gradients.

    Networks with spectral normalisation are left as they are: a compiled pass keeps the vectors of
    the norms for its gradient, and the next pass changes them. What earlier runs of the process
    compiled is dropped: images of another size would make shapes symbolic, which Inductor refuses
    in some networks.

    Raises:
        InputError: if nothing is left to compile.
    """
    critics = [network for network in game.modules() if isinstance(network, Discriminator)]
    networks = [game.generator, game.averaged, *critics]
    chosen = [network for network in networks if not has_spectral_norm(network)]
    if not chosen:
        raise InputError(
            "accelerator.compile=true: all networks of this model have spectral normalisation, "
            "which is not compiled: choose accelerator=auto"
        )
    torch.compiler.reset()
    for network in chosen:
        network.compile(options={"fallback_random": True})  # the random numbers of eager passes
    if not any(has_spectral_norm(network) for network in critics):
        compile_norms(game.modules())


def _check_labels(game: TwoPlayerGame, datamodule: Any) -> None:
    """Refuse a game that knows other labels than the data."""
    known = getattr(game.generator, "num_classes", 0)
    if known not in (0, datamodule.num_classes):
        raise InputError(
            f"conditioning.num_classes={known} but the data have {datamodule.num_classes}: "
            "leave conditioning.num_classes out"
        )


def _resume(
    config: DictConfig,
    table: Table,
    datamodule: Any,
    game: TwoPlayerGame,
    stretched: Collection[str] = (),
) -> tuple[Path, dict[str, Any]] | None:
    """Set table and data to the step of the checkpoint; return its path and its content."""
    automatic = config.resume == AUTO
    folder = config.run_dir if automatic else config.resume
    if folder is None or (automatic and not has_checkpoint(Path(folder))):
        return None
    usable = checkpoints.latest(Run(folder))
    if automatic:  # a run that was cut short after its last step does the end again
        usable = [(path, c) for path, c in usable if _step(c) < config.steps and not _stopped(c)]
        if not usable:
            return None
    path, content = usable[0]
    refuse_changes(folder, content.get("identity"), identity(config), stretched)
    checkpoints.check_weights(path, content, game)
    step = _step(content)
    if step >= config.steps:
        done = counts.show(step, "step")
        raise InputError(f"resume: {folder} has done {done}: give a larger steps= than that")
    _check_data(folder, content, datamodule)
    table.rewind(step)
    datamodule.start_step = step
    return path, content


def _step(content: dict[str, Any]) -> int:
    """Return how many steps a checkpoint has behind it."""
    return int(content["clock"]["step"])


def _stopped(content: dict[str, Any]) -> bool:
    """Return whether early stopping ended the run at a checkpoint."""
    states = content.get("callbacks")
    state = states.get(EarlyStopping.__qualname__) if isinstance(states, dict) else None
    return isinstance(state, dict) and state.get("reason") is not None


def _check_data(folder: str, content: dict[str, Any], datamodule: Any) -> None:
    """Refuse other training images than those of the checkpoint, unless they are accepted."""
    datamodule.may_download = False
    known = content.get(DataIdentity.KEY)
    if known is None or datamodule.changed == "accept":
        return
    datamodule.prepare_data()
    if datamodule.identity() != known:
        raise InputError(
            f"resume: the training images of {folder} have changed since: restore them, or go on "
            "with data.changed=accept"
        )


def _silence() -> None:
    """Silence advice of PyTorch and Lightning that helps no user; warn in one line otherwise."""
    for message in (
        ".*module.s. in eval mode at the start.*",
        ".*defined a `validation_step` but have no.*",
        ".*isinstance.treespec, LeafSpec.*",
        ".*your dataloader is not resumable.*",
        ".*srun. command is available.*",
        ".*callbacks used to create the checkpoint need to be provided.*",
        "torch.distributed.nn.functional.* is deprecated",
    ):
        warnings.filterwarnings("ignore", message)
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _first(callbacks: list[Callback], kind: type[T]) -> T | None:
    """Return the first callback of a class, if there is one."""
    return next((callback for callback in callbacks if isinstance(callback, kind)), None)


def _measured_at_the_end(
    config: DictConfig, game: TwoPlayerGame, metrics: MetricsCallback | None, stop: EarlyStopping
) -> dict[str, Any]:
    """Return the entries of the results that are measured after the last step."""
    if metrics is None:
        return {"baseline": {}}
    found = {"baseline": metrics.baseline, "references": metrics.references(game.trainer)}
    return found | metrics_on_test(config, game, metrics, stop)


def _times(callbacks: list[Callback]) -> dict[str, Any]:
    """Return the entries of the results on the time of training and measuring."""
    telemetry, stopwatch = _first(callbacks, Telemetry), _first(callbacks, Stopwatch)
    metrics = _first(callbacks, MetricsCallback)
    return {
        "seconds_measuring": metrics.seconds if metrics else 0.0,
        "images_per_second": telemetry.rate if telemetry else float("nan"),
        "seconds": stopwatch.seconds if stopwatch else 0.0,
    }


def results(
    callbacks: list[Callback], game: TwoPlayerGame, config: DictConfig, started: float
) -> Results:
    """Return the results of a finished run; ``started`` is when, by ``time.monotonic()``."""
    metrics, stop = _first(callbacks, MetricsCallback), _first(callbacks, EarlyStopping)
    measured = _measured_at_the_end(config, game, metrics, stop or EarlyStopping())
    return Results(
        run=str(config.run_dir),
        name=config.name,
        steps=game.clock.step,
        images=game.clock.images,
        **_times(callbacks),
        seed=config.seed,
        monitor=metrics.monitor if metrics else None,
        final=metrics.last if metrics else {},
        best=metrics.best if metrics else {},
        stopped=stop.reason if stop else None,
        **measured,
        protocols=metrics.protocols if metrics else {},
        stamp=metrics.stamp if metrics else {},
        versions={package: version(package) for package in PACKAGES},
        commit=commit(),
        hardware=hardware(game.device),
        higher_is_better=metrics is not None and metrics.higher_is_better,
        seconds_total=time.monotonic() - started,
        parameters=parameters(game),
        init=initialisation.read_origin(Path(config.run_dir)),
    )


def train(config: DictConfig, resumed: Resumption | None = None) -> Results:
    """Train what a checked config describes, and return, write and show the results.

    Args:
        config: settings of the run.
        resumed: what is known of a run that is resumed.

    Raises:
        InputError: on bad input, before training.
    """
    for path, node in nodes(config):
        if "_target_" in node:
            load(path, node["_target_"], list(config.allow_targets))
    with explain_full_disk(Path(config.run_dir)):
        return _fit(config, resumed or Resumption(config))


def _data(config: DictConfig) -> Any:
    """Return the data set, whose class names are written to the run folder."""
    datamodule = build(config.data, list(config.allow_targets))
    if is_first_process():
        write_classes(Path(config.run_dir), datamodule)
    return datamodule


def _fit(config: DictConfig, resumed: Resumption) -> Results:
    """Build the run, train, and write and show the results."""
    _silence()
    pl.seed_everything(config.seed, verbose=False)
    started, allowed = time.monotonic(), list(config.allow_targets)
    datamodule = _data(config)
    table = Table(Path(config.run_dir) / "metrics.csv")
    game = build(config.model, allowed)
    check_batches(game, datamodule)
    _check_labels(game, datamodule)
    checkpoint = _resume(config, table, datamodule, game, resumed.stretched)
    origin = initialisation.prepare(game, config, resumed=checkpoint is not None)
    accelerate(game, config.accelerator)
    callbacks = _callbacks(config, game, resumed.changes, origin)
    check_free_space(callbacks, game, config.steps)
    trainer = make_trainer(config, callbacks, table)
    scale_losses(trainer.strategy)
    trainer.callbacks = sorted(trainer.callbacks, key=_rank)  # type: ignore[attr-defined]
    if checkpoint is not None:
        checkpoints.set_checkpoint(trainer, *checkpoint, game)
    trainer.loggers = _loggers(config, table)
    path = None if checkpoint is None else checkpoint[0]
    trainer.fit(game, datamodule=datamodule, ckpt_path=path, weights_only=True)
    done = results(callbacks, game, config, started)
    if trainer.is_global_zero:
        done.save()
        uses = first_commands(game, bool(config.get("task")))
        done.show(config.steps, uses, allowed)
    return done
