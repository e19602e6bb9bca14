"""Stored settings of earlier versions, converted to those of today."""

from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan.settings import renamed

_BACKBONES = {
    "clip": "CLIPBackbone",
    "dinov2": "DinoV2Backbone",
    "domain": "DomainBackbone",
    "inception": "InceptionBackbone",
    "plane": "PlaneBackbone",
    "squeezenet": "SqueezeNetBackbone",
    "stacked": "StackedBackbone",
    "classifier": "Training",
}
_CLASSES = {
    "gan.loggers.tensorboard.Board": "gan.loggers.tensorboard.TensorBoard",
    "gan.loggers.wandb.Dashboard": "gan.loggers.wandb.WeightsAndBiases",
    **{f"gan.metrics.{m}.{name}": f"gan.backbones.{m}.{name}" for m, name in _BACKBONES.items()},
    "gan.metrics.histogram.ClassDivergence": "gan.metrics.class_divergence.ClassDivergence",
    "gan.metrics.histogram.LabelConsistency": "gan.metrics.label_consistency.LabelConsistency",
    "gan.metrics.histogram.Modes": "gan.metrics.modes.Modes",
    "gan.metrics.infinity.FrechetInfinity": "gan.metrics.frechet_infinity.FrechetInfinity",
    "gan.metrics.plane.Misplaced": "gan.metrics.misplaced.Misplaced",
    "gan.metrics.plane.PlaneModes": "gan.metrics.high_quality.PlaneModes",
}
_BLUR = [1.0, 2.0, 1.0]  # the filter of earlier versions
# Arguments of classes where they were not stored yet.
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "gan.networks.r3gan.R3GANGenerator": {"resample_filter": _BLUR},
    "gan.networks.r3gan.R3GANDiscriminator": {"resample_filter": _BLUR},
    "gan.networks.stylegan.StyleGANGenerator": {"box": False, "epsilon": 1e-5},
    "gan.networks.stylegan.StyleGANDiscriminator": {"box": False},
}
# Where a setting was not stored yet.
_BEFORE: dict[str, Any] = {
    **{"size": "paper", "task": {}, "mirror": False},
    **{"init": None, "freeze": {"discriminator": 0}},
}
_STOP = {"_target_": "gan.callbacks.early_stopping.EarlyStopping"}
_DOMAIN = {"_target_": "gan.backbones.domain.DomainBackbone", "cache": "${cache_dir}"}


def migrate_config(config: DictConfig) -> DictConfig:
    """Return the stored config of a run with the keys and classes of today.

    Args:
        config: as stored by this or an earlier version; interpolations are kept.
    """
    content = {"stop": _STOP, **migrate_settings(OmegaConf.to_container(config, resolve=False))}
    return OmegaConf.create(_split_metrics(content) if "measures" in content else content)


def migrate_settings(content: Any) -> dict[str, Any]:
    """Return plain settings with the classes of today, and what all earlier versions had."""
    return {**_BEFORE, **migrate_classes(content)}


def migrate_overrides(overrides: Iterable[str]) -> list[str]:
    """Return the stored command line of a run with the keys and classes of today."""
    stored = list(overrides)
    if "metrics=none" in stored:
        stored = [o for o in stored if not o.lstrip("+~").startswith("measures")]
    return [_migrate_class(renamed.current(override) or override) for override in stored]


def _split_metrics(content: dict[str, Any]) -> dict[str, Any]:
    """Return a config with the nodes ``backbone``, ``metrics`` and ``evaluation``.

    An earlier version had the metrics under ``measures`` and the other two under ``metrics``.
    """
    old, metrics = content["metrics"], content.pop("measures")
    if "backbone" not in old:  # metrics=none
        return content | {"backbone": _DOMAIN, "metrics": {}, "evaluation": {}}
    weights = {key: old.pop(key, None) for key in ("weights", "weights_hash")}
    given = {key: value for key, value in weights.items() if value is not None}
    backbone = old.pop("backbone") | given
    evaluation = old | {"backbone": "${backbone}", "metrics": "${metrics}"}
    return content | {"backbone": backbone, "metrics": metrics, "evaluation": evaluation}


def migrate_classes(value: Any) -> Any:
    """Return plain settings with the classes and arguments of today.

    A class that ``_target_`` names has today's name; an argument that was not stored yet has the
    value that it stood for.
    """
    if isinstance(value, dict):
        today = {
            key: _CLASSES.get(inner, inner)
            if key == "_target_" and isinstance(inner, str)
            else migrate_classes(inner)
            for key, inner in value.items()
        }
        return {**_ARGUMENTS.get(str(today.get("_target_")), {}), **today}
    return [migrate_classes(inner) for inner in value] if isinstance(value, list) else value


def _migrate_class(override: str) -> str:
    """Return an override, with the name of today if it sets ``_target_``."""
    key, _, value = override.partition("=")
    return f"{key}={_CLASSES.get(value, value)}" if key.endswith("_target_") else override
