"""Settings of earlier versions and their names today."""

from collections.abc import Container, Iterable

from gan.errors import InputError

_BACKBONES = ("clip", "dinov2", "domain", "inception", "plane", "squeezenet", "stacked")
_EVALUATION = ("every", "num_fakes", "cache", "split", "batch_size", "monitor", "min_fakes")

# A key stands for all keys below it; an entry with "=" is one choice of a group.
RENAMED = {
    "measures": "metrics",
    "probes": "metrics",
    "metrics.backbone": "backbone",
    "metrics.weights": "backbone.weights",
    "metrics.weights_hash": "backbone.weights_hash",
    **{f"metrics.{key}": f"evaluation.{key}" for key in _EVALUATION},
    "metrics=none": "metrics=[]",
    **{f"metrics={name}": f"backbone={name}" for name in _BACKBONES},
}


def current(argument: str) -> str | None:
    """Return an argument of the command line under today's name, or ``None`` if that is its name.

    Args:
        argument: ``KEY=VALUE`` or ``KEY``, with Hydra's ``+``, ``++`` or ``~`` before it or not.
    """
    plain = argument.lstrip("+~")
    sign = argument[: len(argument) - len(plain)]
    key, equals, value = plain.partition("=")
    if plain in RENAMED:
        return sign + RENAMED[plain]
    parts = key.split(".")
    for count in range(len(parts), 0, -1):
        new = RENAMED.get(".".join(parts[:count]))
        if new is not None:
            return sign + ".".join([new, *parts[count:]]) + equals + value
    return None


def message(argument: str, new: str) -> str:
    """Return the line that names the setting of today."""
    return f"{argument}: this setting is called {new} now"


def refuse(arguments: Iterable[str], known: Container[str] | None = None) -> None:
    """Refuse arguments of earlier versions.

    Args:
        arguments: of the command line.
        known: keys of the command; without them every key of the config is known. An argument
            whose new key is not among them is left to other checks.

    Raises:
        InputError: with the new name.
    """
    for argument in arguments:
        new = current(argument)
        if new is not None and (known is None or new.partition("=")[0] in known):
            raise InputError(message(argument, new))
