"""What a run is, printed before its first step."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from rich.text import Text
from torch import nn

from gan import counts
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.evaluation import MetricsCallback
from gan.devices import hardware
from gan.layers.bilinear import MinimalFiltering
from gan.layers.folding import FoldedConv2d

_WIDTH = 12  # characters of a label
_NAMED = 10  # classes whose names are shown


def _has_images(game: TwoPlayerGame, trainer: pl.Trainer) -> bool:
    """Return whether there are convolutions, whose images have a memory format."""
    return any(weight.ndim == 4 for weight in game.parameters())


def _folds(game: TwoPlayerGame, trainer: pl.Trainer) -> bool:
    """Return whether a convolution has an operation beside it."""
    return any(isinstance(module, FoldedConv2d) for module in game.modules())


def _multiplies_tiles(game: TwoPlayerGame, trainer: pl.Trainer) -> bool:
    """Return whether convolutions may take fewer products: on a CPU in 32 bits."""
    allowed = game.device.type == "cpu" and trainer.precision.startswith("32")
    return allowed and any(isinstance(module, MinimalFiltering) for module in game.modules())


# Whether a form changes how the networks of a run are computed; those that are not here always do.
_ACTS: dict[str, Callable[[TwoPlayerGame, pl.Trainer], bool]] = {
    "channels_last": _has_images,
    "fold": _folds,
    "winograd": _multiplies_tiles,
}


def networks(game: TwoPlayerGame) -> dict[str, nn.Module]:
    """Return the networks of a game by their letters: G, and D and E where it has them."""
    every = {"G": game.generator, "D": game.discriminator, "E": getattr(game, "encoder", None)}
    return {letter: network for letter, network in every.items() if network is not None}


def parameters(game: TwoPlayerGame) -> dict[str, int]:
    """Return the number of parameters of each network of a game by its letter."""
    return {
        letter: sum(weight.numel() for weight in network.parameters())
        for letter, network in networks(game).items()
    }


class Overview(Callback):
    """Prints what a run is, once everything has been built and the data have been read.

    A run that is refused before its first step prints nothing of it.

    Args:
        folder: of the run.
        model: name and paper of the model, or ``None`` where only its classes are known.
        batch_size: real images of a discriminator update, over all devices.
        changes: what differs from the run that is resumed, a phrase each.
        forms: how the networks are to be computed, by the names of the settings; those that change
            nothing on the device, or in these networks, are not printed.
        origin: where the weights of a new run are from, in lines.
    """

    def __init__(
        self,
        folder: str,
        model: str | None,
        batch_size: int,
        changes: Sequence[str] = (),
        forms: Sequence[str] = (),
        origin: Sequence[str] = (),
    ) -> None:
        self.folder, self.model, self.forms = folder, model, forms
        self.batch_size, self.changes, self.origin = batch_size, changes, origin
        self._printed = False

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Print one line for each thing to know, before the first step."""
        assert isinstance(pl_module, TwoPlayerGame)
        if self._printed or not trainer.is_global_zero:
            return
        self._printed = True
        console = Console(highlight=False)
        for label, value in self._rows(trainer, pl_module):
            text = Text.assemble((f"{f'{label}:' * bool(label):<{_WIDTH}}", "bold"), " ", value)
            console.print(text, soft_wrap=True)

    def _rows(self, trainer: pl.Trainer, game: TwoPlayerGame) -> Iterator[tuple[str, str]]:
        """Yield labels and values."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        *first, last = (type(network).__name__ for network in networks(game).values())
        names = " and ".join([", ".join(first), last] if first else [last])
        classes = f"game {type(game).__name__} of {names}"
        yield "model", f"{self.model}; {classes}" if self.model else classes
        numbers = parameters(game)
        sizes = " + ".join(f"{number:,}" for number in numbers.values())
        yield "parameters", f"{sizes} ({' + '.join(numbers)})"
        yield "labels", _labels(game, data)
        yield "data", _data(data)
        for side, domain in data.domains.items():
            if domain is not data:
                yield f"domain {side.upper()}", _data(domain)
        for phrase in data.found:
            yield "", phrase
        for number, line in enumerate(self.origin):
            yield "init" * (number == 0), line
        yield "training", self._length(trainer, game)
        yield "measuring", _measuring(trainer)
        processes = counts.show(trainer.world_size, "process")
        device = f"{hardware(game.device)}; precision {trainer.precision}; {processes}"
        acting = [f for f in self.forms if f not in _ACTS or _ACTS[f](game, trainer)]
        yield "device", "; ".join([device, *acting])
        yield "run folder", self.folder
        for change in self.changes:
            yield "changed", change

    def _length(self, trainer: pl.Trainer, game: TwoPlayerGame) -> str:
        """Return the steps to do, and the images of each."""
        total, step, turns = int(trainer.num_training_batches), game.clock.step, game.n_critic
        since = f", from step {step:,} on" if step else ""
        updates = f" in each of {turns} updates of D" if turns > 1 else ""
        steps, images = counts.show(total, "step"), counts.show(self.batch_size, "image")
        return f"{steps}{since}, {images} a step{updates}"


def _labels(game: TwoPlayerGame, data: Any) -> str:
    """Return whether the game is conditional, or learns from few labels."""
    known = getattr(game.generator, "num_classes", 0)
    classes = counts.show(data.num_classes, "class") if data.num_classes else ""
    few = getattr(data, "labels_per_class", None)
    if few is not None:
        images = counts.show(few, "image")
        return f"of {images} of each of {classes}; the generator is unconditional"
    unused = f", the data's {classes} unused" if classes and not known else ""
    return f"conditional on {counts.show(known, 'label')}" if known else f"unconditional{unused}"


def _data(data: Any) -> str:
    """Return the name of a data set, the splits that were read, and the shape of its images."""
    splits = ", ".join(f"{size:,} in {split}" for split, size in data.split_sizes.items())
    shape = f"{data.channels} x {data.resolution} x {data.resolution}"
    classes = counts.show(data.num_classes, "class") if data.num_classes else "no labels"
    names = data.class_names[:_NAMED]
    if names and data.num_classes:
        more = ", ..." if data.num_classes > len(names) else ""
        classes += f" ({', '.join(names)}{more})"
    flips = ", mirrored at random" if data.flip else ""
    phrases = "; ".join(phrase for phrase in (splits, shape, classes) if phrase)
    return f"{data.name}: {phrases}{flips}"


def _measuring(trainer: pl.Trainer) -> str:
    """Return what is measured, and when."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    for evaluation in (c.evaluation for c in callbacks if isinstance(c, MetricsCallback)):
        names = ", ".join((*evaluation.metrics, *evaluation.model_metrics))
        every = evaluation.every
        when = f"every {counts.show(every, 'step')} and at the end" if every else "at the end"
        fakes = f"{counts.show(evaluation.num_fakes, 'fake')} with {evaluation.backbone.name}"
        return f"{names} of {fakes}, against split {evaluation.split}, {when}"
    return "nothing"
