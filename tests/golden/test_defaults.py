"""Defaults that no run folder stores, and settings, are those that were stored."""

from tests.golden import defaults

REMEDY = "if this is meant: python -m tests.golden.defaults"


def test_defaults_and_settings_are_those_stored() -> None:
    old, new = defaults.stored(), {**defaults.of_modules(), **defaults.of_files()}
    changes = defaults.differences(old, new)
    assert not changes, "\n".join([REMEDY, *changes])


def test_what_is_read() -> None:
    modules, files = defaults.of_modules(), defaults.of_files()
    assert modules["gan.averaging.ExponentialAverage half_life"] == "20000"  # of a constructor
    assert modules["gan.commands.sample.SampleOptions n"] == "64"  # of a dataclass
    assert modules["gan.errors REFUSED"] == "2"  # a named number
    assert modules["gan.layers.filtering BINOMIAL"] == "(1.0, 3.0, 3.0, 1.0)"
    assert modules["datamodules.base.ImageDataModule verify"] == "True"  # by keyword alone
    assert files["conf/train.yaml evaluation.num_fakes"] == "2000"
    assert files["conf/model/dcgan.yaml model._target_"].startswith('"gan.')
