"""Settings of text are taken as they stand, whatever they would be in YAML."""

from dataclasses import dataclass

import pytest
from omegaconf import MISSING

from gan.commands.main import Command
from gan.errors import InputError


@dataclass
class TextOptions:
    """Settings of a command.

    Attributes:
        run: text.
        out: text, or none.
        n: a number.
        labels: a list.
    """

    run: str = MISSING
    out: str | None = "here"
    n: int = 3
    labels: list[str] | None = None


def options(*pairs: str) -> TextOptions:
    found: list[TextOptions] = []
    Command("text", TextOptions, found.append).run([*pairs])
    return found[0]


@pytest.mark.parametrize(
    "text", ["runs/a", "[bold]x", "run #1", "a: b", "123", "1e3", "true", "{a}", "x=y", " a "]
)
def test_text_is_what_was_typed(text: str) -> None:
    assert options(f"run={text}") == TextOptions(text)
    assert options(f"run='{text}'") == TextOptions(text)
    assert options(f"run={text}", f"out={text}").out == text


def test_other_settings_are_yaml() -> None:
    found = options("run=a", "out=null", "n=5", "labels=[cat, dog]")
    assert found == TextOptions("a", None, 5, ["cat", "dog"])
    with pytest.raises(InputError, match="n=five"):
        options("run=a", "n=five")
    with pytest.raises(InputError, match="run is not set"):
        options("n=5")
