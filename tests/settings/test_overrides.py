"""Overrides: paths in quotes, their form for Hydra, and those that are refused."""

import os

import pytest

from gan.errors import InputError
from gan.settings.overrides import PATHS, check, chosen, hydra_form, key_of, parse, quote, typed


@pytest.mark.parametrize("key", PATHS)
def test_any_character_of_a_path_is_kept(key: str) -> None:
    (override,) = parse([hydra_form(quote(f"{key}=/a,b=c (d) [e]"))])
    assert (override.value(), key_of(override)) == ("/a,b=c (d) [e]", key)
    assert not override.is_sweep_override()


@pytest.mark.parametrize(
    ("given", "sweep", "expected"),
    [
        ("resume=a,b", False, "resume='a,b'"),
        ("resume=a,b", True, "resume=a,b"),
        ("resume=a b", True, "resume='a b'"),
        ("++data.root=a", False, "++data.root='a'"),
        ("resume='a b'", False, "resume='a b'"),
        ('resume="a b"', False, 'resume="a b"'),
        ("resume='a", False, "resume='\\'a'"),
        ("resume=it's", False, "resume='it\\'s'"),
        ("resume=a\\", False, "resume='a\\\\'"),
        ("resume=a\\b", False, "resume='a\\b'"),
        ("resume=a\\'b", False, "resume='a\\\\\\'b'"),
        ("resume=${oc.env:A}", False, "resume=${oc.env:A}"),
        ("resume=null", False, "resume=null"),
        ("resume=", False, "resume="),
        ("resume", False, "resume"),
        ("~resume", False, "~resume"),
        ("name=a b", False, "name=a b"),
    ],
)
def test_quotes(given: str, sweep: bool, expected: str) -> None:
    assert quote(given, sweep) == expected


def test_a_path_in_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert quote("init=~/runs/a") == "init='/home/me/runs/a'"
    assert os.path.expanduser("~") == "/home/me"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("data.a=mnist", "data@data.a=mnist"),
        ("+data.b=mnist", "data@data.b=mnist"),
        ("data.a.root=x", "++data.a.root=x"),
        ("data.a", "data.a"),
        ("prior.dim=3", "++prior.dim=3"),
        ("+prior.dim=3", "+prior.dim=3"),
        ("~prior.dim", "~prior.dim"),
        ("prior.dim", "prior.dim"),
        ("steps=3", "steps=3"),
        ("hydra.run.dir=a", "hydra.run.dir=a"),
        ("hydrant.dir=a", "++hydrant.dir=a"),
        ("data@data.a=mnist", "data@data.a=mnist"),
        ("hydra/launcher.x=basic", "hydra/launcher.x=basic"),
    ],
)
def test_the_form_of_hydra(given: str, expected: str) -> None:
    assert hydra_form(given) == expected


@pytest.mark.parametrize(
    ("given", "key", "text"),
    [
        ("data@data.a=mnist", "data.a", "data.a=mnist"),
        ("loss=hinge", "loss", "loss=hinge"),
        ("++prior.dim=3", "prior.dim", "++prior.dim=3"),
        ("~prior.dim", "prior.dim", "~prior.dim"),
    ],
)
def test_keys_and_texts(given: str, key: str, text: str) -> None:
    (override,) = parse([given])
    assert (key_of(override), typed(override)) == (key, text)


@pytest.mark.parametrize("given", ["steps", "=3", "", "prior.dim"])
def test_a_setting_without_a_value_is_refused(given: str) -> None:
    with pytest.raises(InputError, match="^" + given + ": give a setting with its value"):
        list(parse([given]))


@pytest.mark.parametrize("given", ["name=a b(", "name=[a", "name={a"])
def test_what_the_grammar_cannot_read_is_refused(given: str) -> None:
    with pytest.raises(InputError, match=r"cannot be read: put it in quotes, \"name='\.\.\.'\""):
        list(parse([given]))


def test_a_removed_setting_has_no_value() -> None:
    (override,) = parse(["~prior.dim"])
    assert override.is_delete()


def test_chosen_options() -> None:
    given = ["model=dcgan", "data@data.a='mnist'", "steps=3", "metrics=[fid]", "loss=a,b"]
    assert chosen(given) == {"model": "dcgan", "data.a": "mnist"}


@pytest.mark.parametrize(
    "given",
    [
        *("loss=hinge", "loss='hinge'", "loss=hinge,wgan", "metrics=[fid,'kid']", "metrics=[]"),
        *("experiment=null", "sweep=null", "experiment=[ring,grid]", "~experiment", "~sweep"),
        *("~prior.dim", "~hydra.callbacks.sweep", "data.root=null", "data.root=a", "name=''"),
        *("hydra={run: {dir: a}}", "hydra.callbacks.own={_target_: a.B}", "hydra.run.dir=a"),
        *("hydra.callbacks.own.key=3", "hydra.launcher.n_jobs=2", "hydra.job._target_=a"),
        "data@data.a=mnist",
    ],
)
def test_what_hydra_takes_is_left_alone(given: str) -> None:
    check(parse([given]))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("~loss", "~loss: it cannot be left out: give another value, loss=..."),
        ("~steps", "~steps: it cannot be left out"),
        ("data.root=''", "data.root is empty: give a path, or leave it out"),
        ("hydra=3", "hydra=3: give its keys, hydra.KEY=VALUE"),
        ("hydra.launcher._target_=a", "it is chosen by hydra/launcher=NAME: leave it out"),
        ("hydra.sweeper._target_=a", "it is chosen by hydra/sweeper=NAME: leave it out"),
        ("hydra.callbacks.own=3", "give a mapping, {_target_: CLASS}"),
        ("loss=null", "loss=null: choose one of "),
        ("loss=3", "loss=3: choose one of "),
        ("data@data.a=3", "data.a=3: choose one of "),
        ("metrics=null", "metrics=null: give a list, metrics=[] for none"),
        ("metrics=3", "metrics=3: give a list, metrics=[] for none"),
        ("loss=[hinge]", "loss takes one option, not a list: "),
        ("metrics=[3]", "metrics=[3]: give a plain list of "),
        ("metrics=[{a: 1}]", ": give a plain list of "),
        ("metrics=[fid,fid]", "metrics=[fid,fid]: an option is there twice"),
        ("experiment=[ring,'ring']", "an option is there twice"),
        ("experiment=3", "experiment=3: choose one of "),
    ],
)
def test_what_hydra_would_misread_is_refused(given: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        check(parse(["steps=1", "~prior.dim", given]))
    assert words in str(caught.value)
