"""Published layouts of generators: the names of their tensors, and this project's."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.errors import InputError
from gan.imports.files import Source, State

BASE = 4  # height and width of the smallest feature maps
_EPSILON = 1e-5  # of batch normalisation here
Pairs = Iterator[tuple[str, Tensor]]


class Layout(ABC):
    """The names of the tensors of a published generator.

    Attributes:
        title: of it.
        model: option of ``conf/model`` whose generator it is.
    """

    title: str
    model: str

    @abstractmethod
    def recognises(self, source: Source) -> bool:
        """Return whether a file has this layout."""

    @abstractmethod
    def settings(self, source: Source) -> list[str]:
        """Return the overrides that give the generator its sizes."""

    @abstractmethod
    def shape(self, source: Source) -> tuple[int, int, int]:
        """Return channels, resolution and number of classes of its images."""

    @abstractmethod
    def tensors(self, source: Source) -> Pairs:
        """Yield the tensors of this project's generator with their names."""

    def state(self, source: Source) -> State:
        """Return the tensors of this project's generator by name.

        Raises:
            InputError: if a tensor is missing, or has no place.
        """
        found = dict(self.tensors(source))
        source.ignore("num_batches_tracked")
        source.refuse_rest()
        return found


def affine(source: Source, theirs: str, ours: str) -> Pairs:
    """Yield weight and bias of a layer, the weight with its spectral normalisation, if any."""
    yield from weight(source, theirs, ours)
    yield f"{ours}.bias", source.take(f"{theirs}.bias")


def weight(source: Source, theirs: str, ours: str) -> Pairs:
    """Yield the weight of a layer, with the vectors of its spectral normalisation, if any.

    ``torch.nn.utils.spectral_norm`` and the parametrization keep the same three tensors.
    """
    if f"{theirs}.weight_orig" not in source:
        yield f"{ours}.weight", source.take(f"{theirs}.weight")
        return
    yield f"{ours}.parametrizations.weight.original", source.take(f"{theirs}.weight_orig")
    for vector in ("u", "v"):
        yield (
            f"{ours}.parametrizations.weight.0._{vector}",
            source.take(f"{theirs}.weight_{vector}"),
        )


def divided(source: Source, name: str) -> Tensor:
    """Return the weight of a layer, divided by its spectral norm if it is normalised."""
    if f"{name}.weight_orig" not in source:
        return source.take(f"{name}.weight")
    whole, u, v = (source.take(f"{name}.weight_{end}") for end in ("orig", "u", "v"))
    return whole / (u @ (whole.flatten(1) @ v))


def statistics(source: Source, theirs: str, ours: str, epsilon: float = _EPSILON) -> Pairs:
    """Yield the running statistics of a batch normalisation.

    What its epsilon is larger than here is added to the variance, which gives the same images.
    """
    yield f"{ours}.running_mean", source.take(f"{theirs}.running_mean")
    variance = source.take(f"{theirs}.running_var")
    yield f"{ours}.running_var", variance + (epsilon - _EPSILON)
    yield f"{ours}.num_batches_tracked", torch.zeros((), dtype=torch.int64)


def norm(source: Source, theirs: str, ours: str, epsilon: float = _EPSILON) -> Pairs:
    """Yield the tensors of a batch normalisation with a gain and a bias."""
    yield from statistics(source, theirs, ours, epsilon)
    yield from affine(source, theirs, ours)


@dataclass(frozen=True)
class ResidualNames:
    """The names of a residual generator.

    Attributes:
        first: the linear layer to 4x4.
        blocks: each residual block, from 4x4 on.
        norms: of a block, in the order in which they are computed.
        branch: convolutions of a block, in that order.
        skip: convolution beside them.
        norm: the last normalisation.
        last: the last convolution.
        attention: name of the self-attention after a block, by the number of the block.
    """

    first: str
    blocks: list[str]
    norms: tuple[str, str]
    branch: tuple[str, str]
    skip: str
    norm: str
    last: str
    attention: dict[int, str]


class ResidualLayout(Layout):
    """A residual generator: the paper's, with names and batch normalisation of another.

    Attributes:
        epsilon: of batch normalisation.
    """

    epsilon: float = _EPSILON

    @abstractmethod
    def names(self, source: Source) -> ResidualNames:
        """Return the names of its layers."""

    @abstractmethod
    def conditional_norm(self, source: Source, theirs: str, ours: str) -> Pairs:
        """Yield the tensors of a normalisation layer of a block."""

    @abstractmethod
    def classes(self, source: Source) -> int:
        """Return the number of classes."""

    def shape(self, source: Source) -> tuple[int, int, int]:
        """Return channels, resolution and number of classes of its images."""
        names = self.names(source)
        channels = len(source.take(f"{names.last}.bias"))
        return channels, BASE << len(names.blocks), self.classes(source)

    def settings(self, source: Source) -> list[str]:
        """Return the overrides that give the generator its sizes."""
        names = self.names(source)
        width, resolution = len(source.take(f"{names.norm}.weight")), self.shape(source)[1]
        given = [f"model.generator.width={width if resolution <= 32 else 4 * width}"]
        for block in names.attention:
            given.append(f"model.generator.attention={2 * BASE << block}")
        return given

    def tensors(self, source: Source) -> Pairs:
        """Yield the tensors of this project's generator with their names."""
        names = self.names(source)
        yield from affine(source, names.first, "first")
        for number, block in enumerate(names.blocks):
            for index, name in enumerate(names.norms):
                ours = f"blocks.{number}.norms.{index}"
                yield from self.conditional_norm(source, f"{block}.{name}", ours)
            for index, name in enumerate(names.branch):
                yield from affine(source, f"{block}.{name}", f"blocks.{number}.branch.{index}")
            yield from affine(source, f"{block}.{names.skip}", f"blocks.{number}.skip")
        for number, theirs in names.attention.items():
            yield from self.attention(source, theirs, f"attention.{number}")
        yield from norm(source, names.norm, "last.0", self.epsilon)
        yield from affine(source, names.last, "last.2")

    def attention(self, source: Source, theirs: str, ours: str) -> Pairs:
        """Yield the tensors of self-attention.

        Raises:
            InputError: if the layout has none.
        """
        raise InputError(f"weights={source.path}: {self.title} has no attention")
