"""The card of an exported model: what it takes, what it was made of, how good it is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from gan import records
from gan.algorithms.interfaces import Interface, Port
from gan.algorithms.two_player import TwoPlayerGame
from gan.runs.evaluations import Evaluations
from gan.runs.results import Results

FILE = "card.json"
USE = (
    "Research on generative models: sampling, measuring and comparing them, teaching, and as the "
    "start of further training."
)
MISUSE = (
    "Pictures that are passed off as photographs or as other people's work, pictures of people "
    "without their consent, and decisions about people. Samples repeat the gaps and the bias of "
    "the training data, and some may lie near training images."
)
_OWN_TERMS = (
    "The training data have terms of their own, which may limit what samples may be used for."
)


@dataclass
class Check:
    """How a written file was compared with the original.

    Attributes:
        file: in the folder.
        name: of the function.
        difference: largest of all outputs.
        tolerance: above which the export is refused.
    """

    file: str
    name: str
    difference: float
    tolerance: float

    def __str__(self) -> str:
        """Return it as a line."""
        return (
            f"{self.file}: {self.name}, largest difference {self.difference:.1e} "
            f"(tolerance {self.tolerance:.0e})"
        )


@dataclass
class Metrics:
    """Values of metrics under one protocol.

    Attributes:
        source: file of the run that had them.
        checkpoint: whose values they are.
        step: of the weights.
        values: by name.
        protocols: short name of the protocol of each value that ranks models.
        stamp: protocol of all values.
    """

    source: str
    checkpoint: str
    step: int
    values: dict[str, float]
    protocols: dict[str, str]
    stamp: dict[str, Any]


@dataclass
class Card:
    """The content of ``card.json``, from which ``README.md`` is written.

    Attributes:
        name: of the model.
        game: class of the game.
        task: what it does, in the words of model hubs.
        networks: class and number of parameters of each network, by name.
        interfaces: what each function takes and returns.
        classes: names of the classes, if the data have names.
        data: class, channels, resolution and number of classes of the training data.
        training: length, objective and settings; empty where they are not known.
        metrics: values with the protocol under which they were measured.
        checks: of the written files.
        licence: of the weights.
        intended_use: in words.
        misuse: in words.
        data_terms: in words.
        samples: picture in the folder, or ``None``.
        noise: the pictures of graphs have fixed pixel noise.
        source: where the weights are from, if not from a run.
    """

    name: str
    game: str
    task: str
    networks: dict[str, dict[str, Any]]
    interfaces: list[dict[str, Any]]
    classes: list[str]
    data: dict[str, Any]
    training: dict[str, Any]
    metrics: list[Metrics] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    licence: str = "unknown"
    intended_use: str = USE
    misuse: str = MISUSE
    data_terms: str = _OWN_TERMS
    samples: str | None = None
    noise: bool = False
    source: str | None = None

    def write(self, folder: Path) -> None:
        """Write ``card.json``."""
        records.write(folder / FILE, asdict(self))


def describe_network(network: nn.Module) -> dict[str, Any]:
    """Return class and number of parameters of a network."""
    return {
        "class": type(network).__name__,
        "parameters": sum(weight.numel() for weight in network.parameters()),
    }


def describe_interface(interface: Interface) -> dict[str, Any]:
    """Return what a function takes and returns."""
    return {
        "name": interface.name,
        "inputs": [_port(port) for port in interface.ports],
        "output": _port(interface.output),
    }


def _port(port: Port) -> dict[str, Any]:
    """Return a tensor with its shape, whose batch is free."""
    shape = ["batch", *port.shape]
    return {"name": port.name, "shape": shape, "dtype": port.dtype, "values": port.values}


def kind(node: Any) -> str | None:
    """Return the class that a node of the settings names, without its module."""
    target = node.get("_target_") if isinstance(node, Mapping) else None
    return None if target is None else str(target).rpartition(".")[2]


def describe_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return class and shape of the training data, of both domains where there are two."""
    found = {"class": kind(data)}
    found |= {key: data[key] for key in ("channels", "resolution", "num_classes")}
    domains = {name: kind(data.get(name)) for name in ("a", "b")}
    return {**found, **{f"domain {name}": value for name, value in domains.items() if value}}


_TASKS = {"generator": "unconditional-image-generation", "translator": "image-to-image"}
_NUMBERS = ("size", "batch_size", "n_critic", "seed")
_PARTS = ("loss", "conditioning", "augment", "averaging", "prior", "task")


def describe_training(settings: Mapping[str, Any], step: int, images: int) -> dict[str, Any]:
    """Return length, objective and settings of training.

    Args:
        settings: of the run.
        step: of the weights.
        images: real images seen by then.
    """
    found: dict[str, Any] = {"steps": step, "images seen": images}
    found |= {key: settings[key] for key in _NUMBERS}
    found |= {part: kind(settings[part]) for part in _PARTS}
    found["regularizers"] = ", ".join(settings["regularizers"]) or None
    for player in ("generator", "discriminator"):
        optimizer = settings["optimizer"][player]
        found[f"optimizer of the {player}"] = f"{kind(optimizer)}, lr {optimizer['lr']}"
    return found


def card_of(
    game: TwoPlayerGame[Any],
    networks: nn.ModuleDict,
    parts: Sequence[Interface],
    settings: Mapping[str, Any],
    source: str | None = None,
    **others: Any,
) -> Card:
    """Return the card of a trained game.

    Args:
        game: in evaluation mode.
        networks: those that are exported, by name.
        parts: the functions that it has learned.
        settings: of its run, resolved.
        source: of the weights, if not the run; nothing is known about their training then.
        others: further attributes of the card.
    """
    clock = game.clock
    return Card(
        game=type(game).__name__,
        task=_TASKS[parts[0].name.partition("_")[0]],
        networks={name: describe_network(network) for name, network in networks.items()},
        interfaces=[describe_interface(part) for part in parts],
        data=describe_data(settings["data"]),
        training={} if source else describe_training(settings, clock.step, clock.images),
        source=source,
        **others,
    )


def measured(folder: Path, checkpoint: str) -> list[Metrics]:
    """Return the metrics of a checkpoint that a run folder has, with their stamps.

    Args:
        folder: of the run.
        checkpoint: "best" or "last".

    Raises:
        InputError: if a file of the run is damaged.
    """
    found, results = [], Results.read(folder)
    if results is not None:
        values = results.best if checkpoint == "best" else results.final
        step = int(values.get("step", results.steps))
        parts = (checkpoint, step, values, results.protocols, results.stamp)
        found += [Metrics("results.json", *parts)] if results.protocols else []
    for record in Evaluations(folder / "evaluation.json").records:
        if record.checkpoint == checkpoint:
            parts = (checkpoint, record.step, record.values, record.protocols, record.stamp)
            found.append(Metrics("evaluation.json", *parts))
    return found


def ranking(metrics: Sequence[Metrics]) -> list[tuple[str, str, float]]:
    """Return name, protocol and value of each metric by which models are ranked."""
    return [
        (name, m.protocols[name], m.values[name])
        for m in metrics
        for name in sorted(m.protocols.keys() & m.values.keys())
    ]
