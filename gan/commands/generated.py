"""Settings of commands that set generated images beside real ones."""

from typing import TYPE_CHECKING, Protocol

from gan.commands.evaluate import EvaluateOptions, check_protocol, compose_protocol
from gan.errors import InputError
from gan.settings.trust import build

if TYPE_CHECKING:
    from gan.metrics.feature_space import FeatureSpace
    from gan.runs.folder import Run
    from gan.runs.generated import Generated

SPLITS = ("train", "test", "validation")


class GeneratedOptions(Protocol):
    """What names generated images and the real ones beside them; see the commands."""

    run: str
    n: int
    seed: int
    split: str
    direction: str | None
    checkpoint: str | None
    device: str | None
    data_root: str | None
    allow_targets: list[str]


class SpaceOptions(GeneratedOptions, Protocol):
    """What also names a space of features."""

    backbone: str | None
    weights: str | None
    pixels: bool


def check_numbers(options: GeneratedOptions) -> None:
    """Refuse numbers out of range and unknown splits.

    Raises:
        InputError: with the first of them.
    """
    if options.n < 1 or options.seed < 0:
        raise InputError(f"n={options.n} must be 1 or more, seed={options.seed} 0 or more")
    if options.split not in SPLITS:
        raise InputError(f"split={options.split}: give {', '.join(SPLITS)}")


def check_space(options: SpaceOptions) -> None:
    """Refuse unknown backbones, and one that would not be used.

    Raises:
        InputError: with the reason.
    """
    for name in ("backbone", "weights"):
        if options.pixels and getattr(options, name) is not None:
            raise InputError(f"{name}: pixels are compared without a network: leave one out")
    check_protocol(_protocol(options))


def open_generated(options: GeneratedOptions) -> "tuple[Run, Generated]":
    """Return the run, and its generated images.

    Raises:
        InputError: if the run has none, or the direction is impossible.
    """
    from gan.devices import find_device
    from gan.runs.checkpoints import load_game
    from gan.runs.folder import names_of, open_run
    from gan.runs.generated import generated

    run = open_run(options.run, options.allow_targets)
    game = load_game(run, *names_of(options.checkpoint)).to(find_device(options.device))
    data = run.data(options.data_root)
    return run, generated(game, data, options.seed, options.direction)


def open_space(options: SpaceOptions, run: "Run", generated: "Generated") -> "FeatureSpace":
    """Return the space in which images are compared, ready.

    Raises:
        InputError: if the weights of its network are not available.
    """
    from gan.devices import find_device
    from gan.metrics.feature_space import BackboneSpace, PixelSpace

    if options.pixels:
        return PixelSpace()
    stored = run.config
    config = compose_protocol(_protocol(options), stored.cache_dir, stored.backbone)
    backbone = build(config.backbone, options.allow_targets)
    return BackboneSpace(backbone, generated.real, find_device(options.device))


def _protocol(options: SpaceOptions) -> EvaluateOptions:
    """Return the settings of ``evaluate`` that name a backbone."""
    return EvaluateOptions(
        metrics=["fid"],
        backbone=options.backbone,
        weights=options.weights,
        allow_targets=options.allow_targets,
    )
