import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gan.commands import dashboard
from gan.commands.main import dispatch
from gan.errors import InputError
from tests.sweeps.launching import fid, results

pytest.importorskip("wandb_workspaces", reason="the extra 'dashboard' is not installed")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gan.loggers.login.has_key", lambda: False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.chdir(tmp_path)


def definition(*arguments: str) -> dict[str, Any]:
    dispatch(["dashboard", "project=gans", *arguments])
    content: dict[str, Any] = json.loads(Path("dashboard.json").read_text())
    return content


def panels(content: dict[str, Any]) -> list[dict[str, Any]]:
    sections = content["spec"]["section"]["panelBankConfig"]["sections"]
    return [panel for section in sections for panel in section["panels"]]


def test_each_metric_of_the_runs_has_a_chart_by_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocols = {"domain/is": "bbbb", "domain/fid": "aaaa"}
    results(tmp_path / "one", **fid(3.0), protocols=protocols).save()
    results(tmp_path / "other", **fid(3.0), protocols={"domain/kid": "cccc"}).save()
    content = definition(f"runs={tmp_path}/*")
    lines = [p["config"] for p in panels(content) if p["viewType"] == "Run History Line Plot"]
    assert [c["metrics"] for c in lines if c["metrics"]] == [
        ["domain/fid"],
        ["domain/is"],
        ["domain/kid"],
    ]
    assert {c["xAxis"] for c in lines} == {"images"}
    (runs,) = content["spec"]["section"]["runSets"]
    (key,) = runs["sort"]["keys"]
    assert (key["key"]["name"], key["ascending"]) == ("best/domain/fid", True)
    assert '"maxRuns": 20' in json.dumps(content) or '"limit": 20' in json.dumps(content)
    assert "run `wandb login`, then this command again" in capsys.readouterr().out


def test_a_metric_whose_highest_is_the_best_sorts_downwards(tmp_path: Path) -> None:
    best = {"monitor": "domain/is", "protocols": {"domain/is": "b"}, "higher_is_better": True}
    results(tmp_path / "one", **best).save()
    (runs,) = definition(f"runs={tmp_path}/*")["spec"]["section"]["runSets"]
    assert not runs["sort"]["keys"][0]["ascending"]


def test_the_monitored_metric_of_the_first_run_that_has_it_comes_first(tmp_path: Path) -> None:
    results(tmp_path / "a", **fid(3.0), protocols={"x/kid": "c"}).save()
    results(tmp_path / "b", **fid(3.0), protocols={}).save()
    (tmp_path / "c").mkdir()
    given = {"monitor": "x/recall", "protocols": {"x/fid": "a", "x/recall": "b"}}
    results(tmp_path / "d", **given, higher_is_better=True).save()
    assert dashboard._metrics(f"{tmp_path}/*") == (["x/recall", "x/fid", "x/kid"], True)
    assert dashboard._metrics(f"{tmp_path}/a") == (["x/kid"], False)
    assert dashboard._metrics(None) == (["domain/fid", "inception/fid"], False)


@pytest.mark.parametrize(("entity", "owner"), [(None, "me"), ("you", "you")])
def test_a_view_has_the_owner_of_its_project(
    entity: str | None, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gan.loggers import workspace

    made: list[Any] = []
    view = SimpleNamespace(entity="nobody")

    def make(*given: Any) -> Any:
        made.append(given)
        return view

    monkeypatch.setattr(workspace, "view", make)
    monkeypatch.setattr(workspace, "definition", lambda view: "TEXT")
    monkeypatch.setattr("gan.loggers.login.has_key", lambda: True)
    monkeypatch.setattr(workspace, "default_entity", lambda: "me")
    monkeypatch.setattr(workspace, "save", lambda view: made.append(view.entity))
    dispatch(["dashboard", "project=gans", *[f"entity={entity}"] * (entity is not None)])
    metrics = ["domain/fid", "inception/fid"]
    assert made == [("gans", entity or "", "Ganymede", metrics, False), owner]
    assert Path("dashboard.json").read_text() == "TEXT\n"


def test_pictures_and_classes_are_shown() -> None:
    content = definition()
    kinds = {panel["viewType"]: panel["config"] for panel in panels(content)}
    assert kinds["Media Browser"]["mediaKeys"] == ["samples"]
    assert "classes" in json.dumps(kinds["Weave"])
    assert content["project"] == "gans"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["project=me/gans"], "project=me/gans: give the name of a project"),
        (["project=gans", "out=view.txt"], "a name that ends in .json"),
        (["project=gans", "runs=nowhere/*"], "no results.json with metrics there"),
        (["project=gans", "name=\N{FIRE}"], "no emoji"),
    ],
)
def test_refusals(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dispatch(["dashboard", *arguments])
    assert not Path("dashboard.json").exists()


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gan.loggers.workspace", raising=False)
    monkeypatch.delattr("gan.loggers.workspace", raising=False)
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    with pytest.raises(InputError, match=r"SOURCE\[dashboard\]"):
        dispatch(["dashboard", "project=gans"])


def test_with_a_login_it_is_published(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gan.loggers import workspace

    saved: list[str] = []

    def save(view: Any) -> str:
        saved.append(view.entity)
        return "ADDRESS"

    monkeypatch.setattr("gan.loggers.login.has_key", lambda: True)
    monkeypatch.setattr(workspace, "default_entity", lambda: "me")
    monkeypatch.setattr(workspace, "save", save)
    assert definition()["displayName"] == "Ganymede"
    assert saved == ["me"]
    assert "published: ADDRESS" in capsys.readouterr().out
    monkeypatch.setenv("WANDB_MODE", "offline")
    definition()
    assert saved == ["me"]


def test_a_server_that_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb
    from wandb_workspaces.workspaces import Workspace

    def refuse(view: Any) -> None:
        raise wandb.errors.CommError("no answer\nin 20 s")

    monkeypatch.setattr("gan.loggers.login.has_key", lambda: True)
    monkeypatch.setattr(Workspace, "save", refuse)
    with pytest.raises(InputError, match=r"^W&B: no answer in 20 s"):
        definition("entity=me")
    assert Path("dashboard.json").exists()
