"""The view of a W&B project, as it is stored there."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
import wandb

from gan.errors import InputError

pytest.importorskip("wandb_workspaces", reason="the extra 'dashboard' is not installed")
from gan.loggers import workspace


@pytest.fixture(scope="module")
def view() -> Any:
    return workspace.view("gans", "me", "Mine", ["domain/fid", "domain/kid"])


def test_whose_view_it_is_and_how_runs_are_listed(view: Any) -> None:
    assert (view.entity, view.project, view.name) == ("me", "gans", "Mine")
    settings, runs = view.settings, view.runset_settings
    assert (settings.x_axis, settings.group_by_prefix, settings.max_runs) == ("images", "first", 20)
    assert [(order.item.name, order.ascending) for order in runs.order] == [
        ("best/domain/fid", True)
    ]
    columns = ["summary:best/domain/fid", "summary:best/domain/kid", "config:model.value"]
    assert [column for column in runs.pinned_columns if column in columns] == columns


@pytest.mark.parametrize("higher", [True, False])
def test_the_best_run_comes_first(higher: bool) -> None:
    (order,) = workspace.view("gans", "me", "Mine", ["is"], higher).runset_settings.order
    assert order.ascending != higher


def test_sections_of_a_view(view: Any) -> None:
    sections = {section.name: section for section in view.sections}
    assert {name: section.is_open for name, section in sections.items()} == {
        "Quality by images seen": True,
        "Samples": True,
        "Runs compared": True,
        "Classes": True,
        "Training": False,
    }
    quality = sections["Quality by images seen"].panels
    assert [(panel.title, panel.y) for panel in quality] == [
        ("domain/fid", ["domain/fid"]),
        ("domain/kid", ["domain/kid"]),
    ]
    (samples,), (classes,) = sections["Samples"].panels, sections["Classes"].panels
    assert (samples.title, samples.media_keys, samples.num_columns) == ("samples", ["samples"], 2)
    assert classes.table_name == "classes"
    *bars, importance, comparer = sections["Runs compared"].panels
    assert [bar.title for bar in bars] == ["best/domain/fid", "best/domain/kid"]
    assert [[m.name for m in bar.metrics] for bar in bars] == [[bar.title] for bar in bars]
    assert getattr(importance.with_respect_to, "name", importance.with_respect_to) == (
        "best/domain/fid"
    )
    assert comparer.diff_only == "split"


def test_charts_over_the_images_seen_lie_three_in_a_row(view: Any) -> None:
    *_, training = view.sections
    charts = training.panels
    assert [chart.metric_regex for chart in charts] == list(workspace._TRAINING.values())
    assert [chart.title for chart in charts] == list(workspace._TRAINING)
    assert {(getattr(c.x, "name", c.x), c.title_x) for c in charts} == {("images", "images seen")}
    layouts = [(c.layout.x, c.layout.y, c.layout.w, c.layout.h) for c in charts]
    assert layouts == [(8 * (k % 3), 6 * (k // 3), 8, 6) for k in range(7)]


def test_a_definition_has_the_names_of_the_server_and_no_empty_values(view: Any) -> None:
    text = workspace.definition(view)
    assert text.startswith('{\n  "')
    assert json.loads(text)["displayName"] == "Mine"
    assert ": null" not in text
    assert '"xAxis": "images"' in text


def test_what_the_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    server = SimpleNamespace(Api=lambda: SimpleNamespace(default_entity="me"), errors=wandb.errors)
    monkeypatch.setattr(workspace, "wandb", server)
    assert workspace.default_entity() == "me"
    saved: Any = SimpleNamespace(save=lambda: SimpleNamespace(url="https://x"))
    assert workspace.save(saved) == "https://x"


def test_a_server_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise wandb.errors.CommError("no answer\nin 20 s")

    server = SimpleNamespace(Api=refuse, errors=wandb.errors)
    monkeypatch.setattr(workspace, "wandb", server)
    for ask in (workspace.default_entity, lambda: workspace.save(SimpleNamespace(save=refuse))):
        with pytest.raises(InputError, match=r"^W&B: no answer in 20 s$"):
            ask()


def test_a_name_that_is_not_taken() -> None:
    with pytest.raises(InputError, match="name=\N{FIRE}: W&B takes no emoji"):
        workspace.view("gans", "me", "\N{FIRE}", ["fid"])
