"""What latent models do with an uploaded picture: encode, classify, project."""

import gradio as gr
import torch
from PIL import Image
from torch import Tensor

from gan.algorithms.encoding import EncodingGame
from gan.algorithms.interpolation import interpolate_images
from gan.algorithms.latent import LatentGame
from gan.algorithms.projection import Projection
from gan.algorithms.reconstruction import Problem, compute_images, latent_space
from gan.demo.answers import answering, whole
from gan.demo.model import Model, as_grid, as_pictures
from gan.demo.panel import Panel, class_box, gallery_box, picture_box, seed_box, upload_box
from gan.networks.style import StyleGenerator

_STEPS = 10  # images of a walk
Captioned = list[tuple[Image.Image, str]]


class EncodingPanel(Panel):
    """Reconstructions of uploaded pictures, and walks between two of them."""

    title = "Encode a picture"

    @staticmethod
    def suits(model: Model) -> bool:
        """Return whether there is an encoder."""
        return model.draws_images and isinstance(model.game, EncodingGame)

    def build(self, page: gr.Blocks) -> None:
        """Add the components and their events."""
        with gr.Row():
            with gr.Column(scale=1, min_width=240):
                first = upload_box()
                second = upload_box("Another picture, to walk to (optional)")
                label = class_box(self.model, each=False)
                button = gr.Button("Encode", variant="primary")
                done = gr.Markdown()
            with gr.Column(scale=3, min_width=300):
                shown = gallery_box("As the model sees it, and its reconstruction")
                strip = picture_box("From one picture to the other, which stand at the ends")
        button.click(answering(self.encode), [first, second, label], [shown, strip, done])

    def encode(
        self, first: str | None, second: str | None, label: str | None
    ) -> tuple[Captioned, Image.Image | None, str]:
        """Return pictures beside their reconstructions, the walk, and what was done to files."""
        side = self.model.config.data.resolution
        read = [self.model.upload(path, side) for path in (first, second)[: 1 + bool(second)]]
        images = torch.cat([image for image, _ in read])
        labels = self.model.labels(label, len(images))
        found = self.model.game.reconstruct(images, labels)
        shown: Captioned = []
        for k, pair in enumerate(zip(as_pictures(images), as_pictures(found), strict=True)):
            ratio = f"PSNR {_psnr(found[k], images[k]):.1f} dB"
            shown += [(pair[0], "picture"), (pair[1], ratio)]
        done = "; ".join(words for _, words in read if words)
        return shown, self._walk(images, labels) if second else None, done

    def _walk(self, images: Tensor, labels: Tensor | None) -> Image.Image:
        """Return the way between two pictures (2, C, H, W), with these at its ends."""
        own = None if labels is None else labels[:1]
        rows = interpolate_images(self.model.game, images, _STEPS, own)
        return as_grid(torch.cat([images[:1], rows[0], images[1:]]), _STEPS + 2)


class ClassifyPanel(Panel):
    """The class of an uploaded picture."""

    title = "Classify a picture"

    @staticmethod
    def suits(model: Model) -> bool:
        """Return whether the model classifies."""
        return model.draws_images and model.game.num_classified > 0

    def build(self, page: gr.Blocks) -> None:
        """Add the components and their events."""
        with gr.Row():
            with gr.Column(scale=1, min_width=240):
                picture = upload_box()
                button = gr.Button("Classify", variant="primary")
                done = gr.Markdown()
            with gr.Column(scale=3, min_width=300):
                shown = gallery_box("As the model sees it")
                classes = gr.Label(label="Probability", num_top_classes=5)
        button.click(answering(self.classify), picture, [shown, classes, done])

    def classify(self, path: str | None) -> tuple[Captioned, dict[str, float], str]:
        """Return the picture, the probability of each class, and what was done to the file."""
        image, done = self.model.upload(path, self.model.config.data.resolution)
        shares = self.model.game.classify(image).softmax(1)[0].tolist()
        names = self.model.game.class_names
        told = {names.name(k): share for k, share in enumerate(shares)}
        return [(as_pictures(image)[0], "picture")], told, done


class ProjectionPanel(Panel):
    """The latent whose image is nearest to an uploaded picture."""

    title = "Project a picture"

    @staticmethod
    def suits(model: Model) -> bool:
        """Return whether latents become images."""
        return model.draws_images and isinstance(model.game, LatentGame)

    def build(self, page: gr.Blocks) -> None:
        """Add the components and their events."""
        styled = isinstance(self.model.game.averaged, StyleGenerator)
        with gr.Row():
            with gr.Column(scale=1, min_width=240):
                inputs = [
                    upload_box(),
                    class_box(self.model, each=False),
                    gr.Slider(20, 1000, 200, step=20, label="Steps of the search"),
                    seed_box("Seed of the search"),
                    gr.Checkbox(label="A style for each layer (W+)", visible=styled),
                ]
                button = gr.Button("Project", variant="primary")
            with gr.Column(scale=3, min_width=300):
                sheet = picture_box("Picture, nearest image found, absolute error")
                errors = gr.Markdown()
        button.click(answering(self.project), inputs, [sheet, errors])

    def project(
        self,
        path: str | None,
        label: str | None,
        steps: float,
        seed: float | None,
        extended: bool,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Image.Image, str]:
        """Return the picture, the image found and the error side by side, and the errors."""
        image, done = self.model.upload(path, self.model.config.data.resolution)
        game, number = self.model.game, whole(seed, "Seed")
        y = self.model.labels(label, 1)
        y = None if y is None else y.to(game.device)
        space = latent_space(game, y, number, extended)
        image = image.to(game.device)
        problem = Problem.of(image, torch.ones_like(image[:, :1]))
        path_of_latents = Projection(int(steps), number).path(space, problem.observation)
        *_, latent = progress.tqdm(path_of_latents, desc="search", total=int(steps) + 1)
        found = compute_images(space, latent)
        sheet = problem.sheet(found).cpu()
        return as_grid(sheet, len(sheet)), "\n\n".join([*problem.errors(found), done])


def _psnr(image: Tensor, target: Tensor) -> float:
    """Return the peak signal-to-noise ratio of an image in [-1, 1], in dB."""
    return float(10 * (4 / (image - target).square().mean().clamp(min=4e-10)).log10())
