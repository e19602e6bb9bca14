"""The settings of a run that mean the same on another machine."""

from pathlib import PurePath
from typing import Any

from omegaconf import DictConfig, OmegaConf

_HERE = ("run_dir", "cache_dir", "resume", "allow_targets", "hydra")  # set where they are read
_TRAINING = ("callbacks", "logger", "trainer")


def portable(config: DictConfig) -> dict[str, Any]:
    """Return settings as plain values, without those of training and of the machine.

    References to other settings stay. Of an absolute path the last part is left, so that nothing
    tells the folders of a machine.

    Args:
        config: of a run.
    """
    content = OmegaConf.to_container(config, resolve=False)
    assert isinstance(content, dict)
    kept = {str(key): value for key, value in content.items() if key not in _HERE}
    return {**_shortened(kept), **{key: {} for key in _TRAINING}, "doctor": None, "name": None}


def _shortened(value: Any) -> Any:
    """Return plain settings whose absolute paths are file names."""
    if isinstance(value, dict):
        return {key: _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    if isinstance(value, str) and PurePath(value).is_absolute():
        return PurePath(value).name
    return value


def plain(config: DictConfig) -> dict[str, Any]:
    """Return settings as plain values, with what references stand for."""
    content = OmegaConf.to_container(config, resolve=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}
