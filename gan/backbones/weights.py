"""Weights of published networks: fetched with little patience, read without trust."""

import http.client
import os
import socket
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import torch
from torch import Tensor, nn

from gan.backbones.cache import UNREADABLE, read
from gan.errors import InputError

PATIENCE = 10.0  # seconds
UNREACHABLE = (OSError, RuntimeError, http.client.HTTPException, BadZipFile)
OTHER_FILE = "name another with metrics.weights=FILE, or use metrics=domain"
UNFIT = (RuntimeError, ValueError, IndexError, AttributeError, TypeError)


@contextmanager
def impatience() -> Iterator[None]:
    """Connections that give up after `PATIENCE`."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def folder_of(path: Path) -> Iterator[None]:
    """The folder that a file is brought into, which is made; it goes again where that fails."""
    missing = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for folder in missing:
            with suppress(OSError):  # there is something in it
                folder.rmdir()


@contextmanager
def distrust() -> Iterator[None]:
    """`torch.load` that runs no code of a pickle, also where another package asks it to."""
    name, before = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", dict(os.environ)
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name)
        os.environ.update({name: before[name]} if name in before else {})


def hub_folder() -> Path:
    """Where the torch hub keeps what it has fetched."""
    return Path(torch.hub.get_dir())


def on_one_line(error: Exception) -> str:
    """The first thing that an error complains of, 160 characters at most.

    Of `load_state_dict`'s list that is the first absent tensor, or the first of a wrong shape.
    """
    head, *faults = str(error).splitlines() or [""]
    return textwrap.shorten(faults[0] if faults else head, 160, placeholder=" ...")


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights.

    Args:
        path: where it lies.
        network: whose weights it should hold, for the messages.
        remedy: what to do where it does not.
    """

    path: Path
    network: str
    remedy: str = OTHER_FILE

    @classmethod
    def fetched(cls, url: str, network: str, sha256: str, name: str = "") -> "WeightsFile":
        """A published file in the torch hub cache, brought there unless it is there.

        Args:
            url: where it is published.
            network: whose weights it holds.
            sha256: first digits of its hash, checked when it is brought.
            name: of the file in the cache; empty is that of the address.

        Raises:
            InputError: it is not there and cannot be brought.
        """
        path = hub_folder() / "checkpoints" / (name or url.rsplit("/", 1)[-1])
        file = cls(path, network, f"delete it to fetch it again, {OTHER_FILE}")
        if path.is_file():
            return file
        try:
            with folder_of(path), impatience():
                torch.hub.download_url_to_file(url, str(path), sha256)
        except UNREACHABLE as error:
            raise InputError(
                f"no {network} weights: {path} is absent and {url} cannot be had "
                f"({on_one_line(error)}); name a copy with metrics.weights=FILE, "
                "or use metrics=domain"
            ) from error
        return file

    @classmethod
    def given(cls, path: str, network: str) -> "WeightsFile":
        """The file that the user names.

        Raises:
            InputError: there is none.
        """
        file = Path(path).expanduser()
        if not file.is_file():
            raise InputError(
                f"no {network} weights at {file}; correct metrics.weights=FILE, "
                "or use metrics=domain"
            )
        return cls(file, network)

    def state(self) -> dict[str, Tensor]:
        """Its tensors by name, on the CPU; code that a pickle may hold is not run.

        Raises:
            InputError: it holds something else.
        """
        try:
            content = read(self.path)
        except UNREADABLE as error:
            raise self.refused("it is no whole file of tensors") from error
        if not isinstance(content, dict) or not all(map(torch.is_tensor, content.values())):
            raise self.refused("it is no state dict")
        return content

    def fill(self, net: nn.Module) -> None:
        """Gives a network its tensors, in the network's own precision.

        Raises:
            InputError: a tensor is absent, left over or of another shape.
        """
        state = self.state()
        with self.fitting():
            net.load_state_dict(state)

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """Blames the file where a network cannot be made of its tensors.

        Raises:
            InputError: so it is.
        """
        try:
            yield
        except KeyError as error:
            raise self.refused(f"{error.args[0]} is absent") from error
        except UNFIT as error:
            raise self.refused(on_one_line(error)) from error

    def refused(self, fault: str) -> InputError:
        """The error that blames the file."""
        return InputError(
            f"{self.path} does not hold the weights of {self.network} ({fault}); {self.remedy}"
        )
