"""Defaults that no run folder stores, and settings, are those that were stored."""

from tests.golden import defaults

REMEDY = "if this is meant: python -m tests.golden.defaults"


def test_defaults_and_settings_are_those_stored() -> None:
    old, new = defaults.stored(), {**defaults.of_classes(), **defaults.of_files()}
    changes = defaults.differences(old, new)
    assert not changes, "\n".join([REMEDY, *changes])


def test_what_is_read() -> None:
    classes, files = defaults.of_classes(), defaults.of_files()
    assert classes["gan.averaging.ExponentialAverage half_life"] == "20000"  # of a constructor
    assert classes["gan.commands.sample.SampleOptions n"] == "64"  # of a dataclass
    assert classes["datamodules.base.ImageDataModule verify"] == "True"  # by keyword alone
    assert files["conf/train.yaml evaluation.num_fakes"] == "2000"
    assert files["conf/model/dcgan.yaml model._target_"].startswith('"gan.')
