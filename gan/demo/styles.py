"""The styles of StyleGAN: mixing, truncation, directions."""

import gradio as gr
from PIL import Image

from gan.algorithms.directions import Walks
from gan.algorithms.styles import mix, truncate
from gan.demo.answers import answering, whole
from gan.demo.model import Model, as_grid
from gan.demo.panel import Panel, class_box, picture_box, seed_box
from gan.errors import InputError
from gan.networks.style import StyleGenerator

_PSIS = (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
_ROWS = 4
_DIRECTIONS = 8  # at most
_COLUMNS = 7  # of a walk


class StylePanel(Panel):
    """A panel of models whose generator has styles."""

    @staticmethod
    def suits(model: Model) -> bool:
        """Return whether the generator has styles."""
        return model.draws_images and isinstance(model.game.averaged, StyleGenerator)

    def labels(self, name: str | None, count: int) -> list[int | str] | None:
        """Return one label each, as commands take them."""
        y = self.model.labels(name, count)
        return None if y is None else [*y.tolist()]


class MixingPanel(StylePanel):
    """Samples on the left that take some styles of samples on top."""

    title = "Style mixing"

    def build(self, page: gr.Blocks) -> None:
        """Add the components and their events."""
        last = self.model.game.averaged.layers - 1
        with gr.Row():
            with gr.Column(scale=1, min_width=240):
                inputs = [seed_box(), class_box(self.model)]
                inputs += [
                    gr.Slider(1, 6, 4, step=1, label="Samples on the left"),
                    gr.Slider(1, 8, 6, step=1, label="Samples on top"),
                    gr.Slider(0, last, (last + 1) // 2, step=1, label="First layer from the top"),
                    gr.Slider(0, last, last, step=1, label="Last layer from the top"),
                ]
                button = gr.Button("Mix", variant="primary")
            with gr.Column(scale=3, min_width=300):
                grid = picture_box("Each cell takes the chosen layers from the sample on top")
        button.click(answering(self.draw), inputs, grid)

    def draw(
        self,
        seed: float | None,
        label: str | None,
        rows: float,
        columns: float,
        first: float,
        last: float,
    ) -> Image.Image:
        """Return the grid."""
        if first > last:
            raise InputError(f"layers: the first, {first:g}, lies above the last, {last:g}")
        left, top = int(rows), int(columns)
        numbers = range(left + top)
        images = mix(
            self.model.game,
            numbers[:left],
            numbers[left:],
            [int(first), int(last)],
            whole(seed, "Seed"),
            self.labels(label, left + top),
        )
        return as_grid(images.flatten(0, 1), top + 1)


class TruncationPanel(StylePanel):
    """Samples whose styles move to their mean by degrees."""

    title = "Truncation"

    def build(self, page: gr.Blocks) -> None:
        """Add the components and their events."""
        with gr.Row():
            with gr.Column(scale=1, min_width=240):
                inputs = [seed_box(), class_box(self.model)]
                button = gr.Button("Truncate", variant="primary")
            with gr.Column(scale=3, min_width=300):
                grid = picture_box(f"psi = {', '.join(f'{psi:g}' for psi in _PSIS)}")
        button.click(answering(self.draw), inputs, grid)

    def draw(self, seed: float | None, label: str | None) -> Image.Image:
        """Return the grid, a sample a row."""
        labels = self.labels(label, _ROWS)
        images = truncate(self.model.game, _PSIS, _ROWS, whole(seed, "Seed"), labels)
        return as_grid(images.flatten(0, 1), len(_PSIS))


class DirectionPanel(StylePanel):
    """Walks in W along the directions that change images most."""

    title = "Directions"

    def build(self, page: gr.Blocks) -> None:
        """Add the components and their events."""
        count = min(_DIRECTIONS, self.model.game.averaged.style_dim)
        with gr.Row():
            with gr.Column(scale=1, min_width=240):
                inputs = [seed_box(), class_box(self.model)]
                inputs += [
                    gr.Slider(1, count, 1, step=1, label="Direction, the strongest first"),
                    gr.Slider(0.5, 6, 3, step=0.5, label="Extent in standard deviations of w"),
                ]
                button = gr.Button("Walk", variant="primary")
            with gr.Column(scale=3, min_width=300):
                grid = picture_box("From - extent to extent, a sample a row")
        button.click(answering(self.draw), inputs, grid)

    def draw(
        self, seed: float | None, label: str | None, number: float, extent: float
    ) -> Image.Image:
        """Return the grid."""
        labels, chosen = self.labels(label, _ROWS), int(number)
        given = (None, whole(seed, "Seed"), labels)
        images = Walks(self.model.game, chosen, extent, _ROWS, *given).images(chosen - 1, _COLUMNS)
        return as_grid(images.flatten(0, 1), _COLUMNS)
