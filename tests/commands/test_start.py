"""How a command line becomes a training run: composed, resumed, stored, or refused."""

import os
import runpy
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from gan import __version__
from gan.commands import main as commands
from gan.commands import train
from gan.commands.main import _unquoted
from gan.commands.train import Start, Task
from gan.errors import InputError
from gan.runs.cleanup import Cleanup
from gan.runs.resume import AUTO
from gan.settings import stored
from gan.settings.groups import CONF
from gan.settings.overrides import parse
from gan.sweeps import job
from tests.configs import ROOT


def line(*given: str, **values: Any) -> Any:
    """Return a stand-in of a command line with parsed overrides and values of keys."""
    return SimpleNamespace(
        parsed=list(parse(given)),
        value=values.get,
        flags=SimpleNamespace(multirun=values.get("multirun", False)),
        shows_config=values.get("shows_config", False),
        hydra_flags=["--flag"],
        arguments=[*given],
    )


@pytest.mark.parametrize("metrics", [{}, {"fid": 1}])
def test_the_cache_is_checked_where_there_are_metrics(
    metrics: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Path] = []
    trained: list[Any] = []

    def run(*given: Any) -> Any:
        trained.append(given)
        return SimpleNamespace(score=1.5)

    monkeypatch.setattr(train, "check_writable", checked.append)
    monkeypatch.setattr("gan.runs.training.train", run)
    config: Any = SimpleNamespace(metrics=metrics, cache_dir="CACHE")
    assert train._train(config, "RESUMED") == 1.5  # type: ignore[arg-type]
    assert checked == [Path("CACHE")] * len(metrics)
    assert trained == [(config, "RESUMED")]


def test_frozen_layers_need_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def opened(*given: Any) -> Any:
        asked.append(given)
        return SimpleNamespace(checkpoint=lambda *names: asked.append(names))

    monkeypatch.setattr(train, "open_run", opened)

    def config(init: str | None, layers: int) -> Any:
        node = {"init": init, "allow_targets": ["mine"], "freeze": {"discriminator": layers}}
        return OmegaConf.create(node)

    train._check_source(config(None, 0))
    assert asked == []
    with pytest.raises(InputError, match=r"freeze\.discriminator=2"):
        train._check_source(config(None, 2))
    train._check_source(config("RUN", 2))
    assert asked[0] == ("RUN", ["mine"])
    assert "best" in asked[1]


def test_options_of_groups_in_what_hydra_composed(monkeypatch: pytest.MonkeyPatch) -> None:
    choices = {"model": "dcgan", "data@data.a": "digits", "experiment": None, "hydra/output": "x"}
    found = SimpleNamespace(runtime=SimpleNamespace(choices=choices))
    monkeypatch.setattr(HydraConfig, "get", lambda: found)
    assert train._composed_choices() == {"model": "dcgan", "data.a": "digits"}


def test_settings_that_are_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[Any] = []
    monkeypatch.setattr(stored, "save", lambda *given: saved.append(given))
    monkeypatch.setattr(train, "make_root_absolute", lambda config: saved.append(config))
    given = ["loss=hinge", "steps=5", "resume=auto", "allow_targets=[mine]", "hydra.run.dir=x"]
    start = Start(tmp_path, line(*given), Cleanup(None))
    before = ["steps=3", "seed=7", "schedule.restretch=true"]
    start._store("CONFIG", before, {"a": "b"}, {"loss": "wgan", "data": "digits"})  # type: ignore[arg-type]
    assert start.cleanup.owned
    assert saved[0] == "CONFIG"
    folder, config, overrides, expressions, choices = saved[1]
    assert (folder, config, expressions) == (tmp_path, "CONFIG", {"a": "b"})
    assert sorted(overrides) == ["loss=hinge", "seed=7", "steps=5"]
    assert choices["data"] == "digits"
    assert choices["loss"] == "hinge"


@pytest.mark.parametrize("stopped", [None, "no better value"])
def test_how_a_finished_run_ended(stopped: str | None, tmp_path: Path) -> None:
    start = Start(tmp_path, line(), Cleanup(None))
    told = start._early(SimpleNamespace(stopped=stopped, steps=9))  # type: ignore[arg-type]
    remedy = f" at step 9: {stopped}: resume={tmp_path} stop.patience=null goes on"
    assert told == ("" if stopped is None else remedy)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let no run start; return which way each would start."""
    taken: list[Any] = []
    for name in ("resolvers", "schema", "tpe"):
        monkeypatch.setattr(getattr(train, name), "register", lambda name=name: taken.append(name))
    monkeypatch.setattr(train, "write_leaderboard", nullcontext)
    monkeypatch.setattr(train, "check_sweep", lambda line: taken.append("sweep"))
    monkeypatch.setattr(train, "_run_hydra", lambda program, *_: taken.append(("hydra", program)))
    monkeypatch.setattr(Start, "resume", lambda self: taken.append(("resume", self.folder)))
    return taken


@pytest.mark.parametrize(
    ("given", "way"),
    [
        ({}, "hydra"),
        ({"resume": AUTO}, "hydra"),
        ({"resume": "RUN"}, "resume"),
        ({"resume": "RUN", "shows_config": True}, "hydra"),
        ({"multirun": True}, "hydra"),
    ],
)
def test_a_run_is_composed_or_resumed(
    given: dict[str, Any], way: str, ways: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "CommandLine", lambda arguments: line(**given))
    train._run(["PROGRAM"], [])
    assert ways[:3] == ["resolvers", "schema", "tpe"]
    assert ("sweep" in ways) == given.get("multirun", False)
    assert ways[-1] == {"hydra": ("hydra", ["PROGRAM"]), "resume": ("resume", Path("RUN"))}[way]


@pytest.mark.parametrize(
    ("argv", "given", "program"),
    [
        (["train.py", "a=1", "b=2"], ["a=1", "b=2"], ["train.py"]),
        (["ganymede", "train", "a=1"], ["a=1", "--debug"], ["ganymede"]),
        (["x"], ["a=1"], ["ganymede"]),
    ],
)
def test_the_program_is_what_stands_before_the_arguments(
    argv: list[str], given: list[str], program: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(train, "_run", lambda *found: started.append(found))
    train.main(given)
    assert started == [(program, [argument for argument in given if argument != "--debug"])]


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("error", [None, RuntimeError("no"), InputError("told")])
def test_what_hydra_cannot_compose_is_one_line(
    started: bool, error: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def hydra_main(**given: Any) -> Any:
        def decorate(task: Task) -> Any:
            def run() -> None:
                seen.append((given, task.command, [*sys.argv], os.environ["HYDRA_FULL_ERROR"]))
                assert not task.started
                task.started = started
                if error is not None:
                    raise error

            return run

        return decorate

    monkeypatch.setattr(hydra, "main", hydra_main)
    monkeypatch.setattr(sys, "argv", ["BEFORE"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    caught: Exception | None = None
    try:
        train._run_hydra(["PROGRAM", "train"], line("a=1"), Cleanup(None))
    except Exception as raised:
        caught = raised
    unexplained = isinstance(error, RuntimeError) and not started
    assert isinstance(caught, InputError) if unexplained else caught is error
    assert sys.argv == ["BEFORE"]
    ((given, command, argv, full),) = seen
    assert given == {"config_path": str(CONF), "config_name": "train", "version_base": "1.3"}
    assert command == ["PROGRAM", "train", "--flag", "a=1"]
    assert (argv, full) == (["PROGRAM", "--flag", "a=1"], "1")


@pytest.mark.parametrize("mode", [RunMode.RUN, RunMode.MULTIRUN])
def test_a_job_of_a_sweep_trains_in_its_own_process(
    mode: RunMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = SimpleNamespace(output_dir=str(tmp_path))
    found = SimpleNamespace(mode=mode, runtime=runtime)
    monkeypatch.setattr(HydraConfig, "get", lambda: found)
    monkeypatch.setattr(job, "run", lambda config: ("job", config))
    monkeypatch.setattr(Start, "begin", lambda self, config: (self.folder, config))
    monkeypatch.setattr(sys, "argv", ["BEFORE"])
    cleanup = Cleanup(None)
    task = Task(line(), ["COMMAND"], cleanup)
    assert not task.started
    done: Any = task("CONFIG")  # type: ignore[arg-type]
    assert task.started
    if mode == RunMode.MULTIRUN:
        assert (done, sys.argv, cleanup.folder) == (("job", "CONFIG"), ["BEFORE"], None)
    else:
        assert (done, sys.argv, cleanup.folder) == ((tmp_path, "CONFIG"), ["COMMAND"], tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'", "'"),
        ('"', '"'),
        ("''", ""),
        ("'a'", "a"),
        ('"a"', "a"),
        ("'a\"", "'a\""),
        ("aba", "aba"),
        ("null", None),
        ("'null'", "null"),
    ],
)
def test_quotes_around_a_text(text: str, expected: str | None) -> None:
    assert _unquoted(text) == expected


@pytest.mark.parametrize("policy", [None, "ACTIVE"])
def test_the_process_of_a_command(
    policy: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deferred: list[bool] = []
    monkeypatch.setattr(commands, "defer_torchmetrics", lambda: deferred.append(True))
    monkeypatch.setenv("OMP_WAIT_POLICY", policy or "x")
    if policy is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(sys, "argv", ["--debug", "--version", "--debug"])
    commands.main()
    assert capsys.readouterr().out == f"ganymede {__version__}\n"
    assert sys.argv == ["--debug", "--version"]
    assert deferred == [True]
    assert os.environ["OMP_WAIT_POLICY"] == (policy or "PASSIVE")
    commands.main(["--version", "--debug"])
    assert capsys.readouterr().out == f"ganymede {__version__}\n"


@pytest.mark.parametrize("known", [True, False])
def test_the_package_run_by_its_path_is_found(
    known: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [place for place in sys.path if Path(place).resolve() != ROOT.resolve()]
    root = [str(ROOT.resolve())] if known else []
    monkeypatch.setattr(sys, "path", ["FIRST", *root, *others])
    monkeypatch.setattr(sys, "argv", ["gan", "--version"])
    runpy.run_path(str(ROOT.resolve() / "gan" / "__main__.py"), run_name="other")
    assert capsys.readouterr().out == ""
    assert sys.path == [str(ROOT.resolve()), *others]
    monkeypatch.setattr(sys, "path", ["FIRST", *root, *others])
    runpy.run_path(str(ROOT.resolve() / "gan" / "__main__.py"), run_name="__main__")
    assert capsys.readouterr().out == f"ganymede {__version__}\n"
