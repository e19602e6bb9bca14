"""The layouts that are known, and their weights in this project's generators."""

from pathlib import Path

from torch import nn

from gan.errors import InputError
from gan.imports.files import Source, State
from gan.imports.layouts import Layout
from gan.imports.mimicry import MimicryResNet
from gan.imports.studiogan import StudioBigGAN, StudioSNGAN, StudioStyleGAN2

LAYOUTS: tuple[Layout, ...] = (
    MimicryResNet(),
    StudioSNGAN(),
    StudioBigGAN(),
    StudioStyleGAN2(),
)


def find_layout(source: Source) -> Layout:
    """Return the layout of a file.

    Raises:
        InputError: if it is none that is known.
    """
    for layout in LAYOUTS:
        if layout.recognises(source):
            return layout
    known = "; ".join(layout.title for layout in LAYOUTS)
    first = ", ".join(sorted(source.state)[:3])
    raise InputError(
        f"weights={source.path}: its names ({first}, ...) are of no known layout ({known}): give "
        "the state dict of such a generator"
    )


def load(network: nn.Module, path: Path, tensors: State) -> None:
    """Load tensors into a network, all of them and no others.

    Raises:
        InputError: with the first that differs in name or shape.
    """
    expected = network.state_dict()
    for name, value in expected.items():
        found = tensors.get(name)
        if found is None or found.shape != value.shape:
            shape = "is absent" if found is None else f"has shape {tuple(found.shape)}"
            raise InputError(
                f"weights={path}: {name} of the network here {shape} there and "
                f"{tuple(value.shape)} here: these sizes cannot be imported"
            )
    rest = sorted(tensors.keys() - expected.keys())
    if rest:
        raise InputError(f"weights={path}: the network here has no place for {rest[0]}")
    network.load_state_dict({name: value.to(expected[name]) for name, value in tensors.items()})
