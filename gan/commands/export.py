"""Export of a trained model."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

from gan.commands.paths import new_folder_path
from gan.errors import InputError
from gan.runs.folder import Run, check_run, names_of, open_run
from gan.settings.names import nearest

if TYPE_CHECKING:
    from gan.exports.card import Card
    from gan.exports.writer import Original

FORMATS = ("safetensors", "onnx", "torch_export")
_FOLDER = "export"  # in the run folder


@dataclass
class ExportOptions:
    """Settings of ``ganymede export``.

    Attributes:
        run: the run folder, or an export.
        format: "safetensors" for the weights alone; "onnx" or "torch_export" for a graph of each
            network besides.
        out: new folder, by default ``export`` in the run folder.
        checkpoint: "best" or "last"; by default the best if there is one.
        name: of the model on its card; by default that of the run folder.
        licence: of the weights on their card, such as "mit".
        discriminator: export it too, for langevin and for further training.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    format: str = "safetensors"
    out: str | None = None
    checkpoint: str | None = None
    name: str | None = None
    licence: str | None = None
    discriminator: bool = False
    allow_targets: list[str] = field(default_factory=list)


def export(options: ExportOptions) -> None:
    """Write the averaged networks with a card, ready for a model hub."""
    if options.format not in FORMATS:
        raise InputError(f"format={options.format}: {nearest(options.format, FORMATS)}")
    out = new_folder_path(options.out or str(Path(options.run) / _FOLDER))
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.exports.writer import GRAPHS, write

    graph = GRAPHS[options.format]
    if graph is not None:
        graph.check()
    run = open_run(options.run, options.allow_targets)
    original = _original(run, options)
    for check in write(original, _card(run, original, options), out, graph):
        print(check)
    print(out)


def _original(run: Run, options: ExportOptions) -> "Original":
    """Return what is exported of a run."""
    from gan.algorithms.latent import LatentGame
    from gan.exports.writer import Original
    from gan.runs.checkpoints import load_game
    from gan.runs.classes import read_class_names
    from gan.runs.portable import portable

    names, config = names_of(options.checkpoint), run.config
    checkpoint = (run.existing(names) or names)[0]
    game: Any = load_game(run, checkpoint)
    shape = (config.data.channels, config.data.resolution, config.data.resolution)
    latent = isinstance(game, LatentGame)
    return Original(
        game,
        tuple(game.sample(1).shape[1:]) if latent else shape,
        portable(config),
        checkpoint,
        kept=["discriminator"] if options.discriminator else [],
        classes=read_class_names(run.path),
        picture=next(iter(sorted((run.path / "samples").glob("*.png"))[::-1]), None),
        allow_targets=options.allow_targets,
    )


def _card(run: Run, original: "Original", options: ExportOptions) -> "Card":
    """Return the card of a run."""
    from gan.exports.card import card_of, measured
    from gan.runs.portable import plain

    return card_of(
        original.game,
        original.networks(),
        original.interfaces(),
        plain(run.config),
        name=options.name or run.path.resolve().name,
        licence=options.licence or "unknown",
        classes=list(original.classes),
        metrics=measured(run.path, original.checkpoint),
    )
