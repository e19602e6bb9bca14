"""Writing an export: weights, graphs, card and picture, compared with the original."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan import __version__, records
from gan.algorithms.interfaces import Interface, interfaces
from gan.algorithms.latent import LatentGame, evaluating
from gan.algorithms.two_player import TwoPlayerGame
from gan.errors import InputError
from gan.exports.card import Card, Check
from gan.exports.graphs import Function, Graph, Onnx, TorchExport
from gan.exports.readme import page
from gan.files import new_folder, write_text
from gan.layers.noise import PixelNoise
from gan.pictures import picture, save_grid
from gan.runs import weights
from gan.runs.checkpoints import load_game
from gan.runs.classes import FILE as CLASSES
from gan.runs.folder import Description, Export

GRAPHS: dict[str, Graph | None] = {
    "safetensors": None,
    "onnx": Onnx(),
    "torch_export": TorchExport(),
}
_EXAMPLES = (1, 4)  # sizes of the batches that are compared
_SAMPLES = 64
_PICTURE = "samples.png"


@dataclass(frozen=True)
class Original:
    """A game to be exported.

    Attributes:
        game: in evaluation mode, on the CPU.
        shape: of an image of its data, (C, H, W).
        settings: portable ones.
        checkpoint: from which its weights are.
        kept: "discriminator" to export it where it does not answer.
        classes: names of the classes, or none.
        picture: of samples, where the game draws none.
        allow_targets: packages of its classes besides this project's.
    """

    game: TwoPlayerGame[Any]
    shape: tuple[int, int, int]
    settings: Mapping[str, Any]
    checkpoint: str
    kept: Collection[str] = ()
    classes: Sequence[str] = ()
    picture: Path | None = None
    allow_targets: Sequence[str] = ()

    def networks(self) -> nn.ModuleDict:
        """Return the networks that are exported."""
        return weights.networks(self.game, self.kept)

    def interfaces(self) -> list[Interface]:
        """Return the functions that the game has learned."""
        return interfaces(self.game, self.shape)

    def description(self) -> Description:
        """Return what ``config.json`` holds."""
        names = [*self.networks()]
        clock = self.game.clock
        return Description(
            __version__, self.checkpoint, clock.step, clock.images, names, dict(self.settings)
        )


def write(original: Original, card: Card, out: Path, graph: Graph | None = None) -> list[Check]:
    """Write an export to a new folder, or nothing.

    Args:
        original: what is exported.
        card: of it, without checks and picture.
        out: the folder.
        graph: format of graphs besides the weights.

    Returns:
        The comparison of each file with the original.

    Raises:
        InputError: if a network has no graph, or a file differs from the original.
    """
    with new_folder(out) as folder:
        original.description().write(folder)
        weights.write(folder / Export.weights, original.networks())
        if original.classes:
            records.write(folder / CLASSES, list(original.classes))
        checks = _check_weights(original, folder)
        if graph is not None:
            checks += [_write_graph(graph, part, folder) for part in original.interfaces()]
        noise = any(isinstance(m, PixelNoise) for m in original.game.averaged.modules())
        pictured = _PICTURE if _draw(original, folder / _PICTURE) else None
        card = replace(card, checks=checks, samples=pictured, noise=noise)
        card.write(folder)
        write_text(folder / "README.md", page(card))
    return checks


def _check_weights(original: Original, folder: Path) -> list[Check]:
    """Return the comparison of the loaded export with the original."""
    copy = load_game(Export(folder, original.allow_targets), original.checkpoint)
    pairs = zip(original.interfaces(), interfaces(copy, original.shape), strict=True)
    return [
        _compared(part, other.module, folder / Export.weights, tolerance=0.0)
        for part, other in pairs
    ]


def _write_graph(graph: Graph, interface: Interface, folder: Path) -> Check:
    """Write the graph of a function, and return its comparison with the original.

    Raises:
        InputError: if it cannot be traced.
    """
    path = folder / f"{interface.name}{graph.suffix}"
    try:
        graph.write(interface, path)
        function = graph.read(path)
    except Exception as error:  # of a compiler, of any kind
        reason = " ".join(str(error).split())[:150] or type(error).__name__
        raise InputError(
            f"{path.name}: the {interface.name} has no such graph ({reason}): give "
            "format=safetensors"
        ) from error
    return _compared(interface, function, path, graph.tolerance)


def _compared(interface: Interface, function: Function, path: Path, tolerance: float) -> Check:
    """Return the comparison of a function with the original.

    Raises:
        InputError: if they differ by more than the tolerance.
    """
    differences = []
    for count in _EXAMPLES:
        inputs = interface.examples(count)
        with evaluating(interface.module):
            expected: Tensor = interface.module(*inputs)
            found = function(*inputs)
        scale = max(1.0, float(expected.abs().max()))
        differences.append((found - expected).abs().max().double() / scale)
    worst = float(torch.stack(differences).max())  # NaN if one is
    if not worst <= tolerance:
        raise InputError(
            f"{path.name}: the {interface.name} differs from the original by {worst:.1e}, which is "
            f"more than {tolerance:.0e}: nothing is written; give another format"
        )
    return Check(path.name, interface.name, worst, tolerance)


def _draw(original: Original, path: Path) -> bool:
    """Write the picture of samples, and return whether there is one."""
    if isinstance(original.game, LatentGame):
        with torch.random.fork_rng([]):
            images = original.game.sample(_SAMPLES, seed=0)
        save_grid(picture(images, 8), path)
    elif original.picture is not None:
        shutil.copyfile(original.picture, path)
    return path.is_file()
