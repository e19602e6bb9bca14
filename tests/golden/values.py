"""The values of a case: images, logits, gradients, two steps of training."""

import functools
import json
import logging
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan.algorithms.gan import GAN
from gan.algorithms.latent import LatentGame, evaluating
from gan.algorithms.sampling import set_standing_statistics
from gan.algorithms.semi_supervised import SemiSupervised
from gan.algorithms.translation import TranslationGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.regularizers.gradient_norm import squared_gradient_norm
from gan.settings.trust import build
from tests.golden import cases, formula
from tests.play import trainer

FOLDER = Path(__file__).parent
STEPS, BATCH, DIGITS = 2, 4, 10
LABELS = (3, 1, 3, 0)  # two images of one class
Values = dict[str, Any]


def rounded(value: float) -> float:
    """Return a number with as many digits as are stored."""
    return float(f"{value:.{DIGITS}g}")


def probe(tensors: list[Tensor]) -> list[float]:
    """Return the root of the mean square of all numbers, and their mean product with waves."""
    numbers = torch.cat([t.detach().double().flatten() for t in tensors])
    size, product = numbers.square().mean().sqrt(), numbers @ formula.waves(numbers.shape, 1)
    return [rounded(float(size)), rounded(float(product) / math.sqrt(len(numbers)))]


def images(channels: int, side: int, start: int) -> Tensor:
    """Return images (B, C, side, side) in [-1, 1]."""
    return formula.waves((BATCH, channels, side, side), start) / math.sqrt(2)


class Batches:
    """What a data module would give for the steps of a game."""

    def __init__(self, game: TwoPlayerGame[Any], data: DictConfig) -> None:
        self.game, self.data = game, data

    def __len__(self) -> int:
        return STEPS

    def __iter__(self) -> Iterator[list[Any]]:
        for step in range(STEPS):
            first = step * self.game.n_critic
            yield [self.batch(first + turn) for turn in range(self.game.n_critic)]

    def batch(self, number: int) -> Any:
        """Return images and labels, or two such pairs."""
        channels, side = self.data.channels, self.data.resolution
        real, labels = images(channels, side, 100 * number), self.labels(number)
        if isinstance(self.game, TranslationGame):
            source = images(channels, side // self.game.scale, 100 * number + 50)
            return (source, labels), (real, None)
        if isinstance(self.game, SemiSupervised):
            return (images(channels, side, 100 * number + 50), labels), (real, None)
        return real, labels

    def labels(self, number: int) -> Tensor | None:
        """Return the labels of a batch, two of them equal."""
        classes = self.data.num_classes
        return (torch.tensor(LABELS) + number) % classes if classes else None

    def held_out(self) -> Any:
        """Return what a validation step is given."""
        batch = self.batch(0)
        return batch[1] if isinstance(self.game, SemiSupervised) else batch


def judged(game: TwoPlayerGame[Any], data: DictConfig) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield images, or what else a discriminator is given, and its logits of them, by its name."""
    if isinstance(game, GAN):
        z = formula.waves((BATCH, game.generator.latent_dim))
        x = game.judged(images(data.channels, data.resolution, 7), z).requires_grad_()
        yield "discriminator", x, game.discriminator(x, torch.tensor(LABELS))
    for critic in game.critics if isinstance(game, TranslationGame) else ():
        convolutions = (m for m in critic.network.modules() if isinstance(m, nn.Conv2d))
        x = images(next(convolutions).in_channels, data.resolution, 7).requires_grad_()
        yield f"discriminator{critic.suffix}", x, critic.network(x)


def networks(game: TwoPlayerGame[Any], data: DictConfig) -> Values:
    """Return what the networks compute in evaluation mode, before training."""
    batch = Batches(game, data).held_out()
    normalised = any(isinstance(m, _BatchNorm) for m in game.averaged.modules())
    if isinstance(game, LatentGame) and normalised:
        set_standing_statistics(game, 2, BATCH)  # else the images are saturated
    values: Values = {"images": probe([game.validation_step(batch, 0)["fake"]])}
    with evaluating(game.discriminator or nn.Identity()), torch.enable_grad():
        for name, x, logits in judged(game, data):
            r1 = squared_gradient_norm(logits, x).mean()
            values |= {f"{name}/logits": probe([logits]), f"{name}/r1": rounded(float(r1.detach()))}
    return values


def state(game: nn.Module) -> dict[str, list[Tensor]]:
    """Return a copy of the weights, and of the statistics, of each module of a game."""
    return {
        f"{kind}/{part}": [v.detach().clone() for v in values if v.is_floating_point()]
        for part, module in game.named_children()
        for kind, values in {"weights": module.parameters(), "buffers": module.buffers()}.items()
    }


def prepared(name: str, *others: str) -> tuple[TwoPlayerGame[Any], DictConfig]:
    """Return the game of a case in the midst of its run, and the config of its data.

    Args:
        name: of the case.
        others: overrides besides.
    """
    config = cases.config(name, *others)
    game: TwoPlayerGame[Any] = build(config.model).double()
    formula.fill(game)
    total = config.steps * config.batch_size * config.n_critic
    game.clock.images = round(cases.progress(name) * total)
    for scheduled in game.scheduled:
        scheduled.set_progress(game.clock.images)
    for module in game.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # torch draws it elsewhere
    return game, config.data


def train(game: TwoPlayerGame[Any], data: DictConfig) -> list[dict[str, float]]:
    """Train a game for some steps and return the readings of each."""
    readings: list[dict[str, float]] = []
    step = game.training_step

    @functools.wraps(step)
    def recorded(batches: Any, batch_idx: int) -> Any:
        out = step(batches, batch_idx)
        readings.append({k: rounded(float(v)) for k, v in sorted(game.readings.items())})
        return out

    game.training_step = recorded  # type: ignore[method-assign]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("pytorch_lightning", "lightning.pytorch"):
            logging.getLogger(name).setLevel(logging.ERROR)
        trainer().fit(game, Batches(game, data))
    return readings


def compute(name: str) -> Values:
    """Return the values of a case."""
    game, data = prepared(name)
    with formula.fixed_draws():
        values = networks(game, data)
        before = state(game)
        values["steps"] = train(game, data)
        for part, after in state(game).items():
            change = [a - b for a, b in zip(after, before[part], strict=True)]
            if any(bool(part.any()) for part in change):
                values[f"change/{part}"] = probe(change)
    return values


def path(name: str) -> Path:
    """Return the file of a case."""
    return FOLDER / f"{name}.json"


def stored(name: str) -> Values | None:
    """Return the stored values of a case, if there are any."""
    file = path(name)
    return json.loads(file.read_text()) if file.exists() else None


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, list[float]]]:
    """Yield numbers, and lists of numbers, by their place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{place}/{key}".lstrip("/"))
    elif isinstance(value, list) and not isinstance(value[0], float):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{place}/{number}")
    else:
        yield place, value if isinstance(value, list) else [value]


def close(old: list[float], new: list[float], tolerance: float) -> bool:
    """Return whether numbers differ by no more than a part of the largest."""
    bound = tolerance * max(map(abs, old)) + 1e-12
    return len(old) == len(new) and all(abs(a - b) <= bound for a, b in zip(old, new, strict=True))


def differences(name: str, old: Values, new: Values) -> list[str]:
    """Return where two values of a case differ by more than rounding, in words."""
    before, after = dict(leaves(old)), dict(leaves(new))
    tolerance = 1e-4 if name in cases.IN_32_BITS else 1e-7
    return [
        f"{place}: {before.get(place)} -> {after.get(place)}"
        for place in {**before, **after}
        if not (place in before and place in after)
        or not close(before[place], after[place], tolerance)
    ]
