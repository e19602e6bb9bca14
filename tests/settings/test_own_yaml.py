"""Yaml files of a user, in a folder of their own."""

from pathlib import Path

import pytest

from gan.errors import InputError
from gan.settings.commandline import CommandLine
from gan.settings.validation import validate

HEADER = "# @package _global_\n"
LOSS = "loss: {_target_: gan.losses.hinge.Hinge}\n"


def check(folder: Path, text: str) -> None:
    """Validate the config of a loss with such a file."""
    (folder / "loss").mkdir()
    (folder / "loss" / "own.yaml").write_text(text)
    line = CommandLine([f"--config-dir={folder}", "loss=own"])
    validate(line.compose([*line.arguments, "run_dir=run"]))


@pytest.mark.parametrize("text", [HEADER + "# What it is.\n" + LOSS, LOSS.split(": ", 1)[1]])
def test_a_file_of_ones_own_is_a_choice(text: str, tmp_path: Path) -> None:
    check(tmp_path, text)


@pytest.mark.parametrize("text", ["# What it is.\n" + HEADER + LOSS, LOSS])
def test_a_header_after_another_comment_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"loss: its yaml names no class.*@package _global_"):
        check(tmp_path, text)
