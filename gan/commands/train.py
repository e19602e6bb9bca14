"""Training from a composed config."""

import logging
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from rich.console import Console

from gan.algorithms.precision import scale_losses
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.doctor import Doctor
from gan.callbacks.evaluation import MetricsCallback
from gan.callbacks.pruning import Pruning
from gan.callbacks.signals import Departure, Signals
from gan.callbacks.telemetry import Telemetry
from gan.errors import InputError
from gan.layers.synchronised import SynchronisedBatchNorm
from gan.loggers.table import Table
from gan.runs.folder import Run
from gan.runs.results import Results
from gan.runs.resume import AUTO, has_checkpoint, identity, refuse_changes
from gan.runs.storage import check_room, occupied, running_out
from gan.settings.validation import validate

# Who acts first after a step: signals say whether it is the last, telemetry does not time the
# others, the doctor keeps what is no number from the metrics, and these judge trials.
_ORDER = (Signals, Telemetry, Doctor, MetricsCallback, Pruning)


def _place(callback: Callback) -> int:
    """Return where a callback stands in the order."""
    return next((i for i, kind in enumerate(_ORDER) if isinstance(callback, kind)), len(_ORDER))


def _callbacks(config: DictConfig) -> list[Callback]:
    """Return the callbacks in the order in which they act."""
    chosen = [instantiate(node) for node in config.callbacks.values()]
    if config.doctor:
        chosen.append(instantiate(config.doctor))
    evaluation = instantiate(config.metrics, _convert_="all")
    if evaluation.metrics:
        chosen.append(MetricsCallback(evaluation))
    for callback in chosen:
        if isinstance(callback, Checkpoints):
            callback.identity = identity(config)
    signals = Signals()
    return [*sorted([signals, *chosen], key=_place), Departure(signals)]


def _loggers(config: DictConfig, table: Table) -> list[Logger]:
    """Return the table and the chosen dashboard."""
    chosen = [instantiate(config.logger)] if config.logger else []
    for logger in chosen:
        logger.log_hyperparams(OmegaConf.to_container(config, resolve=True))
    return [table, *chosen]


def _trainer(config: DictConfig, callbacks: list[Callback], loggers: list[Logger]) -> pl.Trainer:
    """Return a trainer for one pass over a stream of ``steps`` steps."""
    node = instantiate(config.accelerator, _convert_="all")
    if node["accelerator"] == "gpu" and not torch.cuda.is_available():
        raise InputError("accelerator: no GPU was found here: choose accelerator=cpu or auto")
    try:
        trainer = pl.Trainer(
            **{key: node[key] for key in ("accelerator", "devices", "strategy", "precision")},
            max_epochs=1,
            callbacks=callbacks,
            logger=loggers,
            log_every_n_steps=1,
            limit_val_batches=0,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=config.run_dir,
        )
    except (MisconfigurationException, ValueError) as error:
        raise InputError(f"accelerator: {error}") from error
    scale_losses(trainer.strategy)
    return trainer


def _accelerate(game: TwoPlayerGame, node: DictConfig) -> None:
    """Choose memory format, compilation and what batch statistics are taken over."""
    if node.channels_last:
        game.to(memory_format=torch.channels_last)
    if node.sync_batchnorm:
        SynchronisedBatchNorm.convert(game)
    if node.compile:
        game.generator.compile()
        game.averaged.compile()


def _check_labels(game: TwoPlayerGame, datamodule: Any) -> None:
    """Refuse a game that knows other labels than the data."""
    known = getattr(game.generator, "num_classes", 0)
    if known not in (0, datamodule.num_classes):
        raise InputError(
            f"conditioning.num_classes={known} but the data have {datamodule.num_classes}: "
            "leave conditioning.num_classes out"
        )


def _introduction(game: TwoPlayerGame, classes: int) -> str:
    """Return what plays, of how many parameters, and whether it is told the label."""
    networks = (game.generator, game.discriminator)
    sizes = " + ".join(f"{sum(p.numel() for p in n.parameters()):,}" for n in networks)
    known = getattr(game.generator, "num_classes", 0)
    told = f"told the label, one of {known}" if known else "unconditional"
    unused = f", the data's {classes} classes unused" if classes and not known else ""
    return f"game: {type(game).__name__}, {sizes} parameters (G + D), {told}{unused}"


def _resume(config: DictConfig, table: Table, datamodule: Any, game: TwoPlayerGame) -> Path | None:
    """Put table and data where the checkpoint stands and return its path."""
    automatic = config.resume == AUTO
    folder = config.run_dir if automatic else config.resume
    if folder is None or (automatic and not has_checkpoint(Path(folder))):
        return None
    found = Run(folder).latest()
    if automatic:  # a run that was cut short after its last step plays the end again
        found = [(path, content) for path, content in found if _step(content) < config.steps]
        if not found:
            return None
    path, content = found[0]
    refuse_changes(folder, content.get("identity"), identity(config))
    _check_shapes(folder, content["state_dict"], game.state_dict())
    step = _step(content)
    if step >= config.steps:
        raise InputError(f"resume: {folder} has done {step} steps: give a larger steps= than that")
    table.rewind(step)
    datamodule.start_step = step
    return path


def _step(content: dict[str, Any]) -> int:
    """Return how many steps a checkpoint has behind it."""
    return int(content["clock"]["step"])


def _check_shapes(folder: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Refuse a checkpoint of other networks."""
    if {k: v.shape for k, v in old.items()} != {k: v.shape for k, v in new.items()}:
        raise InputError(
            f"resume: the networks of {folder} have other shapes than those asked for: "
            "leave its settings as they were"
        )


def _quiet() -> None:
    """Silence advice of Lightning that does not apply here."""
    for message in (
        ".*module.s. in eval mode at the start.*",
        ".*defined a `validation_step` but have no.*",
        ".*isinstance.treespec, LeafSpec.*",
        ".*your dataloader is not resumable.*",
        ".*srun. command is available.*",
    ):
        warnings.filterwarnings("ignore", message)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)


def train(config: DictConfig) -> float | None:
    """Train what ``config`` describes and return the best value of the monitored metric.

    Raises:
        InputError: on bad input, before training.
    """
    validate(config)
    done = Results.read(Path(config.run_dir)) if config.resume == AUTO else None
    if done is not None and done.steps >= config.steps:
        Console().print(f"{config.run_dir} is finished already", soft_wrap=True)
        return done.score
    folder = Path(config.run_dir)
    with occupied(folder), running_out(folder):
        return _play(config).score


def _play(config: DictConfig) -> Results:
    """Build everything, train, and write and show the results."""
    _quiet()
    pl.seed_everything(config.seed, verbose=False)
    started = time.time()
    datamodule = instantiate(config.data)
    table = Table(Path(config.run_dir) / "metrics.csv")
    game = instantiate(config.model, _convert_="all")
    _check_labels(game, datamodule)
    checkpoint = _resume(config, table, datamodule, game)
    _accelerate(game, config.accelerator)
    callbacks = _callbacks(config)
    check_room(callbacks, game, config.steps)
    trainer = _trainer(config, callbacks, _loggers(config, table))
    if trainer.is_global_zero:
        said = _introduction(game, datamodule.num_classes)
        Console().print(f"run folder: {config.run_dir}\n{said}", soft_wrap=True, highlight=False)
    trainer.fit(game, datamodule=datamodule, ckpt_path=checkpoint, weights_only=True)
    results = Results.of(trainer, game, config, time.time() - started)
    if trainer.is_global_zero:
        results.save()
        results.show()
    return results
