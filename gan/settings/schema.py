"""The typed top level of the config."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING


@dataclass
class TrainConfig:
    """What ``train.py`` reads: short knobs, then one node a group of ``conf/``."""

    steps: int = MISSING
    batch_size: int = MISSING
    seed: int = MISSING
    name: str | None = None
    resume: str | None = None
    allow_targets: list[str] = field(default_factory=list)
    n_critic: int = MISSING
    label_dim: int = MISSING
    pack: int = MISSING
    progressive: bool = MISSING
    burn_in: float = MISSING
    accumulate: int = MISSING
    clip_norm: Any = MISSING
    nan_to_num: bool = MISSING
    doctor: Any = MISSING
    run_dir: str = MISSING
    cache_dir: str = MISSING
    model: Any = MISSING
    loss: Any = MISSING
    regularizers: Any = MISSING
    augment: Any = MISSING
    conditioning: Any = MISSING
    critic_norm: Any = MISSING
    minibatch: Any = MISSING
    prior: Any = MISSING
    averaging: Any = MISSING
    optimizer: Any = MISSING
    schedule: Any = MISSING
    data: Any = MISSING
    backbone: Any = MISSING
    metrics: Any = MISSING
    evaluation: Any = MISSING
    callbacks: Any = MISSING
    logger: Any = MISSING
    accelerator: Any = MISSING


def register() -> None:
    """Make the schema known to Hydra as ``schema``."""
    ConfigStore.instance().store(name="schema", node=TrainConfig)
