"""The classifier behind ``backbone=domain`` computes and trains as it did."""

import json

import pytest

from tests.golden import classifier


def test_features_and_training_are_those_stored() -> None:
    stored = json.loads(classifier.FILE.read_text())
    found = classifier.compute()
    assert found.keys() == stored.keys()
    for name, values in found.items():
        assert values == pytest.approx(stored[name], rel=1e-3), "python -m tests.golden.classifier"
