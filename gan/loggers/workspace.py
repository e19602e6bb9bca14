"""A view of a W&B project for GANs: what its runs log, in sections."""

from collections.abc import Sequence
from typing import Any

import wandb
import wandb_workspaces.reports.v2 as panels
import wandb_workspaces.workspaces as workspaces
from wandb_workspaces import expr

from gan.errors import InputError

_AXIS = "images"
_WIDTH, _HEIGHT = 8, 6  # of a panel on W&B's grid, three in a row
_TRAINING = {
    "losses of G": "^generator/",
    "losses of D": "^discriminator/",
    "logits": "^logits/",
    "gradient norms": "^gradient_norm/",
    "learning rates": "^lr/",
    "diversity of samples": "^diversity$",
    "images a second": "^images_per_second$",
}
_COLUMNS = ("model", "loss", "data", "size", "seed", "steps", "protocol")


def view(
    project: str, entity: str, name: str, metrics: Sequence[str], higher_is_better: bool = False
) -> Any:
    """Return a view of a project, which is not saved.

    Args:
        project: of W&B.
        entity: user or team that owns it.
        name: of the view.
        metrics: names of those that rank models, such as "domain/fid"; the best value of the first
            sorts the runs.
        higher_is_better: whether its highest value is the best.

    Raises:
        InputError: if W&B takes no such name.
    """
    best = [f"best/{key}" for key in metrics]
    ordering = expr.Ordering(expr.Summary(best[0]), ascending=not higher_is_better)
    columns = [*(f"summary:{key}" for key in best), *(f"config:{key}.value" for key in _COLUMNS)]
    settings = workspaces.WorkspaceSettings(x_axis=_AXIS, group_by_prefix="first", max_runs=20)
    runs = workspaces.RunsetSettings(order=[ordering], pinned_columns=columns)
    sections = _sections(metrics, best)
    try:
        return workspaces.Workspace(entity, project, name, sections, settings, runs)
    except ValueError as error:  # all but the names is given here
        raise InputError(f"name={name}: W&B takes no emoji there: leave them out") from error


def definition(view: Any) -> str:
    """Return the definition of a view as W&B stores it, JSON."""
    text: str = view._to_model().model_dump_json(by_alias=True, exclude_none=True, indent=2)
    return text


def default_entity() -> str:
    """Return the user or team under whose name runs are logged.

    Raises:
        InputError: if the server does not answer.
    """
    try:
        return str(wandb.Api().default_entity)
    except wandb.errors.Error as error:
        raise InputError(_reason(error)) from error


def save(view: Any) -> str:
    """Save a view on the server and return its address.

    Raises:
        InputError: if the server does not answer, or refuses it.
    """
    try:
        return str(view.save().url)
    except wandb.errors.Error as error:
        raise InputError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Return why the server did not do what it was asked for, in one line."""
    return f"W&B: {' '.join(str(error).split())}"


def _sections(metrics: Sequence[str], best: Sequence[str]) -> list[Any]:
    """Return the sections, those that are looked at first open."""
    quality = [_line(title=key, y=[key]) for key in metrics]
    training = [_line(title=title, metric_regex=keys) for title, keys in _TRAINING.items()]
    samples = panels.MediaBrowser(title="samples", media_keys=["samples"], num_columns=2)
    classes = panels.WeavePanelSummaryTable(table_name="classes")
    bars = [panels.BarPlot(title=k, metrics=[panels.SummaryMetric(k)]) for k in best]
    importance = panels.ParameterImportancePlot(with_respect_to=best[0])
    sections = {
        "Quality by images seen": quality,
        "Samples": [samples],
        "Runs compared": [*bars, importance, panels.RunComparer(diff_only="split")],
        "Classes": [classes],
        "Training": training,
    }
    return [
        workspaces.Section(name=name, panels=_placed(parts), is_open=name != "Training")
        for name, parts in sections.items()
    ]


def _line(**arguments: Any) -> Any:
    """Return a chart of some metrics over the images seen."""
    return panels.LinePlot(x=_AXIS, title_x="images seen", **arguments)


def _placed(parts: Sequence[Any]) -> list[Any]:
    """Return panels side by side, three in a row."""
    for index, panel in enumerate(parts):
        row, column = divmod(index, 3)
        panel.layout = panels.Layout(column * _WIDTH, row * _HEIGHT, _WIDTH, _HEIGHT)
    return list(parts)
