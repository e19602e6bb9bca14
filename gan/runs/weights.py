"""The weights of an export: a file in the format of safetensors."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from gan.algorithms.two_player import TwoPlayerGame
from gan.archives import Dense
from gan.errors import InputError
from gan.runs.folder import Description
from gan.structure import StructureError, check


def networks(game: TwoPlayerGame[Any], kept: Collection[str] = ()) -> nn.ModuleDict:
    """Return the networks whose weights an export holds.

    Args:
        game: trained.
        kept: "discriminator" to add it where it does not answer.

    Raises:
        InputError: if the game has no such network.
    """
    found = game.answering()
    for name in set(kept) - found.keys():
        network = game.discriminator if name == "discriminator" else None
        if network is None:
            raise InputError(f"{name}: {type(game).__name__} has no such network: leave it out")
        found[name] = network
    return nn.ModuleDict(found)


def write(path: Path, parts: nn.ModuleDict) -> None:
    """Write the weights and buffers of networks."""
    content = {
        name: value.detach().cpu().contiguous() for name, value in parts.state_dict().items()
    }
    path.write_bytes(save(content, metadata={"format": "pt"}))


def read(path: Path) -> dict[str, Tensor]:
    """Return the content of a safetensors file, on the CPU; the format holds no code.

    Raises:
        InputError: if it is no such file, or damaged.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} is no whole safetensors file ({error}): copy it again") from error


def restore(game: TwoPlayerGame[Any], path: Path, description: Description) -> None:
    """Load the weights of an export into its game, and drop what training alone needs.

    Raises:
        InputError: if they do not fit together.
    """
    parts, content = networks(game, description.networks), read(path)
    expected = {name: Dense(value, torch.isfinite) for name, value in parts.state_dict().items()}
    try:
        check(content, expected, "weights")
    except StructureError as error:
        raise InputError(f"{path}: {error}: copy the export again") from error
    parts.load_state_dict(content)
    game.clock.load_state_dict({"step": description.step, "images": description.images})
    game.drop_training(description.networks)
