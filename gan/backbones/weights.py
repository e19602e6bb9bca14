"""Files of weights of published networks: download and safe loading."""

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

from gan import archives
from gan.archives import READ_ERRORS
from gan.errors import InputError

TIMEOUT = 10.0  # seconds
DOWNLOAD_ERRORS = (OSError, RuntimeError, http.client.HTTPException, BadZipFile)
OTHER_FILE = "set backbone.weights=FILE to another file, or use backbone=domain"
LOAD_ERRORS = (RuntimeError, ValueError, IndexError, AttributeError, TypeError)


@contextmanager
def connection_timeout() -> Iterator[None]:
    """Limit the time that a connection may wait to `TIMEOUT`."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def parent_folder(path: Path) -> Iterator[None]:
    """Make the folder of a file, and remove the new folders that stay empty."""
    missing = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for folder in missing:
            with suppress(OSError):  # not empty
                folder.rmdir()


@contextmanager
def weights_only_load() -> Iterator[None]:
    """Let `torch.load` run no code of a pickle, also when another package calls it."""
    name, before = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", dict(os.environ)
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name)
        os.environ.update({name: before[name]} if name in before else {})


def hub_folder() -> Path:
    """Return the folder of the torch hub cache."""
    return Path(torch.hub.get_dir())


def first_fault(error: Exception) -> str:
    """Return the first fault that an error lists, at most 160 characters.

    For an error of `load_state_dict`: the first missing tensor, or the first of a wrong shape.
    """
    head, *faults = str(error).splitlines() or [""]
    return textwrap.shorten(faults[0] if faults else head, 160, placeholder=" ...")


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights.

    Args:
        path: of the file.
        network: name of the network, for the messages.
        remedy: end of the message about a file of other weights.
    """

    path: Path
    network: str
    remedy: str = OTHER_FILE

    @classmethod
    def download(cls, url: str, network: str, sha256: str, name: str = "") -> "WeightsFile":
        """Return a published file in the torch hub cache, and download it first if it is absent.

        Args:
            url: of the file.
            network: name of the network.
            sha256: first digits of the hash, checked after a download.
            name: of the file in the cache; by default the last part of the URL.

        Raises:
            InputError: the file is absent and the download fails.
        """
        path = hub_folder() / "checkpoints" / (name or url.rsplit("/", 1)[-1])
        file = cls(path, network, f"delete it to download it again, {OTHER_FILE}")
        if path.is_file():
            return file
        try:
            with parent_folder(path), connection_timeout():
                torch.hub.download_url_to_file(url, str(path), sha256)
        except DOWNLOAD_ERRORS as error:
            raise InputError(
                f"no {network} weights: {path} is absent and {url} cannot be downloaded "
                f"({first_fault(error)}); set backbone.weights=FILE to a copy, "
                "or use backbone=domain"
            ) from error
        return file

    @classmethod
    def at(cls, path: str, network: str) -> "WeightsFile":
        """Return the file at a path that the user gives.

        Raises:
            InputError: there is no such file.
        """
        file = Path(path).expanduser()
        if not file.is_file():
            raise InputError(
                f"no {network} weights at {file}; correct backbone.weights=FILE, "
                "or use backbone=domain"
            )
        return cls(file, network)

    def state(self) -> dict[str, Tensor]:
        """Return the state dict of the file, on the CPU; no code of a pickle is run.

        Raises:
            InputError: the file holds something else.
        """
        try:
            content = archives.load(self.path)
        except READ_ERRORS as error:
            raise self.error("it is no whole file of tensors") from error
        if not isinstance(content, dict) or not all(map(torch.is_tensor, content.values())):
            raise self.error("it is no state dict")
        for name, value in content.items():
            if not archives.is_dense(value) or not value.isfinite().all():
                raise self.error(f"{name} is not dense and finite")
        return content

    def load_into(self, net: nn.Module) -> None:
        """Copy the tensors into a network, in the precision of the network.

        Raises:
            InputError: a tensor is missing, unexpected or of another shape.
        """
        state = self.state()
        with self.loading():
            net.load_state_dict(state)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Turn errors of loading the weights into an error about the file.

        Raises:
            InputError: the file does not hold the weights of the network.
        """
        try:
            yield
        except KeyError as error:
            raise self.error(f"{error.args[0]} is absent") from error
        except LOAD_ERRORS as error:
            raise self.error(first_fault(error)) from error

    def error(self, fault: str) -> InputError:
        """Return the error for a file of other weights."""
        return InputError(
            f"{self.path} does not hold the weights of {self.network} ({fault}); {self.remedy}"
        )
