"""Activations that are computed anew in the backward pass, to save memory (Chen et al., 2016)."""

from contextlib import nullcontext
from typing import Any

from torch import nn
from torch.nn.utils.parametrize import is_parametrized
from torch.utils.checkpoint import checkpoint

from gan.layers.convolution import same_convolutions
from gan.layers.state import set_buffers


def _layers(module: nn.Module) -> int:
    """Return the number of modules with parameters of their own inside a module."""
    return sum(1 for m in module.modules() if any(True for _ in m.parameters(recurse=False)))


def blocks(network: nn.Module) -> list[nn.Module]:
    """Return the outermost members of a network's lists of modules that have several layers."""
    found, inside = list[nn.Module](), set[nn.Module]()
    for module in network.modules():
        if not isinstance(module, nn.ModuleList | nn.Sequential) or module in inside:
            continue
        for member in module.children():
            if _layers(member) > 1 and not is_parametrized(member):
                found.append(member)
                inside |= set(member.modules())
    return found


class _Present:
    """A context, of any number of uses, in which a module computes as it does now.

    Its buffers have their values of now, and convolutions their form.

    Args:
        module: the module.
    """

    def __init__(self, module: nn.Module) -> None:
        self.buffers = list(module.buffers())
        self.values = [buffer.clone() for buffer in self.buffers]
        self.convolutions = same_convolutions()

    def __enter__(self) -> None:
        """Set the buffers."""
        self.present = [buffer.clone() for buffer in self.buffers]
        set_buffers(self.buffers, self.values)
        self.convolutions.__enter__()

    def __exit__(self, *raised: Any) -> None:
        """Set the buffers to what they were before the context."""
        self.convolutions.__exit__(*raised)
        set_buffers(self.buffers, self.present)


class RecomputedBlock:
    """The forward pass of a block, of which a backward pass needs the inputs only.

    It is computed a second time with the same random numbers and from the same buffers, such as
    those of spectral norms; running means are not moved again.

    Args:
        block: module whose ``forward`` it replaces.
    """

    def __init__(self, block: nn.Module) -> None:
        self.block, self.compute = block, block.forward

    def __call__(self, *inputs: Any) -> Any:
        """Return what the block computes of its inputs."""
        contexts = nullcontext(), _Present(self.block)
        return checkpoint(self.compute, *inputs, use_reentrant=False, context_fn=lambda: contexts)


def recompute_activations(network: nn.Module) -> None:
    """Let each block of a network compute its activations anew in the backward pass."""
    for block in blocks(network):
        block.forward = RecomputedBlock(block)
