"""The parts of a page."""

from abc import ABC, abstractmethod

import gradio as gr

from gan.demo.model import EACH_IN_TURN, Model

CELLS = "cells"  # class of galleries of many small pictures
CSS = f"""
.pixels img {{image-rendering: pixelated}}
.pixels .grid-wrap {{min-height: 0}}
.pixels .grid-container {{
  grid-template-columns: repeat(auto-fill, minmax(max(90px, 22%), 1fr)) !important;
}}
.{CELLS} .grid-container {{
  grid-template-columns: repeat(auto-fill, minmax(max(64px, 10.5%), 1fr)) !important;
}}
"""


class Panel(ABC):
    """What a page offers for some kind of model, in a tab.

    Args:
        model: that can do it.

    Attributes:
        title: of the tab.
    """

    title: str

    def __init__(self, model: Model) -> None:
        self.model = model

    @staticmethod
    @abstractmethod
    def suits(model: Model) -> bool:
        """Return whether a model can do it."""

    @abstractmethod
    def build(self, page: gr.Blocks) -> None:
        """Add the components and their events to the tab that is open in a page."""


def seed_box(label: str = "Seed") -> gr.Number:
    """Return a box for a seed."""
    return gr.Number(0, label=label, precision=0, minimum=0, min_width=100)


def class_box(model: Model, each: bool = True) -> gr.Dropdown:
    """Return a choice of a class, hidden for an unconditional model.

    Args:
        model: with its classes.
        each: offer each class in turn.
    """
    names = [EACH_IN_TURN] * each + model.classes
    visible = bool(model.classes)
    value = names[0] if names and visible else None
    return gr.Dropdown(names, value=value, label="Class", visible=visible, min_width=140)


def upload_box(label: str = "Picture") -> gr.File:
    """Return a box for a picture to upload."""
    return gr.File(label=label, file_types=["image"], type="filepath", height=140)


def picture_box(title: str, height: int | None = None) -> gr.Image:
    """Return a place for a picture that the page makes, below its title.

    Args:
        title: of the picture.
        height: in pixels; by default that of the picture.
    """
    gr.Markdown(title)
    return gr.Image(
        label=title,
        show_label=False,
        height=height,
        format="png",
        interactive=False,
        buttons=["download", "fullscreen"],
        elem_classes="pixels",
    )


def gallery_box(title: str, *classes: str) -> gr.Gallery:
    """Return a place for pictures side by side, below its title.

    Args:
        title: of the pictures.
        classes: of style, such as ``CELLS`` for many small pictures.
    """
    gr.Markdown(title)
    return gr.Gallery(
        label=title,
        show_label=False,
        columns=4,
        format="png",
        interactive=False,
        allow_preview=False,
        object_fit="contain",
        height="auto",
        buttons=[],
        elem_classes=["pixels", *classes],
    )
