"""A package whose ``__init__`` runs when it is needed.

Lightning needs two classes of torchmetrics. The ``__init__`` of torchmetrics imports all its
metrics, and with them torchvision and scipy.signal, which takes about a second of CPU.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from logging import getLogger
from threading import RLock
from types import ModuleType
from typing import Any

# Names that need one submodule alone; "utilities" comes first, as the submodules import in a ring.
_TORCHMETRICS = {
    "__version__": ("torchmetrics.__about__",),
    "Metric": ("torchmetrics.utilities", "torchmetrics.metric"),
    "MetricCollection": ("torchmetrics.utilities", "torchmetrics.collections"),
    "SumMetric": ("torchmetrics.utilities", "torchmetrics.aggregation"),
}
_lock = RLock()


class DeferredPackage(ModuleType):
    """A package in ``sys.modules`` whose ``__init__`` has not run.

    Any other name than those of ``parts`` runs it, and the package is an ordinary module from then
    on. It also runs if a part cannot be imported without it.

    Attributes:
        parts: submodules to import for a name, in their order; the last one has it.
    """

    parts: Mapping[str, Sequence[str]]

    def __getattr__(self, name: str) -> Any:
        """Return a name of the package."""
        if name.startswith("__") and name not in ("__all__", *self.parts):
            raise AttributeError(name)
        with _lock:
            if name in self.parts:
                try:
                    return getattr([import_module(part) for part in self.parts[name]][-1], name)
                except ImportError:  # another version of the package
                    _forget_submodules(self)
            _run(self)
        return getattr(self, name)


def _forget_submodules(package: ModuleType) -> None:
    """Remove half-imported submodules."""
    for name in [name for name in sys.modules if name.startswith(f"{package.__name__}.")]:
        del sys.modules[name]


def _run(package: ModuleType) -> None:
    """Run ``__init__`` of a deferred package, which is an ordinary module from then on."""
    package.__class__ = ModuleType
    assert package.__spec__ is not None
    assert package.__spec__.loader is not None
    package.__spec__.loader.exec_module(package)


def defer(name: str, parts: Mapping[str, Sequence[str]], **names: Any) -> None:
    """Put a deferred package into ``sys.modules``, unless it was imported already.

    Args:
        name: of the package.
        parts: see :class:`DeferredPackage`.
        names: that submodules take from the package while they are imported, with their values.
    """
    spec = None if name in sys.modules else find_spec(name)
    if spec is None:
        return
    package = module_from_spec(spec)
    package.__class__ = DeferredPackage
    vars(package).update(names, parts=parts)
    sys.modules[name] = package


def defer_torchmetrics() -> None:
    """Defer the ``__init__`` of torchmetrics."""
    defer("torchmetrics", _TORCHMETRICS, _logger=getLogger("torchmetrics"))
