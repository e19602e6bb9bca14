"""Import of published weights."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import MISSING, DictConfig

from gan.commands.paths import new_folder_path
from gan.errors import InputError
from gan.settings import stored
from gan.settings.composing import compose
from gan.settings.errors import reading_settings
from gan.settings.groups import options as members
from gan.settings.names import nearest
from gan.settings.overrides import hydra_form
from gan.settings.trust import build
from gan.settings.validation import validate

if TYPE_CHECKING:
    from gan.exports.card import Card
    from gan.exports.writer import Original
    from gan.imports.files import Source, State
    from gan.imports.layouts import Layout


@dataclass
class ImportOptions:
    """Settings of ``ganymede import``.

    Attributes:
        weights: file of a generator of mimicry (SNGAN, SSGAN, cGAN-PD) or of PyTorch-StudioGAN
            (SNGAN, BigGAN, StyleGAN2 and models with these networks): safetensors, or what
            ``torch.save`` wrote of tensors and plain values.
        data: data set that the model was trained on, for its measures.
        out: new folder.
        key: of the network, where the file holds several.
        settings: further ones, as of training, such as [data.root=DIR].
        name: of the model on its card; by default that of the file.
        licence: of the weights on their card, such as "mit".
    """

    weights: str = MISSING
    data: str = MISSING
    out: str = MISSING
    key: str | None = None
    settings: list[str] = field(default_factory=list)
    name: str | None = None
    licence: str | None = None


def import_(options: ImportOptions) -> None:
    """Make an export of published weights, to sample and measure them."""
    out, path = new_folder_path(options.out), Path(options.weights).expanduser()
    if options.data not in members("data"):
        raise InputError(f"data={options.data}: {nearest(options.data, members('data'))}")
    if not path.is_file():
        raise InputError(f"weights={path}: there is no such file")
    from gan.exports.writer import write
    from gan.imports.files import Source, digest, read
    from gan.imports.known import find_layout

    source = Source(path, read(path, options.key))
    layout = find_layout(source)
    given, tensors = layout.settings(source), layout.state(source)
    config = _config(options, layout, source, given)
    original = _original(config, path, tensors)
    card = _card(config, original, options, f"{layout.title}, SHA-256 {digest(path)[:16]}")
    print(f"{path}: {layout.title}, {len(source.state)} tensors, {', '.join(given)}")
    for check in write(original, card, out):
        print(check)
    print(out)


def _config(
    options: ImportOptions, layout: "Layout", source: "Source", given: list[str]
) -> DictConfig:
    """Return the settings of a run whose generator has the layout's sizes.

    Raises:
        InputError: if they are wrong, or the data are not those of the weights.
    """
    chosen = [f"model={layout.model}", f"data={options.data}", "averaging=none", "size=paper"]
    with reading_settings():
        arguments = [hydra_form(setting) for setting in [*chosen, *given, *options.settings]]
        config = compose(arguments)
        config.run_dir = "."
        channels, resolution, classes = layout.shape(source)
        if config.data.get("num_classes") is None:
            config.data.num_classes = classes
        stored.resolve(config)
        _check_data(options, config.data, (channels, resolution, classes))
        validate(config)
    return config


def _check_data(options: ImportOptions, data: DictConfig, shape: tuple[int, int, int]) -> None:
    """Refuse data of another shape than the images of the weights."""
    names = ("channels", "resolution", "num_classes")
    for name, wanted in zip(names, shape, strict=True):
        if data[name] != wanted and (name != "num_classes" or wanted):
            raise InputError(
                f"data={options.data}: its {name} is {data[name]}, that of the weights {wanted}: "
                f"choose the data that they were trained on, or settings=[data.{name}={wanted}]"
            )


def _original(config: DictConfig, path: Path, tensors: "State") -> "Original":
    """Return the game with the weights.

    Raises:
        InputError: if a tensor has no place, or another shape.
    """
    from gan.exports.writer import Original
    from gan.imports.known import load
    from gan.runs.portable import portable

    game = build(config.model).eval().requires_grad_(False)
    load(game.averaged, path, tensors)
    game.drop_training(())
    shape = tuple(game.sample(1).shape[1:])
    return Original(game, shape, portable(config), "imported")


def _card(config: DictConfig, original: "Original", options: ImportOptions, source: str) -> "Card":
    """Return the card of the weights."""
    from gan.exports.card import card_of
    from gan.runs.portable import plain

    return card_of(
        original.game,
        original.networks(),
        original.interfaces(),
        plain(config),
        name=options.name or Path(options.weights).stem,
        licence=options.licence or "unknown",
        classes=[],
        source=source,
    )
