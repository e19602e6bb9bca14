"""The command line of training: Hydra's flags and overrides."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from gan.errors import InputError
from gan.settings.commandline import CommandLine
from gan.settings.overrides import parse


def test_overrides_have_the_form_of_hydra() -> None:
    line = CommandLine(["model=dcgan", "run_dir=a b", "prior.dim=3", "data.a=mnist"])
    expected = ["model=dcgan", "hydra.run.dir='a b'", "++prior.dim=3", "data@data.a=mnist"]
    assert line.arguments == expected
    assert [str(o.input_line) for o in line.parsed] == expected


@pytest.mark.parametrize(
    ("given", "flags", "shows"),
    [
        ([], [], False),
        (["-m"], ["--multirun"], False),
        (["--run"], ["--run"], False),
        (["--cfg=job"], ["--cfg=job"], True),
        (["--cfg", "job", "--resolve"], ["--resolve", "--cfg=job"], True),
        (["-c", "job", "-p", "model"], ["--cfg=job", "--package=model"], True),
        (["--info=all"], ["--info=all"], True),
        (["--hydra-help"], ["--hydra-help"], True),
        (["--shell-completion"], ["--shell-completion"], True),
        (["--config-name=own"], ["--config-name=own"], False),
        (["--config-dir=."], ["--config-dir=."], False),
        (["--config-path=x", "-m"], ["--multirun", "--config-path=x"], False),
    ],
)
def test_flags_of_hydra(given: list[str], flags: list[str], shows: bool) -> None:
    line = CommandLine(given)
    assert line.hydra_flags == flags
    assert line.shows_config is shows


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--run", "-m"], "--run and -m: a run or a sweep: give one of them"),
        (["--resolve"], "--resolve: it needs --cfg job"),
        (["--package=model"], "--package: it needs --cfg job"),
        (["--confg-name=x"], "--confg-name=x: no such flag; did you mean '--config-name'?"),
        (["--cfg=most"], "ganymede train --help and --hydra-help list the flags"),
        (["--config-dir=nowhere"], "--config-dir=nowhere: there is no such folder"),
        (["seed=1,2"], "seed=1,2: several values are a sweep: add -m, or choose one"),
        (["data.a=mnist,digits"], "data.a=mnist,digits: several values are a sweep"),
        (["run_dir=a", "hydra.run.dir=b"], "hydra.run.dir: a and b: give one folder"),
        (["metrics=none"], "this setting is called metrics=[] now"),
        (["~model"], "~model: it cannot be left out"),
    ],
)
def test_wrong_lines_are_refused(given: list[str], words: str) -> None:
    with pytest.raises(InputError) as caught:
        CommandLine(["steps=1", *given])
    assert words in str(caught.value)


def test_the_same_folder_may_be_given_twice() -> None:
    CommandLine(["run_dir=a", "hydra.run.dir='a'"])


def test_values_of_a_sweep_are_taken() -> None:
    line = CommandLine(["-m", "seed=1,2", "resume=a,b"])
    assert [o.is_sweep_override() for o in line.parsed] == [True, True]


@pytest.mark.parametrize(
    ("given", "own"),
    [
        (["model=dcgan"], False),
        (["--config-dir=."], True),
        (["--config-name=own"], True),
        (["hydra.searchpath=[file://x]"], True),
        (["hydra.run.dir=x"], False),
    ],
)
def test_recipes_of_the_user_are_left_alone(given: list[str], own: bool) -> None:
    line = CommandLine(given)
    assert line.has_own_configs is own
    config = OmegaConf.create({"metrics": {"kid": {"subsets": 3}}})
    line.drop_unchosen(config)
    assert ("kid" in config.metrics) is own


@pytest.mark.parametrize("typed", [True, False])
def test_what_is_typed_or_given_beside_is_not_dropped(typed: bool) -> None:
    config = OmegaConf.create({"metrics": {"kid": {"subsets": 3}}})
    more = ["++metrics.kid.subsets=3"]
    line = CommandLine(["metrics.kid.subsets=3"] if typed else [])
    line.drop_unchosen(config, [] if typed else parse(more))
    assert "kid" in config.metrics


def test_a_value_is_found_in_any_form() -> None:
    given = ["hydra={run: {dir: a}}", "+hydra.sweep.dir=b", "name=c", "model=dcgan", "~prior.dim"]
    line = CommandLine(["-m", "seed=1,2", *given])
    keys = ("hydra.run.dir", "hydra.sweep.dir", "name", "model", "prior.dim", "seed", "steps")
    assert [line.value(key) for key in keys] == ["a", "b", "c", None, None, None, None]


def test_a_value_that_cannot_be_resolved_is_refused() -> None:
    line = CommandLine(["hydra.run.dir=${absent}"])
    with pytest.raises(InputError, match=r"^hydra\.run\.dir: .*absent.*: write the value out$"):
        line.value("hydra.run.dir")


def test_other_overrides_are_composed_under_the_same_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.yaml").write_text("steps: 7\n")
    monkeypatch.chdir(tmp_path)
    line = CommandLine(["--config-dir=.", "--config-name=own", "steps=3"])
    assert line.compose([]) == {"steps": 7}
    assert line.compose(["+seed=1"]) == {"steps": 7, "seed": 1}
    assert "hydra" in line.compose([], with_hydra=True)
