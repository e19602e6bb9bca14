"""The metrics of a config: a backbone's own choice goes before a model's."""

import itertools

import pytest

from gan.settings.commandline import CommandLine
from tests.configs import ROOT, options, thinned


def composed(*arguments: str) -> set[str]:
    """Return the names of the metrics of a config."""
    line = CommandLine([*arguments, "hydra.run.dir=run"])
    return {str(name) for name in line.compose(line.arguments).metrics}


def choosing(group: str) -> list[str]:
    """Return the options of a group that choose metrics."""
    texts = {name: (ROOT / "conf" / group / f"{name}.yaml").read_text() for name in options(group)}
    return [name for name, text in texts.items() if "override /metrics" in text]


CASES = list(itertools.product(choosing("backbone"), choosing("model")))


@pytest.mark.parametrize(("backbone", "model"), thinned(CASES, 5))
def test_the_metrics_of_a_backbone_hold_with_every_model(backbone: str, model: str) -> None:
    expected = composed(f"backbone={backbone}")
    assert expected != composed(f"model={model}")
    assert composed(f"model={model}", f"backbone={backbone}") == expected


def test_typed_metrics_go_before_both() -> None:
    assert composed("model=acgan", "backbone=dinov2", "metrics=[kid]") == {"kid"}
