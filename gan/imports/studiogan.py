"""PyTorch-StudioGAN's generators (Kang et al., 2023): SNGAN, BigGAN, StyleGAN2."""

import re
from abc import abstractmethod
from itertools import count, takewhile

from torch import Tensor

from gan.errors import InputError
from gan.imports.files import Source
from gan.imports.layouts import (
    BASE,
    Layout,
    Pairs,
    ResidualLayout,
    ResidualNames,
    affine,
    divided,
    norm,
    statistics,
    weight,
)

_BLOCK = re.compile(r"blocks\.(\d+)\.0\.(conv2d1|conv1x1_theta)\.")
_ATTENTION = {"query": "theta", "key": "phi", "value": "g", "out": "attn"}
_GAIN = "blocks.0.0.bn1.gain"


def _has(source: Source, name: str) -> bool:
    """Return whether a layer has a weight, normalised or not."""
    return f"{name}.weight" in source or f"{name}.weight_orig" in source


def _size(source: Source, name: str) -> int:
    """Return the number of inputs of a linear layer."""
    end = "weight_orig" if f"{name}.weight_orig" in source else "weight"
    return source.take(f"{name}.{end}").shape[1]


class _StudioResNet(ResidualLayout):
    """The residual generators ``resnet`` and ``big_resnet``."""

    epsilon = 1e-4

    @abstractmethod
    def shares_labels(self) -> bool:
        """Return whether blocks share the label's embedding, as in BigGAN."""

    def recognises(self, source: Source) -> bool:
        """Return whether a file has this layout."""
        if not (_has(source, "linear0") and _has(source, "blocks.0.0.conv2d1")):
            return False
        chunked = _has(source, _GAIN) and _size(source, _GAIN) == _size(source, "linear0")
        return ("shared.weight" in source or chunked) == self.shares_labels()

    def names(self, source: Source) -> ResidualNames:
        """Return the names of its layers."""
        kinds = {int(m[1]): m[2] for name in source.state if (m := _BLOCK.match(name))}
        blocks, attention = [], {}
        for number in sorted(kinds):
            if kinds[number] == "conv2d1":
                blocks.append(f"blocks.{number}.0")
            else:
                attention[len(blocks) - 1] = f"blocks.{number}.0"
        return ResidualNames(
            first="linear0",
            blocks=blocks,
            norms=("bn1", "bn2"),
            branch=("conv2d1", "conv2d2"),
            skip="conv2d0",
            norm="bn4",
            last="conv2d5",
            attention=attention,
        )

    def attention(self, source: Source, theirs: str, ours: str) -> Pairs:
        """Yield the tensors of self-attention."""
        for mine, name in _ATTENTION.items():
            yield from weight(source, f"{theirs}.conv1x1_{name}", f"{ours}.{mine}")
        yield f"{ours}.gamma", source.take(f"{theirs}.sigma").squeeze()


class StudioSNGAN(_StudioResNet):
    """The generator ``resnet``, of SNGAN, SAGAN and others, with classes or without."""

    title, model = "PyTorch-StudioGAN, resnet", "sngan"

    def shares_labels(self) -> bool:
        """Return whether blocks share the label's embedding."""
        return False

    def classes(self, source: Source) -> int:
        """Return the number of classes."""
        return _size(source, _GAIN) if _has(source, _GAIN) else 0

    def settings(self, source: Source) -> list[str]:
        """Return the overrides that give the generator its sizes."""
        given = [f"prior.dim={_size(source, 'linear0')}"]
        given.append(f"conditioning={'class_norm' if self.classes(source) else 'none'}")
        given.append(f"model.generator.spectral={'linear0.weight_orig' in source}")
        return [*super().settings(source), *given]

    def conditional_norm(self, source: Source, theirs: str, ours: str) -> Pairs:
        """Yield the tensors of a normalisation layer of a block."""
        if not self.classes(source):
            yield from norm(source, theirs, f"{ours}.norm", self.epsilon)
            return
        yield from statistics(source, f"{theirs}.bn", f"{ours}.norm", self.epsilon)
        yield f"{ours}.gain", 1 + divided(source, f"{theirs}.gain").T
        yield f"{ours}.bias", divided(source, f"{theirs}.bias").T


class StudioBigGAN(_StudioResNet):
    """The generator ``big_resnet``, of BigGAN, ContraGAN and ReACGAN."""

    title, model = "PyTorch-StudioGAN, big_resnet", "biggan"

    def shares_labels(self) -> bool:
        """Return whether blocks share the label's embedding."""
        return True

    def classes(self, source: Source) -> int:
        """Return the number of classes."""
        return len(source.take("shared.weight")) if "shared.weight" in source else 0

    def settings(self, source: Source) -> list[str]:
        """Return the overrides that give the generator its sizes."""
        if "linear0.weight_orig" not in source:
            raise InputError(
                f"weights={source.path}: this BigGAN has no spectral normalisation in its "
                "generator, which model=biggan has: it cannot be imported"
            )
        chunks = len(self.names(source).blocks) + 1
        given = [f"prior.dim={chunks * _size(source, 'linear0')}"]
        given += ["conditioning=none"] if not self.classes(source) else ["conditioning=projection"]
        if self.classes(source):
            given.append(f"label_dim={source.take('shared.weight').shape[1]}")
        attention = self.names(source).attention
        given += [] if attention else ["model.generator.attention=null"]
        return [*super().settings(source), *given]

    def conditional_norm(self, source: Source, theirs: str, ours: str) -> Pairs:
        """Yield the tensors of a normalisation layer of a block."""
        yield from statistics(source, f"{theirs}.bn", f"{ours}.norm", self.epsilon)
        for name in ("gain", "bias"):
            yield from weight(source, f"{theirs}.{name}", f"{ours}.{name}")

    def tensors(self, source: Source) -> Pairs:
        """Yield the tensors of this project's generator with their names."""
        yield from super().tensors(source)
        if self.classes(source):
            yield "entry.embedding.weight", source.take("shared.weight")


class StudioStyleGAN2(Layout):
    """The generator of StyleGAN2, with the names of NVIDIA's stylegan2-ada-pytorch."""

    title, model = "PyTorch-StudioGAN, stylegan2", "stylegan2"

    def recognises(self, source: Source) -> bool:
        """Return whether a file has this layout."""
        return "mapping.fc0.weight" in source and "synthesis.b4.const" in source

    def _resolutions(self, source: Source) -> list[int]:
        """Return the resolutions from 4 pixels on."""
        sides = (BASE << stage for stage in count())
        return [*takewhile(lambda side: f"synthesis.b{side}.conv1.weight" in source, sides)]

    def shape(self, source: Source) -> tuple[int, int, int]:
        """Return channels, resolution and number of classes of its images."""
        name = "mapping.embed.weight"
        classes = source.take(name).shape[1] if name in source else 0
        channels = len(source.take("synthesis.b4.torgb.bias"))
        return channels, self._resolutions(source)[-1], classes

    def settings(self, source: Source) -> list[str]:
        """Return the overrides that give the generator its sizes."""
        side, classes = self._resolutions(source)[-1], self.shape(source)[2]
        widths = [len(source.take("synthesis.b4.const"))]
        widths.append(len(source.take(f"synthesis.b{side}.conv1.bias")))
        style, inputs = source.take("mapping.fc0.weight").shape
        embedded = source.take("mapping.embed.weight").shape[0] if classes else 0
        depth = next(k for k in count() if f"mapping.fc{k}.weight" not in source)
        given = [f"conditioning={'mapped' if classes else 'none'}"]
        given += [f"conditioning.embedding_dim={embedded}"] if classes else []
        given += [f"prior.dim={inputs - embedded}", f"model.generator.depth={depth}"]
        given += [f"model.generator.style_dim={style}", f"model.generator.most={widths[0]}"]
        return [*given, f"model.generator.capacity={widths[1] * side}"]

    def tensors(self, source: Source) -> Pairs:
        """Yield the tensors of this project's generator with their names."""
        yield "w_mean", source.take("mapping.w_avg")
        if self.shape(source)[2]:
            yield from affine(source, "mapping.embed", "entry.linear")
        for layer in count():
            if f"mapping.fc{layer}.weight" not in source:
                break
            yield from affine(source, f"mapping.fc{layer}", f"mapping.layers.{layer}")
        yield "constant", source.take("synthesis.b4.const")
        for stage, side in enumerate(self._resolutions(source)):
            block = f"synthesis.b{side}"
            yield from _styled(source, f"{block}.torgb", f"to_image.{stage}")
            if stage == 0:
                yield from _noisy(source, f"{block}.conv1", "first")
                continue
            yield from _noisy(source, f"{block}.conv0", f"rise.{stage - 1}")
            yield from _noisy(source, f"{block}.conv1", f"keep.{stage - 1}")
        source.ignore("resample_filter")


def _column(value: Tensor) -> Tensor:
    """Return numbers of channels as (C, 1, 1)."""
    return value.reshape(-1, 1, 1)


def _styled(source: Source, theirs: str, ours: str) -> Pairs:
    """Yield the tensors of a modulated convolution and its bias."""
    yield f"{ours}.convolution.weight", source.take(f"{theirs}.weight")
    yield from affine(source, f"{theirs}.affine", f"{ours}.convolution.style")
    yield f"{ours}.bias", _column(source.take(f"{theirs}.bias"))


def _noisy(source: Source, theirs: str, ours: str) -> Pairs:
    """Yield the tensors of a modulated convolution with noise."""
    yield from _styled(source, theirs, ours)
    yield f"{ours}.noise.constant", source.take(f"{theirs}.noise_const")[None, None]
    yield f"{ours}.noise.strength", _column(source.take(f"{theirs}.noise_strength"))
