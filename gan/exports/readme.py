"""The card as a page of a model hub: ``README.md`` with YAML front matter."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from gan.exports.card import Card, Metrics, ranking

_TAGS = ("gan", "pytorch", "ganymede")
_CELL = 100  # characters of a value in a table


def page(card: Card) -> str:
    """Return the page of a card, Markdown."""
    return "\n".join([*_front_matter(card), *_head(card), *_sections(card)]) + "\n"


def _front_matter(card: Card) -> Iterator[str]:
    """Yield what a hub reads: licence, library, task and tags."""
    content = {
        "license": card.licence,
        "library_name": "ganymede",
        "pipeline_tag": card.task,
        "tags": [*dict.fromkeys([*_TAGS, card.game.lower()])],
    }
    yield "---"
    yield yaml.safe_dump(content, sort_keys=False).rstrip()
    yield "---"


def _head(card: Card) -> Iterator[str]:
    """Yield the title, what the model is, and its picture."""
    yield f"# {_text(card.name)}"
    yield ""
    networks = ", ".join(
        f"{name} ({part['class']}, {part['parameters']:,} parameters)"
        for name, part in card.networks.items()
    )
    yield f"{card.game}, trained on {card.data['class']}: {networks}."
    if card.source is not None:
        yield f"Weights: {_text(card.source)}."
    if card.samples is not None:
        yield from ("", f"![samples]({card.samples})")


def _sections(card: Card) -> Iterator[str]:
    """Yield the parts of the page."""
    yield from _section("Use", _usage(card))
    yield from _section("Interface", _interface(card))
    yield from _section("Training data", _pairs(card.data))
    unknown = ["The file of the weights says nothing about it."]
    yield from _section("Training", _pairs(card.training) if card.training else unknown)
    yield from _section("Metrics", _metrics(card.metrics))
    checks = [f"* {check}" for check in card.checks]
    yield from _section("Files, compared with the original", checks)
    yield from _section("Licence", [f"Weights: {_text(card.licence)}. {card.data_terms}"])
    yield from _section("Intended use", [card.intended_use])
    yield from _section("Misuse and limits", [card.misuse])


def _section(title: str, lines: "Iterator[str] | Sequence[str]") -> Iterator[str]:
    """Yield a part of the page with its title."""
    yield from ("", f"## {title}", "", *lines)


_CALLS = {
    "generator": "images = game.sample(16, seed=0{labels})  # (16, C, H, W) in [-1, 1]",
    "encoder": "latents = game.encode(images)",
    "classifier": "logits = game.classify(images)",
    "translator_ab": "translated = game.translate(images)  # images (n, C, H, W) in [-1, 1]",
    "translator_ba": 'back = game.translate(images, "ba")',
}


def _usage(card: Card) -> Iterator[str]:
    """Yield how it is loaded, in Python and by command."""
    conditional = any(len(part["inputs"]) > 1 for part in card.interfaces)
    labels = ", labels=[0]" if conditional else ""
    yield from ("```python", "import gan", "", 'game = gan.load("FOLDER")')
    for part in card.interfaces:
        yield _CALLS[part["name"]].format(labels=labels)
    yield "```"
    latents = any(part["name"] == "generator" for part in card.interfaces)
    command = "sample run=FOLDER n=64" if latents else "translate run=FOLDER images=DIR out=DIR"
    yield from ("", f"By command: `python -m gan {command}`.")
    if card.noise and any(check.file.startswith("generator") for check in card.checks):
        yield ""
        yield (
            "Each sample has its own pixel noise; a graph has one fixed noise map for all images, "
            "as `game.decode(z)` has."
        )


def _interface(card: Card) -> Iterator[str]:
    """Yield a table of tensors, and the classes."""
    yield from ("| function | tensor | shape | type | values |", "|---|---|---|---|---|")
    for part in card.interfaces:
        for port in part["inputs"]:
            yield _row(f"{part['name']}, takes", port)
        yield _row(f"{part['name']}, returns", part["output"])
    if card.classes:
        names = ", ".join(f"{k} {_text(name)}" for k, name in enumerate(card.classes))
        yield from ("", f"Classes: {names}.")


def _row(function: str, port: dict[str, Any]) -> str:
    """Return the row of a tensor."""
    shape = ", ".join(map(str, port["shape"]))
    return f"| {function} | {port['name']} | ({shape}) | {port['dtype']} | {port['values']} |"


def _pairs(content: dict[str, Any]) -> Iterator[str]:
    """Yield names and values as a list; what is not set is left out."""
    for name, value in content.items():
        if value is not None:
            yield f"* {name}: {_text(value)}"


def _metrics(metrics: Sequence[Metrics]) -> Iterator[str]:
    """Yield a table of values, and the stamps under which they were measured."""
    rows = ranking(metrics)
    if not rows:
        yield "Not measured."
        return
    yield from ("| metric | value | protocol |", "|---|---|---|")
    for name, protocol, value in rows:
        yield f"| {_text(name)} | {value:.5g} | {_text(protocol)} |"
    yield from ("", "Values under different protocols cannot be compared. Stamps:", "")
    for source, stamp in {(m.source, json.dumps(m.stamp)): m.stamp for m in metrics}.items():
        text = json.dumps(stamp).replace("`", "'")
        yield f"* {source[0]}: `{text}`"


def _text(value: Any) -> str:
    """Return a value as text that has no meaning in Markdown or HTML, in one line."""
    text = " ".join(str(value).split())
    for mark in "\\`*_[]<>|#":
        text = text.replace(mark, f"\\{mark}") if mark not in "<>" else text
    return text.replace("<", "&lt;").replace(">", "&gt;")
