"""Files of published weights; no code of a pickle is run."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from torch import Tensor

from gan import archives
from gan.errors import InputError
from gan.runs import weights

State = dict[str, Tensor]
_WRAPPER = "module."  # of networks on several devices
_SHOWN = 5


def read(path: Path, key: str | None = None) -> State:
    """Return the tensors of a network by name, on the CPU.

    Args:
        path: a file of safetensors, or of ``torch.save``.
        key: of the network, where the file holds several.

    Raises:
        InputError: if it is no such file, needs code to be read, or holds no or several networks.
    """
    if not path.is_file():
        raise InputError(f"weights={path}: there is no such file")
    if path.suffix == ".safetensors":
        content: Any = weights.read(path)
    else:
        content = _unpickled(path)
    state = _network(path, content, key)
    wrapped = all(name.startswith(_WRAPPER) for name in state)
    return {name.removeprefix(_WRAPPER) if wrapped else name: v for name, v in state.items()}


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpickled(path: Path) -> Any:
    """Return what ``torch.save`` wrote, if it is tensors and plain values.

    Raises:
        InputError: if it is anything else.
    """
    try:
        return archives.load(path)
    except UnpicklingError as error:
        raise InputError(
            f"weights={path}: it holds objects that only code of its own can make, which is not "
            "run: where you trust it, save its tensors alone by torch.save(network.state_dict(), "
            "FILE)"
        ) from error
    except archives.READ_ERRORS as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(
            f"weights={path} is no whole file of weights ({reason}): fetch it again"
        ) from error


def _is_state(value: Any) -> bool:
    """Return whether a value is tensors by name."""
    named = isinstance(value, Mapping) and len(value) > 0
    return named and all(isinstance(k, str) and type(v) is Tensor for k, v in value.items())


def _network(path: Path, content: Any, key: str | None) -> State:
    """Return the tensors of one network of a file."""
    states = {"": content} if _is_state(content) else {}
    if not states and isinstance(content, Mapping):
        states = {str(name): value for name, value in content.items() if _is_state(value)}
    names = ", ".join(filter(None, states))
    if key is not None and key not in states:
        raise InputError(f"key={key}: {path} has no such network; it has {names or 'one, unnamed'}")
    if not states:
        raise InputError(f"weights={path}: it holds no tensors by name: give a state dict")
    if key is None and len(states) > 1:
        raise InputError(
            f"weights={path}: it holds several networks, {names}: choose one by key=NAME; averaged "
            "weights give better images"
        )
    return dict(states[next(iter(states)) if key is None else key])


class Source:
    """The tensors of a published network, each of which must be taken.

    Args:
        path: of the file, for messages.
        state: tensors by name.
    """

    def __init__(self, path: Path, state: State) -> None:
        self.path, self.state, self._taken = path, state, set[str]()

    def __contains__(self, name: str) -> bool:
        """Return whether there is a tensor of a name."""
        return name in self.state

    def take(self, name: str) -> Tensor:
        """Return a tensor.

        Raises:
            InputError: if there is none, or its numbers are not finite.
        """
        if name not in self.state:
            raise InputError(f"weights={self.path}: it lacks {name}: give a whole state dict")
        value = self.state[name]
        if not archives.is_dense(value) or not value.isfinite().all():
            raise InputError(f"weights={self.path}: {name} holds numbers that are not finite")
        self._taken.add(name)
        return value

    def ignore(self, *ends: str) -> None:
        """Count tensors as taken whose names end in one of ``ends``."""
        self._taken |= {name for name in self.state if name.endswith(ends)}

    def refuse_rest(self) -> None:
        """Refuse tensors that were not taken.

        Raises:
            InputError: with their names.
        """
        rest = sorted(self.state.keys() - self._taken)
        if rest:
            more = f" and {len(rest) - _SHOWN} more" if len(rest) > _SHOWN else ""
            raise InputError(
                f"weights={self.path}: it has {', '.join(rest[:_SHOWN])}{more}, which a generator "
                "of this layout has not: give the generator alone"
            )
