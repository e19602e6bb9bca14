"""Translation and restoration of an uploaded picture."""

from functools import cache

import gradio as gr
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor

from gan.algorithms.translation import TranslationGame
from gan.demo.answers import answering, whole
from gan.demo.model import Model, as_pictures
from gan.demo.panel import Panel, gallery_box, seed_box, upload_box
from gan.runs.translation import RunTranslation

_WORDS = {"ab": "A to B", "ba": "B to A"}
Captioned = list[tuple[Image.Image, str]]


class TranslationPanel(Panel):
    """Pictures of one domain become those of the other."""

    @staticmethod
    def suits(model: Model) -> bool:
        """Return whether images become images."""
        return isinstance(model.game, TranslationGame)

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.degrades = bool(OmegaConf.select(model.config, "task"))
        self.verb = "Restore" if self.degrades else "Translate"
        self.title = f"{self.verb} a picture"
        self.translation = cache(self._translation)

    def _translation(self, direction: str) -> RunTranslation:
        """Return the translation in a direction."""
        model = self.model
        return RunTranslation(model.run, model.checkpoint, direction, model.game.device)

    def build(self, page: gr.Blocks) -> None:
        """Add the components and their events."""
        choices = [(_WORDS[name], name) for name in self.model.game.directions]
        with gr.Row():
            with gr.Column(scale=1, min_width=240):
                inputs = [
                    upload_box(),
                    gr.Radio(
                        choices,
                        value=choices[0][1],
                        label="Direction",
                        visible=len(choices) > 1,
                    ),
                    gr.Checkbox(label="Keep its size, in overlapping tiles"),
                    gr.Checkbox(
                        self.degrades,
                        label="Degrade it first, as in training",
                        visible=self.degrades,
                    ),
                    seed_box("Seed of the degradation"),
                ]
                inputs[-1].visible = self.degrades
                button = gr.Button(self.verb, variant="primary")
                done = gr.Markdown()
            with gr.Column(scale=3, min_width=300):
                shown = gallery_box("Before and after")
        button.click(answering(self.translate), inputs, [shown, done])

    def translate(
        self, path: str | None, direction: str, keep: bool, degrade: bool, seed: float | None
    ) -> tuple[Captioned, str]:
        """Return the picture before and after, and what was done to the file."""
        translation = self.translation(direction)
        scale = self.model.game.scale if degrade else 1
        side = None if keep else translation.side * scale
        image, done = self.model.upload(path, side, direction[0])
        stages = [("before", image[0])]
        if degrade:
            clean, source = translation.degrading(whole(seed, "Seed"))(0, image[0])
            stages = [("picture", clean), ("degraded", source)]
        stages.append(("after", translation.in_tiles(None, None)(stages[-1][1])))
        return [(_picture(stage), name) for name, stage in stages], done


def _picture(image: Tensor) -> Image.Image:
    """Return an image (C, H, W) in [-1, 1] as a picture."""
    return as_pictures(image[None].clamp(-1, 1))[0]
