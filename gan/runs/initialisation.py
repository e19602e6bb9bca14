"""Weights of another run, or of an export, from which a run starts."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from gan import records
from gan.algorithms.two_player import TwoPlayerGame
from gan.archives import Dense, is_dense
from gan.errors import InputError
from gan.files import open_file
from gan.runs import checkpoints, weights
from gan.runs.folder import Export, names_of, open_run
from gan.runs.lock import is_first_process
from gan.structure import Count

_FILE = "init.json"
# The network of a source that starts one of another name, where the source has none of its name.
_INSTEAD = {
    **{"averaged": "generator", "averaged_encoder": "encoder"},  # an export has averages alone
    **{"classifier": "discriminator", "discriminator": "classifier"},
}
_LABELS = "entry."  # the layer of a generator that takes the label
_SHOWN = 3  # tensors that are named of a network
_DIGITS = 12  # of a hash that are shown


@dataclass
class Share:
    """What a network has of a source.

    Attributes:
        taken: number of tensors of its name and shape in the source.
        left: why each other tensor of the network keeps its start, by name.
        unused: number of tensors of the source's network that have no place here.
    """

    taken: Count
    left: dict[str, str]
    unused: Count

    def __str__(self) -> str:
        """Return it as a phrase."""
        text = f"{self.taken} of {self.taken + len(self.left)} tensors"
        named = [f"{name} {reason}" for name, reason in [*self.left.items()][:_SHOWN]]
        if not self.taken:
            named = named[:1]
        more = len(self.left) - len(named)
        named += [f"{more} more"] if more else []
        if named:
            text += f"; left: {', '.join(named)}"
        return f"{text}; {self.unused} of the source unused" if self.unused else text


@dataclass
class Origin:
    """The content of ``init.json``: where the weights of step 0 are from.

    Attributes:
        source: the folder of the run or of the export.
        file: that holds the weights, below it.
        sha256: of the file.
        step: generator updates of the weights.
        images: real images that the source's discriminator had seen.
        networks: what each network of the run has of the source.
        unused: networks of the source that have no place here.
    """

    source: str
    file: str
    sha256: str
    step: Count
    images: Count
    networks: dict[str, Share]
    unused: list[str]

    @property
    def lines(self) -> list[str]:
        """Return what was taken and what was left, in a few lines."""
        place = f"{Path(self.source) / self.file}, step {self.step:,}"
        found = [f"{place}, sha256 {self.sha256[:_DIGITS]}"]
        found += [f"{name}: {share}" for name, share in self.networks.items()]
        return found + [f"not taken: {', '.join(self.unused)}"] * bool(self.unused)

    def write(self, folder: Path) -> None:
        """Write ``init.json`` to a run folder."""
        records.write(folder / _FILE, asdict(self))


def read_origin(folder: Path) -> dict[str, Any] | None:
    """Return the origin that a run folder holds, as plain values, or ``None``.

    Raises:
        InputError: if the file holds something else.
    """
    content: dict[str, Any] | None = records.read(folder / _FILE, Origin, "origin of weights")
    return content


def _take(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> Share:
    """Load the tensors that a network has under the same name and in the same shape.

    Raises:
        InputError: if one of these holds no finite numbers.
    """
    taken, left, own = {}, {}, network.state_dict()
    for name, value in own.items():
        found = tensors.get(name)
        if found is None:
            left[name] = "is absent there"
        elif type(found) is Tensor and is_dense(found) and found.shape != value.shape:
            left[name] = f"is {tuple(found.shape)} there and {tuple(value.shape)} here"
        else:
            fault = Dense(value, torch.isfinite).fault(found)
            if fault is not None:
                raise InputError(f"init: {path}: {name} {fault}: give another source")
            taken[name] = found
    network.load_state_dict(taken, strict=False)
    return Share(len(taken), left, len(tensors.keys() - own.keys()))


def _check(path: str, game: TwoPlayerGame[Any], shares: Mapping[str, Share]) -> None:
    """Refuse a source whose generator shares no weights with that of a game.

    Biases and gains, and the embeddings of labels, fit by chance.
    """
    own, left = game.generator.state_dict(), shares["generator"].left
    names = [n for n, value in own.items() if value.ndim > 1 and not n.startswith(_LABELS)]
    if names and left.keys() >= set(names):
        raise InputError(
            f"init={path}: none of its weights fits this generator ({names[0]} {left[names[0]]}): "
            "choose model and size of the source"
        )


def _inherit(game: TwoPlayerGame[Any], config: DictConfig) -> Origin:
    """Load what fits of the weights that ``init`` names; the clock stays at 0.

    Generator and averaged generator start from their own counterparts (Karras et al., 2020, code),
    both from the average where the source is an export, which has no other.
    """
    run = open_run(config.init, list(config.allow_targets))
    path = run.checkpoint(*names_of(None))
    if isinstance(run, Export):
        state, about = weights.read(path), run.description
        step, images = about.step, about.images
    else:
        content = checkpoints.read(path)
        state, clock = content["state_dict"], content["clock"]
        step, images = clock["step"], clock["images"]
    shares, unused = _take_all(game, _by_network(state), path)
    _check(config.init, game, shares)
    with open_file(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    place = (str(run.path), str(path.relative_to(run.path)), digest)
    return Origin(*place, step, images, shares, unused)


def _by_network(state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of a state dict by network and name."""
    groups: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        network, _, name = key.partition(".")
        if name:
            groups.setdefault(network, {})[name] = value
    return groups


def _take_all(
    game: TwoPlayerGame[Any], groups: Mapping[str, Mapping[str, Tensor]], path: Path
) -> tuple[dict[str, Share], list[str]]:
    """Load what fits into each network; return its share, and the networks without a place."""
    own = game.weighted()
    used = {name: name if name in groups else _INSTEAD.get(name, name) for name in own}
    shares = {name: _take(own[name], groups.get(used[name], {}), path) for name in own}
    game.inherited = frozenset(name for name, share in shares.items() if share.taken)
    for module in game.scheduled:  # such as the resolution of a growing network
        module.set_progress(0)
    known = {*used.values(), *_by_network(game.state_dict())}
    return shares, sorted(groups.keys() - known)


def _refuse_new_layers(game: TwoPlayerGame[Any], config: DictConfig, origin: Origin) -> None:
    """Refuse to freeze layers that are not those of the source."""
    fixed = {
        id(v) for layer in game.frozen_layers for v in layer.state_dict(keep_vars=True).values()
    }
    share = origin.networks["discriminator"]
    for name, value in game.weighted()["discriminator"].state_dict(keep_vars=True).items():
        if id(value) in fixed and name in share.left:
            raise InputError(
                f"freeze.discriminator={config.freeze.discriminator}: {name} of the discriminator "
                f"{share.left[name]} (init={config.init}; an export has one by "
                "discriminator=true): freeze fewer layers, or give another source"
            )


def prepare(game: TwoPlayerGame[Any], config: DictConfig, resumed: bool) -> list[str]:
    """Freeze layers, and give a new run the weights of ``init``; a resumed run has its own.

    Args:
        game: of the run, at step 0.
        config: its settings.
        resumed: the game gets the weights of a checkpoint; the source is not read.

    Returns:
        What a new run has of the source, and what is frozen, in lines.

    Raises:
        InputError: if nothing fits, or the layers cannot be frozen.
    """
    if config.init is None:
        return []
    if config.freeze.discriminator:
        game.freeze_discriminator(config.freeze.discriminator)
    if resumed:
        return _frozen(game)
    origin = _inherit(game, config)
    if game.frozen_layers:
        _refuse_new_layers(game, config, origin)
    if is_first_process():
        origin.write(Path(config.run_dir))
    return origin.lines + _frozen(game)


def _frozen(game: TwoPlayerGame[Any]) -> list[str]:
    """Return a line on the layers that are frozen, if there are any."""
    layers = game.frozen_layers
    if not layers:
        return []
    kinds = ", ".join(type(next(iter(layer))).__name__ for layer in layers)
    count = sum(weight.numel() for layer in layers for weight in layer.parameters())
    what = f"{len(layers)} layer{'s' * (len(layers) != 1)} of the discriminator"
    return [f"frozen: {what}, {count:,} parameters ({kinds})"]
