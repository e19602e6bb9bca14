"""Networks as graphs, which other programs compute without this project."""

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gan.algorithms.interfaces import Interface
from gan.errors import InputError, extra
from gan.layers.bilinear import MinimalFiltering

_BATCH = 2  # images of the example that a graph is traced with
_OF_CLASSES = ("__dict__", "__weakref__")  # entries that each class has of its own
Function = Callable[..., Tensor]


def plain(module: nn.Module) -> nn.Module:
    """Return a copy of a module whose weights are numbers: no spectral or weight normalisation.

    Spectral normalisation does no power iteration in evaluation mode, so that the divided weights
    are constants. Convolutions are those of PyTorch.
    """
    module = copy.deepcopy(module).requires_grad_(False).eval()
    for part in [*module.modules()]:
        if isinstance(part, MinimalFiltering):
            part.winograd = False
        if parametrize.is_parametrized(part):
            _remove_parametrizations(part)
    return module


def _remove_parametrizations(part: nn.Module) -> None:
    """Turn parametrized weights into plain ones.

    The class of a parametrized module is made for it and shared with its copies, and would lose
    the weights for all of them.
    """
    kind = type(part)
    own = {name: value for name, value in vars(kind).items() if name not in _OF_CLASSES}
    part.__class__ = type(kind.__name__, kind.__bases__, own)
    for name in [*part.parametrizations]:  # type: ignore[misc]
        parametrize.remove_parametrizations(part, name, leave_parametrized=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide warnings about the insides of PyTorch's exporters."""
    with warnings.catch_warnings(action="ignore"):
        yield


class Graph(ABC):
    """A format of graphs.

    Attributes:
        suffix: of the file.
        tolerance: largest accepted difference from the original, of outputs in [-1, 1], or relative
            to the largest output where that is above 1.
        packages: that it needs besides PyTorch.
    """

    suffix: ClassVar[str]
    tolerance: ClassVar[float]
    packages: ClassVar[tuple[str, ...]] = ()

    def check(self) -> None:
        """Refuse to go on where a package is missing.

        Raises:
            InputError: with the extra to install.
        """
        for name in self.packages:
            if find_spec(name) is None:
                raise InputError(f"format: it needs {name}: {extra('export')}")

    @abstractmethod
    def write(self, interface: Interface, path: Path) -> None:
        """Write the graph of a module, for batches of any size."""

    @abstractmethod
    def read(self, path: Path) -> Function:
        """Return the function of a written graph."""


def _program(interface: Interface) -> torch.export.ExportedProgram:
    """Return the traced program of a module."""
    batch, examples = torch.export.Dim("batch", min=1), interface.examples(_BATCH)
    shapes = tuple({0: batch} for _ in examples)
    with torch.no_grad(), _quiet():
        return torch.export.export(plain(interface.module), examples, dynamic_shapes=shapes)


class TorchExport(Graph):
    """``torch.export``: read by ``torch.export.load(FILE).module()``, without this project."""

    suffix, tolerance = ".pt2", 1e-5

    def write(self, interface: Interface, path: Path) -> None:
        """Write the graph of a module, for batches of any size."""
        with _quiet():
            torch.export.save(_program(interface), path)

    def read(self, path: Path) -> Function:
        """Return the function of a written graph."""
        with _quiet():
            function: Any = torch.export.load(path).module()
        return lambda *inputs: function(*inputs)


class Onnx(Graph):
    """ONNX, computed by ONNX Runtime and by other engines."""

    suffix, tolerance = ".onnx", 1e-4
    packages = ("onnx", "onnxscript", "onnxruntime")

    def write(self, interface: Interface, path: Path) -> None:
        """Write the graph of a module, for batches of any size, with its weights in the file."""
        with _quiet():
            torch.onnx.export(
                _program(interface),
                f=str(path),
                input_names=[port.name for port in interface.ports],
                output_names=[interface.output.name],
                external_data=False,
                verbose=False,
            )

    def read(self, path: Path) -> Function:
        """Return the function of a written graph."""
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [port.name for port in session.get_inputs()]

        def function(*inputs: Tensor) -> Tensor:
            fed = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
            return torch.from_numpy(session.run(None, fed)[0])

        return function
