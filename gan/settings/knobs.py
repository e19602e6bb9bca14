"""The short settings of ``conf/train.yaml``, those at the top level that are no group."""

import re
from dataclasses import dataclass
from typing import Any, get_type_hints

from gan.settings.groups import CONF, options
from gan.settings.schema import TrainConfig

_LINE = re.compile(r"^(\w+): (?P<value>.+?)(?: # (?P<comment>.*))?$", flags=re.MULTILINE)


@dataclass(frozen=True)
class Knob:
    """A setting of one word.

    Attributes:
        name: of the setting.
        type: that the schema gives.
        default: as ``conf/train.yaml`` writes it.
        comment: behind the default.
    """

    name: str
    type: Any
    default: str
    comment: str


def knobs() -> list[Knob]:
    """Return the settings of one word in the order of ``conf/train.yaml``."""
    types = get_type_hints(TrainConfig)
    return [
        Knob(line[1], types[line[1]], line["value"], line["comment"] or "")
        for line in _LINE.finditer((CONF / "train.yaml").read_text())
        if not options(line[1]) and "_target_" not in line["value"]
    ]
