"""The layers of a network in the order in which images pass through them."""

from collections.abc import Iterable, Iterator

from torch import nn

_CONTAINERS = (nn.Sequential, nn.ModuleList)


def _members(modules: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """Yield modules in order, and in the place of a container its members."""
    for module in modules:
        if type(module) in _CONTAINERS:
            yield from _members(module.children())
        else:
            yield module


def layers_in_order(modules: Iterable[nn.Module]) -> list[nn.ModuleList]:
    """Return the layers that modules consist of.

    A layer is a convolution, a linear layer or a block of several, which has a weight of two or
    more dimensions, with what follows it up to the next one, such as its norm and its activation.
    What comes before the first belongs to the first.

    Args:
        modules: in the order in which they are computed.
    """
    layers, first = list[nn.ModuleList](), list[nn.Module]()
    for member in _members(modules):
        if any(weight.ndim > 1 for weight in member.parameters()):
            layers.append(nn.ModuleList([*first, member]))
            first = []
        else:
            (layers[-1] if layers else first).append(member)
    return layers
