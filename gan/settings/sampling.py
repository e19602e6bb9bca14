"""Settings of how a trained model is sampled."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from gan.errors import InputError

STANDING_BATCH = 100  # latents of a batch of standing statistics


@dataclass(frozen=True)
class Sampling:
    """Settings of how a game is sampled.

    Attributes:
        truncation: bound on the absolute value of each number of a latent, or ``None``.
        standing: batches of standing statistics (with truncation, of the truncated prior); 0 keeps
            the statistics of training.
        psi: factor of the distance of a style from the mean style (Karras et al., 2019, section
            2.2), or ``None``.

    Raises:
        InputError: if one is out of range.
    """

    truncation: float | None = None
    standing: int = 0
    psi: float | None = None

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.truncation is not None and not self.truncation > 0:
            raise InputError(f"truncation={self.truncation}: give a number above 0")
        if self.standing < 0:
            raise InputError(f"standing={self.standing}: give a number of batches from 0")
        if self.psi is not None and not math.isfinite(self.psi):
            raise InputError(f"psi={self.psi}: give a number, 0 for the mean style, 1 for all")

    def stamp(self) -> dict[str, Any]:
        """Return the settings that are not the default, for the stamp of a metric."""
        stamp: dict[str, Any] = {}
        if self.truncation is not None:
            stamp["truncation"] = float(self.truncation)
        if self.standing:
            stamp["standing"] = f"{self.standing} batches of {STANDING_BATCH}"
        if self.psi is not None:
            stamp["psi"] = float(self.psi)
        return stamp


def sampling_changes(stamp: Mapping[str, Any]) -> str:
    """Return the settings of sampling in a stamp as text, such as ", truncation 0.7"."""
    names = (field.name for field in fields(Sampling))
    return "".join(f", {name} {stamp[name]}" for name in names if name in stamp)
