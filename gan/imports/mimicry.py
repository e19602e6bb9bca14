"""mimicry's residual generators (Lee and Town, 2020): SNGAN, SSGAN, cGAN-PD."""

import re

from gan.imports.files import Source
from gan.imports.layouts import Pairs, ResidualLayout, ResidualNames, norm, statistics


class MimicryResNet(ResidualLayout):
    """The generators of 32, 64 and 128 pixels, with bilinear upsampling."""

    title, model = "mimicry, residual generator", "sngan"

    def recognises(self, source: Source) -> bool:
        """Return whether a file has this layout."""
        return "l1.weight" in source and "block2.c1.weight" in source

    def names(self, source: Source) -> ResidualNames:
        """Return the names of its layers."""
        numbers = {m[1] for name in source.state if (m := re.match(r"block(\d+)\.", name))}
        last = 2 + len(numbers)
        return ResidualNames(
            first="l1",
            blocks=[f"block{number}" for number in range(2, last)],
            norms=("b1", "b2"),
            branch=("c1", "c2"),
            skip="c_sc",
            norm=f"b{last}",
            last=f"c{last}",
            attention={},
        )

    def classes(self, source: Source) -> int:
        """Return the number of classes."""
        name = "block2.b1.embed.weight"
        return len(source.take(name)) if name in source else 0

    def settings(self, source: Source) -> list[str]:
        """Return the overrides that give the generator its sizes."""
        conditioning = "class_norm" if self.classes(source) else "none"
        given = [f"conditioning={conditioning}", "model.generator.bilinear=true"]
        given.append(f"prior.dim={source.take('l1.weight').shape[1]}")
        return [*super().settings(source), *given]

    def conditional_norm(self, source: Source, theirs: str, ours: str) -> Pairs:
        """Yield the tensors of a normalisation layer of a block."""
        if not self.classes(source):
            yield from norm(source, theirs, f"{ours}.norm")
            return
        yield from statistics(source, f"{theirs}.bn", f"{ours}.norm")
        gain, bias = source.take(f"{theirs}.embed.weight").chunk(2, dim=1)
        yield f"{ours}.gain", gain
        yield f"{ours}.bias", bias
