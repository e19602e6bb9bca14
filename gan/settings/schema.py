"""The settings of a training run that no class of its own takes."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from gan.settings import documents

# Nodes of a data set that are chosen by the name of an option of another group.
NESTED = {"data.a": "data", "data.b": "data"}
MANY = ("regularizers", "metrics", "callbacks", "logger")  # groups of which any number is chosen


@dataclass
class TrainConfig:
    """The top level: short settings, then one node a group of ``conf/``."""

    size: Literal["paper", "small", "tiny"] = MISSING
    steps: int = MISSING
    batch_size: int = MISSING
    seed: int = MISSING
    name: str | None = None
    resume: str | None = None
    init: str | None = None
    allow_targets: list[str] = field(default_factory=list)
    n_critic: int = MISSING
    mirror: bool = MISSING
    label_dim: int = MISSING
    pack: int = MISSING
    progressive: bool = MISSING
    burn_in: float = MISSING
    accumulate: int = MISSING
    nan_to_num: bool = MISSING
    run_dir: str = MISSING
    cache_dir: str = MISSING
    clip_norm: Any = MISSING
    freeze: Any = MISSING
    doctor: Any = MISSING
    stop: Any = MISSING
    model: Any = MISSING
    loss: Any = MISSING
    likelihood: Any = MISSING
    regularizers: Any = MISSING
    augment: Any = MISSING
    conditioning: Any = MISSING
    critic_norm: Any = MISSING
    minibatch: Any = MISSING
    prior: Any = MISSING
    averaging: Any = MISSING
    optimizer: Any = MISSING
    schedule: Any = MISSING
    task: Any = MISSING
    data: Any = MISSING
    backbone: Any = MISSING
    metrics: Any = MISSING
    evaluation: Any = MISSING
    callbacks: Any = MISSING
    logger: Any = MISSING
    accelerator: Any = MISSING
    trainer: Any = MISSING


@dataclass
class Accelerator:
    """The node ``accelerator``."""

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = MISSING
    devices: int | str | list[int] = MISSING
    num_nodes: int = 1
    strategy: Any = MISSING
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "32", "bf16", 32] = MISSING
    sync_batchnorm: bool = MISSING
    channels_last: bool = MISSING
    fold: bool = False
    winograd: bool = False
    checkpoint: bool = False
    compile: bool = MISSING


@dataclass
class Players:
    """A node with one entry for each of the two networks."""

    generator: Any = MISSING
    discriminator: Any = MISSING


@dataclass
class ClipNorm:
    """The node ``clip_norm``: largest gradient norms."""

    generator: float | None = MISSING
    discriminator: float | None = MISSING


@dataclass
class Freeze:
    """The node ``freeze``: layers of each discriminator that are not trained."""

    discriminator: int = MISSING


# Nodes at the top level that must be there; ``doctor`` may be null.
GROUPS = tuple(f.name for f in fields(TrainConfig) if f.type is Any and f.name != "doctor")


def _name(kind: type) -> str:
    """Return the dotted name of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


# The class whose parameters are the keys of a node that has no ``_target_``.
NODES = {
    "": _name(TrainConfig),
    "accelerator": _name(Accelerator),
    "optimizer": _name(Players),
    "schedule": _name(Players),
    "clip_norm": _name(ClipNorm),
    "freeze": _name(Freeze),
    "trainer": "pytorch_lightning.trainer.trainer.Trainer",
}


def register() -> None:
    """Make the top level known to Hydra as ``schema``; the values are checked after composing.

    Config files are checked before Hydra reads them.
    """
    documents.register()
    untyped = {f.name: MISSING if f.default is MISSING else None for f in fields(TrainConfig)}
    ConfigStore.instance().store(name="schema", node=untyped)
