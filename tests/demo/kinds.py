"""Untrained models of each kind that a page shows, and the components of their panels.

``python -m tests.demo.kinds`` stores the components anew.
"""

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from gan.demo.model import Model
from gan.settings.composing import compose
from gan.settings.trust import build

FILE = Path(__file__).parent / "components.json"
SIDE = 8
DIGITS = ["data=digits", f"data.resolution={SIDE}"]
NARROW = ["model.generator.width=4", "model.discriminator.width=4"]
STYLED = ["model.generator.capacity=64", "model.discriminator.capacity=64", "prior.dim=8"]
KINDS = {
    "classes": [*DIGITS, "model=dcgan", "conditioning=projection", *NARROW],
    "classifier": [*DIGITS, "model=acgan", *NARROW],
    "codes": [*DIGITS, "model=infogan", *NARROW],
    "degraded": [*DIGITS, "model=pix2pix", "task=denoise", *NARROW],
    "encoder": [*DIGITS, "model=vae", "model.generator.width=4", "model.encoder.width=4"],
    "points": ["experiment=ring"],
    "domains": [*DIGITS, "model=cyclegan", "model.generator.ab.width=4"],  # of no task
    "styles": [*DIGITS, "data.resolution=16", "model=stylegan2", "conditioning=mapped", *STYLED],
}
SHOWN: tuple[str, ...] = (
    "label",
    "value",
    "minimum",
    "maximum",
    "step",
    "visible",
    "choices",
    "height",
    "columns",
    "min_width",
    "scale",
    "variant",
    "precision",
    "format",
    "show_label",
    "interactive",
    "allow_preview",
    "object_fit",
    "buttons",
    "elem_classes",
    "num_top_classes",
    "file_types",
)
EVENT = ("show_progress", "trigger_mode", "trigger_only_on_success")


@cache
def model_of(kind: str) -> Model:
    """Return an untrained model."""
    torch.manual_seed(0)
    config = compose(["size=tiny", "run_dir=run", *KINDS[kind]])
    game = build(config.model).eval()
    config.task = None if kind == "domains" else config.task
    return Model(SimpleNamespace(), None, game, config)  # type: ignore[arg-type]


def page_of(kind: str) -> dict[str, Any]:
    """Return what a page of the panels of a model sends to a browser."""
    import gradio as gr

    from gan.demo.page import panels_of

    with gr.Blocks(analytics_enabled=False) as page:
        for panel in panels_of(model_of(kind)):
            gr.Markdown(panel.title)
            panel.build(page)
    return dict(page.get_config_file())


def components(page: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the panels of a model show at first: kind, label, value and range."""
    found = [(part["type"], part["props"]) for part in page["components"]]
    return [
        {"type": name, **{key: props[key] for key in SHOWN if props.get(key) is not None}}
        for name, props in found
    ]


def events(page: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what calls which function of the panels, with what, and where the answers go."""
    places = {part["id"]: number for number, part in enumerate(page["components"])}

    def numbers(ids: list[int]) -> list[int]:
        return [places[one] for one in ids]

    return [
        {
            "function": call["api_name"],
            "on": [(places.get(place, "page"), event) for place, event in call["targets"]],
            "inputs": numbers(call["inputs"]),
            "outputs": numbers(call["outputs"]),
            "progress": numbers(call["show_progress_on"] or []),
            **{key: call[key] for key in EVENT},
        }
        for call in page["dependencies"]
    ]


def stored(kind: str) -> dict[str, Any]:
    """Return components and events, as they are stored."""
    page = page_of(kind)
    content = {"components": components(page), "events": events(page)}
    found: dict[str, Any] = json.loads(json.dumps(content))
    return found


if __name__ == "__main__":
    FILE.write_text(json.dumps({kind: stored(kind) for kind in KINDS}, indent=1) + "\n")
