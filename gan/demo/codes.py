"""The codes of InfoGAN."""

import gradio as gr
import torch
from PIL import Image

from gan.algorithms.traversal import traverse
from gan.demo.answers import answering, whole
from gan.demo.model import Model, as_grid, as_pictures
from gan.demo.panel import CELLS, Panel, class_box, gallery_box, picture_box, seed_box
from gan.latents import Codes

_IMAGES = 16  # with the same codes
_EXTENT = 2.0  # of continuous codes; training uses [-1, 1]
_ROWS, _COLUMNS = 5, 10  # of a traversal


class CodePanel(Panel):
    """Images with chosen codes, and traversals of one code."""

    title = "Codes"

    @staticmethod
    def suits(model: Model) -> bool:
        """Return whether the prior has codes."""
        return model.draws_images and isinstance(model.game.prior, Codes)

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.prior: Codes = model.game.prior
        self.names = [f"category {k + 1}" for k in range(len(self.prior.categories))]
        self.names += [f"continuous {k + 1}" for k in range(self.prior.continuous)]

    def build(self, page: gr.Blocks) -> None:
        """Add the components and their events."""
        with gr.Row():
            with gr.Column(scale=1, min_width=240):
                seed, label = seed_box("Seed of the noise"), class_box(self.model)
                codes = self._code_boxes()
            with gr.Column(scale=3, min_width=300):
                grid = gallery_box("Images with these codes, each with its own noise", CELLS)
        with gr.Row():
            name = gr.Dropdown(self.names, value=self.names[0], label="Code", min_width=160)
            button = gr.Button("Show all its values", variant="primary", min_width=160)
        rows = picture_box("One code takes all its values; a row has its own noise")
        inputs = [seed, label, *codes]
        button.click(answering(self.traverse), [name, seed, label], rows)
        for box in codes:
            box.change(
                answering(self.draw),
                inputs,
                grid,
                show_progress="hidden",
                trigger_mode="always_last",
            )
        for event in (label.change, seed.submit, page.load):
            event(answering(self.draw), inputs, grid)

    def _code_boxes(self) -> list[gr.Radio | gr.Slider]:
        """Return a choice for each categorical code, and a slider for each continuous one."""
        count = len(self.prior.categories)
        return [
            *(
                gr.Radio([*range(size)], value=0, label=name)
                for name, size in zip(self.names, self.prior.categories, strict=False)
            ),
            *(
                gr.Slider(-_EXTENT, _EXTENT, value=0, step=0.05, label=name)
                for name in self.names[count:]
            ),
        ]

    def draw(
        self, seed: float | None, label: str | None, *codes: float
    ) -> list[tuple[Image.Image, None]]:
        """Return images of these codes."""
        number, split = whole(seed, "Seed"), len(self.prior.categories)
        z = self.prior.sample_each(number, range(_IMAGES))
        z = self.prior.replace(z, [int(k) for k in codes[:split]], codes[split:])
        images = self.model.game.decode(z, self.model.labels(label, _IMAGES), number)
        return [(image, None) for image in as_pictures(images)]

    def traverse(self, name: str, seed: float | None, label: str | None) -> Image.Image:
        """Return the traversal of a code as a grid."""
        labels = self.model.labels(label, _ROWS)
        known = None if labels is None else labels.tolist()
        number = whole(seed, "Seed")
        blocks = traverse(self.model.game, _ROWS, _COLUMNS, _EXTENT, number, known)
        block: torch.Tensor = blocks[self.names.index(name)]
        return as_grid(block.flatten(0, 1), block.shape[1])
