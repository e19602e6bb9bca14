"""Settings as a run stores them."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan.errors import InputError
from gan.settings import composing, resolvers, stored

NODES: dict[str, Any] = {"model": {"width": 4}, "data": {"name": "a"}, "metrics": {}}


def revived(folder: Path, **given: Any) -> Any:
    """Return the settings of a folder from their content."""
    return stored.revive(folder / "config.yaml", folder, {**NODES, **given}, "/cache")


def hydra(folder: Path, **contents: Any) -> Path:
    """Write the files of the settings of a run."""
    (folder / ".hydra").mkdir(exist_ok=True)
    for name, content in {"config": NODES, "overrides": [], **contents}.items():
        OmegaConf.save(OmegaConf.create(content), folder / ".hydra" / f"{name}.yaml")
    return folder


def test_computed_values_are_replaced_and_references_stay() -> None:
    config = OmegaConf.create(
        {
            **{"steps": 5, "batch_size": 4, "lengths": ["${product:${steps},2}", 1]},
            **{"end": "${product:${steps},${batch_size}}", "half": "${quotient:${batch_size},8}"},
            **{"most": "${largest:${steps},9}", "alias": "${steps}", "text": "a"},
        }
    )
    found = stored.resolve(config)
    assert OmegaConf.to_container(config) == {
        **{"steps": 5, "batch_size": 4, "lengths": [10, 1], "end": 20, "half": 0.5, "most": 9},
        **{"alias": "${steps}", "text": "a"},
    }
    assert found == {
        "lengths[0]": "${product:${steps},2}",
        "end": "${product:${steps},${batch_size}}",
    }


def test_settings_are_written_and_read(tmp_path: Path) -> None:
    config = OmegaConf.create({**NODES, "steps": 3, "end": "${product:${steps},2}"})
    before = {"b.c": "${quotient:${steps},3}"}
    stored.save(tmp_path, config, ["steps=3", "model=mlp"], before, {"model": "mlp"})
    found, expressions = stored.load(tmp_path, "/cache")
    assert (found.end, found.steps, found.cache_dir) == (6, 3, "/cache")
    assert expressions == {**before, "end": "${product:${steps},2}"}
    assert stored.arguments(tmp_path) == ["steps=3", "model=mlp"]
    assert stored.choices(tmp_path) == {"model": "mlp"}
    assert {path.name for path in (tmp_path / ".hydra").iterdir()} == {*stored.FILES}


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "run" / ".hydra").symlink_to(tmp_path / "other")
    with pytest.raises(InputError, match="is a link out of"):
        stored.save(tmp_path / "run", OmegaConf.create(NODES), [])
    assert list((tmp_path / "other").iterdir()) == []


def test_place_and_trust_are_never_taken_from_the_folder(tmp_path: Path) -> None:
    given = {"run_dir": "x", "cache_dir": "y", "allow_targets": ["os"], "resume": "z", "hydra": {}}
    found = revived(tmp_path, **given, seed=3)
    kept = (found.run_dir, found.cache_dir, found.allow_targets, found.resume, found.seed)
    assert kept == (str(tmp_path), "/cache", [], None, 3)
    assert "hydra" not in found
    assert found.trainer == {}
    assert revived(tmp_path, trainer={"max_time": 1}).trainer == {"max_time": 1}


@pytest.mark.parametrize("content", [None, [1], {"model": {}, "data": {}}, "text"])
def test_what_is_no_config_of_a_run(content: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="x is no config of a run: name the folder of one"):
        stored.revive(Path("x"), tmp_path, content, "/cache")


@pytest.mark.parametrize(
    ("cache", "expected"),
    [(None, None), ("/cache", "/cache"), ("${cache_dir}", "/cache"), ("/elsewhere", "/cache")],
)
@pytest.mark.parametrize("place", ["data", "data.a", "data.b"])
def test_decoded_images_are_kept_where_caches_are(
    cache: str | None, expected: str | None, place: str, tmp_path: Path
) -> None:
    content = OmegaConf.create(NODES)
    OmegaConf.update(content, f"{place}.cache", cache, force_add=True)
    found = revived(tmp_path, **OmegaConf.to_container(content))  # type: ignore[arg-type]
    assert OmegaConf.select(found, f"{place}.cache") == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"a": "${oc.env:HOME}"}, "a computes oc.env: write its value there"),
        ({"a": {"b": ["x ${now:%H}"]}}, "a.b[0] computes now: write its value there"),
        ({"steps": 3, "a": "${product:${oc.env:A},2}"}, "a computes oc.env"),
        ({"a": "${absent}"}, "a value refers to a setting that is not there"),
        ({"callbacks": {"a": {"folder": "/x"}}}, "callbacks.a.folder=/x is outside the run folder"),
        ({"logger": {"a": {"save_dir": "x"}}}, "logger.a.save_dir=x is outside the run folder"),
        ({"doctor": {"journal": "${run_dir}/../x"}}, "/../x is outside the run folder: remove it"),
        ({"backbone": {"cache": "/x"}}, "backbone.cache=/x is not the cache_dir of this user"),
        ({"evaluation": {"a": {"cache": None}}}, "evaluation.a.cache=None is not the cache_dir"),
    ],
)
def test_settings_that_would_read_or_write_elsewhere(
    given: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        revived(tmp_path, **given)
    assert words in str(caught.value)


def test_settings_that_write_inside(tmp_path: Path) -> None:
    found = revived(
        tmp_path,
        callbacks={"a": {"folder": "${run_dir}/samples", "journal": None, "path": "/x"}},
        doctor={"folder": "${run_dir}"},
        logger=None,
        backbone={"cache": "${cache_dir}", "folder": "/x"},
        evaluation={"cache": "/cache"},
        end="${product:2,${quotient:4,2}}",
        size="tiny",
        width="${by_size:3,2,1}",
        most="${largest:1,2}",
        picked="${oc.select:absent,3}",
    )
    assert (found.end, found.width, found.most, found.picked) == (4, 1, 2, 3)


def test_expressions_of_lengths_alone(tmp_path: Path) -> None:
    hydra(tmp_path, expressions={"expressions": {"a": "${product:${steps},2}", "b": "${now:x}"}})
    assert stored._expressions(tmp_path) == {"a": "${product:${steps},2}"}
    (tmp_path / ".hydra" / "expressions.yaml").unlink()
    assert stored._expressions(tmp_path) == {}


@pytest.mark.parametrize("content", [[1], {"expressions": [1]}, {}])
def test_damaged_expressions_are_refused(content: Any, tmp_path: Path) -> None:
    hydra(tmp_path, expressions=content)
    with pytest.raises(InputError, match="holds no expressions: copy it again, or remove it"):
        stored._expressions(tmp_path)


def test_a_command_line_that_is_none_is_refused(tmp_path: Path) -> None:
    hydra(tmp_path, overrides={"a": 1})
    with pytest.raises(InputError, match=r"overrides\.yaml is no list: copy it again"):
        stored.arguments(tmp_path)
    hydra(tmp_path, overrides=["metrics.every=3", "seed=1"])
    assert stored.arguments(tmp_path) == ["evaluation.every=3", "seed=1"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${product:2,3,4}", 24),
        ("${quotient:3,2}", 1.5),
        ("${largest:2,5,3}", 5),
        ("${job_folder:'b=1&a=2'}", "a-2+b-1"),
        ("${by_size:1,2,3}", 2),
    ],
)
def test_resolvers(text: str, value: Any) -> None:
    resolvers.register()
    assert OmegaConf.create({"size": "small", "a": text}).a == value


def test_a_size_that_is_none_is_refused() -> None:
    config = OmegaConf.create({"size": "big"})
    with pytest.raises(InputError, match="size=big: give one of paper, small, tiny"):
        resolvers.by_size(1, 2, 3, _root_=config)


def test_resolvers_of_this_machine_and_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolvers, "workers", lambda: 3)
    monkeypatch.setattr(resolvers, "preferred_precision", lambda: "32-true")
    monkeypatch.setattr(resolvers, "start_time", lambda pattern: f"now {pattern}")
    monkeypatch.setattr(resolvers, "run_start", lambda: (1.0, "beef"))
    monkeypatch.setattr(resolvers, "cache_folder", lambda: Path("/cache"))
    resolvers.register()
    texts = ["${workers:}", "${preferred_precision:}", "${began:%H}", "${unique:}"]
    try:
        found = [*OmegaConf.create([*texts, "${cache_folder:}"])]
    finally:
        monkeypatch.undo()
        resolvers.register()
    assert found == [3, "32-true", "now %H", "beef", "/cache"]


def test_long_names_of_jobs_end_in_a_hash() -> None:
    assert resolvers.job_folder(f"a={'x' * 178}") == f"a-{'x' * 178}"
    cut = resolvers.job_folder(f"a={'x' * 179}")
    assert cut.startswith(f"a-{'x' * 178}-")
    assert len(cut) == 180 + 1 + 8


def test_configs_are_found_in_further_folders(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "extra").mkdir(parents=True)
    (tmp_path / "one" / "extra" / "a.yaml").write_text("x: 1\n")
    (tmp_path / "two" / "extra" / "a.yaml").write_text("x: 2\n")
    (tmp_path / "two" / "own.yaml").write_text("defaults: [extra: a, _self_]\nloss: {a: 3}\n")
    folders = [str(tmp_path / "one"), str(tmp_path / "two")]
    found = composing.compose(["+loss.b=4"], "own", folders)
    assert found == {"extra": {"x": 2}, "loss": {"a": 3, "b": 4}}
    # the folder of the primary config comes first, then that of the project
    added = composing.compose(["+extra=a", "run_dir=x", "cache_dir=x"], "train", folders)
    assert added.extra.x == 1
    assert "hydra" in composing.compose(["+extra=a"], "train", folders, with_hydra=True)


def test_composing_leaves_a_run_of_hydra_as_it_was() -> None:
    from hydra.core.global_hydra import GlobalHydra

    before: Any = object()
    instance = GlobalHydra.instance()
    kept, instance.hydra = instance.hydra, before
    try:
        composing.compose(["run_dir=x"])
        assert GlobalHydra.instance().hydra is before
    finally:
        GlobalHydra.instance().hydra = kept
