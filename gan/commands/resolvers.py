"""Resolvers that the config files use."""

import math
import secrets

from omegaconf import OmegaConf


def register() -> None:
    """Make ``${unique:}`` (four hex digits, one value a run) and ``${product:a,b,...}`` known."""
    OmegaConf.register_new_resolver(
        "unique", lambda: secrets.token_hex(2), use_cache=True, replace=True
    )
    OmegaConf.register_new_resolver("product", lambda *xs: math.prod(xs), replace=True)
