"""The functions that a page calls."""

import html
from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from gan.settings.errors import explain

P = ParamSpec("P")
Result = TypeVar("Result")
_LOCK = Lock()  # a game changes its state while it draws


def answering(function: Callable[P, Result]) -> Callable[P, Result]:
    """Return a function that is called alone, and whose refusals are shown in words."""

    @wraps(function)
    def call(*values: P.args, **named: P.kwargs) -> Result:
        try:
            with _LOCK:
                return function(*values, **named)
        except gr.Error:
            raise
        except Exception as error:  # what is no refusal is raised again
            line = explain(error)
            if line is None:
                raise
            shown = html.escape(line)  # names of files may hold tags
            raise gr.Error(shown, title="Not possible", print_exception=False) from error

    return call


def whole(value: Any, name: str, least: int = 0) -> int:
    """Return a number of the page as an integer.

    Raises:
        gr.Error: if it is missing, no whole number, or below ``least``.
    """
    if value is None or value != int(value) or value < least:
        raise gr.Error(
            f"{name}: give a whole number from {least}", title="Not possible", print_exception=False
        )
    return int(value)
