"""Untrained models of each kind that a page shows, and the components of their panels.

``python -m tests.demo.kinds`` stores the components anew.
"""

import json
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
    "encoder": [*DIGITS, "model=vae", "model.generator.width=4", "model.encoder.width=4"],
    "points": ["experiment=ring"],
    "styles": [*DIGITS, "data.resolution=16", "model=stylegan2", "conditioning=mapped", *STYLED],
}
SHOWN = ("label", "value", "minimum", "maximum", "step", "visible", "choices", "height", "columns")


def model_of(kind: str) -> Model:
    """Return an untrained model."""
    torch.manual_seed(0)
    config = compose(["size=tiny", "run_dir=run", *KINDS[kind]])
    game = build(config.model).eval()
    return Model(SimpleNamespace(), None, game, config)  # type: ignore[arg-type]


def components(kind: str) -> list[dict[str, Any]]:
    """Return what the panels of a model show at first: kind, label, value and range."""
    import gradio as gr

    from gan.demo.page import panels_of

    with gr.Blocks(analytics_enabled=False) as page:
        for panel in panels_of(model_of(kind)):
            gr.Markdown(panel.title)
            panel.build(page)
    found = [(part["type"], part["props"]) for part in page.get_config_file()["components"]]
    return [
        {"type": name, **{key: props[key] for key in SHOWN if props.get(key) is not None}}
        for name, props in found
    ]


if __name__ == "__main__":
    FILE.write_text(json.dumps({kind: components(kind) for kind in KINDS}, indent=1) + "\n")
