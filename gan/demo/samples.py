"""Samples of a seed, and walks between those that are picked."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import gradio as gr
import torch
from gradio.components import Component
from PIL import Image
from torch import Tensor

from gan.algorithms.interpolation import walk
from gan.algorithms.styles import truncating
from gan.demo.answers import answering, whole
from gan.demo.model import Model, as_grid, as_pictures
from gan.demo.panel import CELLS, Panel, class_box, gallery_box, picture_box, seed_box
from gan.errors import InputError
from gan.latents import Prior
from gan.networks.style import StyleGenerator
from gan.pictures import forth_and_back, picture

_MOST = 64  # samples
_STEPS = 8  # images of a row of a walk
_FRAMES = 4  # of the animation for each of them
_LOOSE = 3.0  # end of the slider of truncation, where there is none
_HEIGHT = 240  # pixels of the pictures of a walk
_DURATION = 60  # milliseconds of a frame
_NOTHING = "Nothing is picked."
Captioned = list[tuple[str, str | None]]


def truncates(prior: Prior) -> bool:
    """Return whether latents of a prior can be truncated."""
    try:
        prior.truncate(torch.zeros(1, prior.dim), 1.0)
    except InputError:
        return False
    return True


@dataclass(frozen=True)
class Draw:
    """Samples as a page shows them.

    Attributes:
        seed: of the samples.
        count: how many.
        label: name of a class, or ``None``.
        truncation: of latents; psi of styles.
    """

    seed: int
    count: int
    label: str | None
    truncation: float


class SamplePanel(Panel):
    """Samples by seed, class and truncation; walks between picked ones."""

    title = "Samples"

    @staticmethod
    def suits(model: Model) -> bool:
        """Return whether latents become images."""
        return model.draws_images

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.styled = isinstance(model.game.averaged, StyleGenerator)
        self.truncated = self.styled or truncates(model.game.prior)

    def images(self, draw: Draw) -> Tensor:
        """Return the samples (n, C, H, W), as ``ganymede sample`` draws them."""
        y = self.model.labels(draw.label, draw.count)
        with self._psi(draw):
            images: Tensor = self.model.game.decode(self._latents(draw), y, draw.seed)
        return images

    def walk(self, draw: Draw, picked: list[int], steps: int) -> Tensor:
        """Return images (K - 1, steps, C, H, W) from each of K picked samples to the next."""
        y = self.model.labels(draw.label, draw.count)
        z = self._latents(draw)[picked]
        with self._psi(draw):
            return walk(self.model.game, z, None if y is None else y[picked], steps)

    def _latents(self, draw: Draw) -> Tensor:
        """Return the latents of the samples, (n, dim)."""
        bounded = self.truncated and not self.styled and draw.truncation < _LOOSE
        bound = draw.truncation if bounded else None
        latents: Tensor = self.model.game.latents(draw.count, draw.seed, bound)
        return latents

    def _psi(self, draw: Draw) -> AbstractContextManager[None]:
        """Return the context in which styles are truncated."""
        generator = self.model.game.averaged
        return truncating(generator, draw.truncation) if self.styled else nullcontext()

    def build(self, page: gr.Blocks) -> None:
        """Add the components and their events."""
        with gr.Row():
            with gr.Column(scale=1, min_width=220):
                seed, count = seed_box(), self._count_box()
                label, bound = class_box(self.model), self._bound_box()
                button = gr.Button("Draw", variant="primary")
            with gr.Column(scale=3, min_width=300):
                grid = gallery_box("Samples: pick two or more to walk between them", CELLS)
        drawn = gr.State()
        drawing = self._build_walk(grid, drawn)
        for event in (button.click, seed.submit, label.change, bound.release, page.load):
            event(
                answering(self.draw),
                [seed, count, label, bound],
                [drawn, *drawing],
                show_progress_on=grid,
                trigger_mode="always_last",
            )

    def _build_walk(self, grid: gr.Gallery, drawn: gr.State) -> list[Component]:
        """Add the walk between picked samples, and return the components that a draw resets."""
        picked = gr.State([])
        with gr.Row():
            clear = gr.Button("Clear picks", scale=0, min_width=140)
            told = gr.Markdown(_NOTHING)
        with gr.Row():
            with gr.Column():
                strip = picture_box("Walk, one row from a pick to the next", _HEIGHT)
            with gr.Column():
                film = picture_box("The walk there and back", _HEIGHT)
        grid.select(
            answering(self.pick),
            [grid, picked],
            [grid, picked, told],
            show_progress="hidden",
            trigger_mode="multiple",  # no click is lost while an earlier one is answered
        ).success(answering(self.show_walk), [drawn, picked], [strip, film], show_progress_on=strip)
        outputs: list[Component] = [grid, picked, told, strip, film]
        clear.click(answering(self.clear), grid, outputs)
        return outputs

    def _count_box(self) -> gr.Slider:
        """Return a slider for the number of samples."""
        return gr.Slider(1, _MOST, value=24, step=1, label="Images", min_width=120)

    def _bound_box(self) -> gr.Slider:
        """Return a slider for truncation, hidden where there is none."""
        if self.styled:
            return gr.Slider(0, 1.2, value=1, step=0.05, label="psi: 0 is the mean style")
        label = f"Truncation of latents ({_LOOSE:g}: none)"
        return gr.Slider(0.1, _LOOSE, value=_LOOSE, step=0.1, label=label, visible=self.truncated)

    def draw(
        self, seed: float | None, count: float | None, label: str | None, truncation: float
    ) -> tuple[object, ...]:
        """Return what is drawn, and the outputs with nothing picked."""
        most = min(whole(count, "Images", 1), _MOST)
        chosen = Draw(whole(seed, "Seed"), most, label, truncation)
        images = [(image, None) for image in as_pictures(self.images(chosen))]
        return chosen, images, [], _NOTHING, None, None

    def pick(
        self, grid: Captioned, picked: list[int], event: gr.SelectData
    ) -> tuple[gr.Gallery, list[int], str]:
        """Return gallery, picks and their description after a click on a sample.

        The sample is picked, or no longer if it was.
        """
        number = int(event.index)
        chosen = [k for k in picked if k != number] + [number] * (number not in picked)
        told = "Picked: " + ", ".join(map(str, chosen)) if chosen else _NOTHING
        return _numbered(grid, chosen), chosen, told

    def show_walk(self, drawn: Draw, picked: list[int]) -> tuple[Image.Image | None, str | None]:
        """Return the walk between the picks as a grid, and the file of its animation."""
        if len(picked) < 2:
            return None, None
        rows = self.walk(drawn, picked, _STEPS)
        film = self.walk(drawn, picked, _FRAMES * (_STEPS - 1) + 1).flatten(0, 1)
        return as_grid(rows.flatten(0, 1), _STEPS), save_film(film)

    def clear(self, grid: Captioned) -> tuple[object, ...]:
        """Return the outputs of a walk with nothing picked."""
        return _numbered(grid, []), [], _NOTHING, None, None


class PointPanel(Panel):
    """Samples in the plane."""

    title = "Samples"

    @staticmethod
    def suits(model: Model) -> bool:
        """Return whether latents become points."""
        return hasattr(model.game, "prior") and not model.draws_images

    def build(self, page: gr.Blocks) -> None:
        """Add the components and their events."""
        with gr.Row():
            with gr.Column(scale=1, min_width=220):
                inputs = [seed_box(), gr.Slider(100, 5000, 1000, step=100, label="Points")]
                inputs.append(class_box(self.model))
                button = gr.Button("Draw", variant="primary")
            with gr.Column(scale=3, min_width=300):
                plot = picture_box("Points in [-1, 1] x [-1, 1]")
        for event in (button.click, page.load):
            event(answering(self.draw), inputs, plot)

    def draw(self, seed: float | None, count: float, label: str | None) -> Image.Image:
        """Return a scatter plot."""
        number = whole(count, "Points", 1)
        y = self.model.labels(label, number)
        points = self.model.game.sample(number, whole(seed, "Seed"), y)
        return Image.fromarray(picture(points, 1).permute(1, 2, 0).numpy())


def save_film(images: Tensor) -> str:
    """Return the file of an animation of images (F, C, H, W), forth and back.

    It lies among the temporary files of the process.
    """
    path = Path(mkdtemp()) / "walk.gif"
    factor = max(1, _HEIGHT // images.shape[2])
    large = images.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    first, *others = as_pictures(forth_and_back(large))
    first.save(path, save_all=True, append_images=others, duration=_DURATION, loop=0)
    return str(path)


def _numbered(grid: Captioned, picked: list[int]) -> gr.Gallery:
    """Return an update of a gallery whose picked images show their place in the walk."""
    places = {number: f"{place + 1}" for place, number in enumerate(picked)}
    value = [(file, places.get(k)) for k, (file, _) in enumerate(grid)]
    return gr.Gallery(value=value, selected_index=None)
