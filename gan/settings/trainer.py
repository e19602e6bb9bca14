"""Flags of Lightning's Trainer that a run passes on, and those that have another setting here."""

from omegaconf import DictConfig

from gan.errors import InputError

_ACCELERATOR = ("accelerator", "devices", "strategy", "precision", "sync_batchnorm")
# Flags of the Trainer that this project sets itself, with the setting that does it here.
REPLACED = {
    **{name: f"accelerator.{name}" for name in _ACCELERATOR},
    **dict.fromkeys(["max_steps", "min_steps", "max_epochs", "min_epochs"], "steps"),
    **dict.fromkeys(["limit_train_batches", "overfit_batches"], "steps"),
    **dict.fromkeys(
        ["gradient_clip_val", "gradient_clip_algorithm"],
        "clip_norm.generator and clip_norm.discriminator",
    ),
    "accumulate_grad_batches": "accumulate",
    **dict.fromkeys(
        ["limit_val_batches", "limit_test_batches", "limit_predict_batches"], "evaluation.num_fakes"
    ),
    **dict.fromkeys(
        ["val_check_interval", "check_val_every_n_epoch", "num_sanity_val_steps"],
        "evaluation.every",
    ),
    "log_every_n_steps": "callbacks.telemetry.every",
    "logger": "logger=[...]",
    "callbacks": "callbacks=[...]",
    "enable_checkpointing": "callbacks.checkpoints.every",
    "enable_progress_bar": "callbacks=[...]",
    "default_root_dir": "hydra.run.dir",
}
# Flags without meaning here: the data are an endless stream, the objects are the project's own.
WITHOUT_USE = (
    "barebones",
    "enable_model_summary",
    "inference_mode",
    "plugins",
    "reload_dataloaders_every_n_epochs",
    "use_distributed_sampler",
)


def refuse_replaced(config: DictConfig) -> None:
    """Refuse flags of the Trainer that have another setting here, or none.

    Raises:
        InputError: with that setting.
    """
    for name in config.get("trainer") or ():
        if name in REPLACED:
            raise InputError(f"trainer.{name}: set {REPLACED[name]} instead")
        if name in WITHOUT_USE:
            raise InputError(f"trainer.{name}: it has no use here: leave it out")
    profiler = config.get("trainer", {}).get("profiler")
    if profiler is not None and not isinstance(profiler, str):
        raise InputError(f"trainer.profiler={profiler}: give the name of one, such as simple")
