"""The pages of the models: paper, recipe beside what its source publishes, and gallery."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import recipes
from docs import gallery_rows
from gan.settings.composing import compose
from gan.settings.groups import description, options, title

EXPERIMENTS = "experiment"
_HEADS = ("model", "paper", "game", "loss", "labels", "steps")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown; a bar in a cell is escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(c.replace('|', chr(92) + '|') for c in r)} |" for r in lines)


def command(model: str) -> str:
    """Return the command that trains a small copy of a model; one on images chooses a task."""
    return f"python train.py model={model} size=tiny data=mnist"


def _recipe(model: str) -> str:
    """Return the table of a recipe beside the values of its source."""
    cells, source = recipes.cells(model), recipes.published().get(model, {})
    reasons: Mapping[str, str] = source.get("differs", {})
    rows = [
        [column, f"`{cells[column]}`", _published(source, column), reasons.get(column, "")]
        for column in recipes.COMPARED
    ]
    rows += [[column, f"`{cells[column]}`", "", ""] for column in recipes.OTHERS]
    return table(["setting", "here", "published", "why it differs"], rows)


def _published(source: Mapping[str, object], column: str) -> str:
    """Return a published value as code, nothing where the source gives none."""
    value = source.get(column)
    return "" if value is None else f"`{value}`"


def _sizes(model: str) -> str:
    """Return the table of what a recipe has at each size."""
    rows = [[f"`size={size}`", f"`{text}`"] for size, text in recipes.sizes(model).items()]
    return table(["size", "networks, latents, average, labels, game, length"], rows)


def page(model: str, rows: Sequence[gallery_rows.Row]) -> Iterator[str]:
    """Yield the paragraphs of a model's page.

    Args:
        model: of ``conf/model``.
        rows: of the gallery, of this model.
    """
    yield f"# {model}"
    yield description("model", model)
    yield f"```\n{command(model)}\n```"
    yield (
        f"`ganymede models model={model}` lists what it composes with. The settings are in "
        f"`conf/model/{model}.yaml`."
    )
    yield "## Recipe"
    yield f"Source: {recipes.published().get(model, {}).get('source', 'this project')}."
    yield _recipe(model)
    yield "Schedules, half-lives and starts of averages count images."
    yield "## Sizes"
    yield _sizes(model)
    if rows:
        yield "## Gallery"
        yield (
            "Latents 0 to 9 of seed 0, one strip for each seed of training, after the last step; "
            "nothing is picked. Compare the numbers of one data set alone."
        )
        yield gallery_rows.table(rows)


def overview() -> Iterator[str]:
    """Yield the paragraphs of the page of all models."""
    yield "# Models"
    yield (
        "Each model is a file of `conf/model`: networks, game and the recipe of its paper. "
        "Each page states the recipe beside the published one."
    )
    rows = []
    for model in options("model"):
        cells = recipes.cells(model)
        kinds = [f"`{cells[key].partition('(')[0]}`" for key in ("game", "loss", "labels")]
        row = [f"[{model}]({model}.md)", title("model", model), *kinds, cells["steps"]]
        rows.append(row)
    yield table(_HEADS, rows)
    yield "[Experiments](experiments.md) are recipes with their data. [All recipes](../recipes.md)."
    names = "\n".join(["experiments", *options("model")])
    yield f"```{{toctree}}\n:hidden:\n\n{names}\n```"


def experiments() -> Iterator[str]:
    """Yield the paragraphs of the page of experiments."""
    yield "# Experiments"
    yield "An experiment is a recipe with its data: `python train.py experiment=NAME`."
    rows = []
    for name in options(EXPERIMENTS):
        config = compose([f"experiment={name}", "run_dir=run"], with_hydra=True)
        chosen = config.hydra.runtime.choices
        row = [f"`{name}`", description(EXPERIMENTS, name), f"`{chosen.model}`"]
        rows.append([*row, f"`{chosen.data}`", f"{config.steps:,}"])
    yield table(["experiment", "what it is", "model", "data", "steps"], rows)


def pages(gallery: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the content of each page.

    Args:
        gallery: folder of a gallery; there need not be one.
    """
    found = gallery_rows.read(gallery)
    yield "index", "\n\n".join(overview())
    yield "experiments", "\n\n".join(experiments())
    for model in options("model"):
        rows = [row for row in found if row.model == model]
        yield model, "\n\n".join(page(model, rows))
