"""A resumed run starts from its stored settings and what is given now."""

import os
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

import gan
from gan.commands.main import main
from gan.errors import InputError
from gan.runs.folder import Run
from gan.runs.resume import _apply_value
from gan.settings.overrides import parse
from tests.configs import thinned

pytestmark = pytest.mark.xdist_group("resume")

MLP = ["model=mlp", "model.generator.hidden=[16]", "model.discriminator.units=[8]"]
TINY = [*MLP, "data=digits", "metrics=[]", "batch_size=8", "accelerator=cpu", "callbacks=[]"]
KEPT = [*TINY, "callbacks=[checkpoints]"]


class Shell:
    """Commands of this process and what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys, self.out, self.err = capsys, "", ""

    def train(self, *arguments: str) -> int:
        """Run training and return its exit status."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HYDRA_FULL_ERROR", "0")
            patch.setattr(sys, "argv", ["ganymede", "train", *arguments])
            status = 0
            try:
                main(["train", *arguments])
            except SystemExit as end:
                status = int(end.code or 0)
        self.out, self.err = self.capsys.readouterr()
        return status


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def stored(run: Path) -> Any:
    return OmegaConf.load(run / ".hydra" / "config.yaml")


def files(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*") if p.is_file()}


def test_nothing_is_composed_again(shell: Shell, tmp_path: Path) -> None:
    """A config of the user's own, which is gone when the run is resumed."""
    conf, run = tmp_path / "conf", tmp_path / "run"
    conf.mkdir()
    text = "defaults:\n  - train\n  - override schedule: cosine\n  - _self_\nsteps: 3\nseed: 9\n"
    (conf / "own.yaml").write_text(text)
    flags = [f"--config-dir={conf}", "--config-name=own"]
    assert shell.train(*flags, *KEPT, f"hydra.run.dir={run}") == 0
    (conf / "own.yaml").unlink()
    assert shell.train(f"resume={run}", "steps=5") == 0
    changes = [line for line in shell.out.splitlines() if line.startswith("changed:")]
    assert [line for line in changes if "instead" in line] == ["changed:     steps=5 instead of 3"]
    config = stored(run)
    assert (config.steps, config.seed) == (5, 9)
    assert config.schedule.generator._target_ == "gan.schedules.Cosine"
    assert not OmegaConf.is_interpolation(config.schedule.generator, "end")


def test_schedules_keep_their_length_or_stretch(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell.train(*KEPT, "schedule=cosine", "steps=2", f"hydra.run.dir={run}") == 0
    assert stored(run).schedule.generator.end == 2 * 8
    assert shell.train(f"resume={run}", "steps=4") == 0
    assert "schedules keep the length of 2 steps" in shell.out
    assert stored(run).schedule.generator.end == 2 * 8
    assert shell.train(f"resume={run}", "steps=6", "schedule.restretch=true") == 0
    assert stored(run).schedule.generator.end == 6 * 8
    assert shell.train(f"resume={run}", "steps=7") == 0
    assert stored(run).schedule.generator.end == 6 * 8


def test_the_interval_of_evaluations_follows_the_length(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell.train(*KEPT, "schedule=cosine", "steps=2", f"hydra.run.dir={run}") == 0
    assert stored(run).evaluation.every == 500
    own = [f"resume={run}", "steps=20000", "trainer.max_time=00:00:00:01"]
    assert shell.train(*own) == 0
    assert stored(run).evaluation.every == 1000
    assert "evaluation.every=1000 instead of 500" in shell.out
    assert "schedules keep the length of 2 steps" in shell.out
    assert "trainer=nothing" not in shell.out
    assert shell.train(*own, "evaluation.every=700", "schedule.restretch=true") == 0
    assert stored(run).evaluation.every == 700
    assert stored(run).schedule.generator.end == 20000 * 8
    assert shell.train(f"resume={run}", "steps=40000", "trainer.max_time=00:00:00:01") == 0
    assert stored(run).evaluation.every == 700


def test_a_value_given_for_a_schedule_is_not_stretched(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell.train(*KEPT, "schedule=cosine", "steps=2", f"hydra.run.dir={run}") == 0
    given = ["schedule.generator.end=999", "schedule.restretch=true"]
    assert shell.train(f"resume={run}", "steps=4", *given) == 0
    assert stored(run).schedule.generator.end == 999
    assert stored(run).schedule.discriminator.end == 4 * 8


def test_a_computed_length_that_is_whole(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell.train(*KEPT, "steps=${quotient:4,2}", f"hydra.run.dir={run}") == 0, shell.err
    assert (stored(run).steps, stored(run).data.steps) == (2, 2)


def test_a_growing_run_goes_on_for_longer(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    tiny = ["model.generator.capacity=16", "model.discriminator.capacity=16", "data=digits"]
    tiny += ["model=stylegan", "model.generator.style_dim=8", "model.generator.depth=1"]
    tiny += ["metrics=[]", "batch_size=8", "accelerator=cpu", "callbacks=[checkpoints]"]
    assert shell.train(*tiny, "steps=2", f"hydra.run.dir={run}") == 0
    before = stored(run).model.generator.growth.stable
    assert shell.train(f"resume={run}", "steps=3") == 0
    assert stored(run).model.generator.growth.stable == before


@pytest.mark.parametrize(
    "given",
    [
        ["logger=tensorboard"],
        ["accelerator=cpu_amp"],
        ["callbacks=[checkpoints,telemetry]"],
        [
            "metrics=[fid]",
            "evaluation.num_fakes=1000",
            "evaluation.every=0",
            "evaluation.split=test",
        ],
        pytest.param(["name=other"], marks=pytest.mark.slow),
        pytest.param(["doctor.patience=3"], marks=pytest.mark.slow),
        pytest.param(["trainer.detect_anomaly=true"], marks=pytest.mark.slow),
    ],
    ids=lambda given: given[0],
)
def test_what_may_change(given: list[str], shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell.train(*KEPT, "steps=1", f"hydra.run.dir={run}") == 0
    before = torch.load(run / "checkpoints" / "last.ckpt")["state_dict"]
    assert shell.train(f"resume={run}", "steps=2", *given) == 0, shell.err
    assert "changed: " in shell.out
    after = torch.load(run / "checkpoints" / "last.ckpt")["state_dict"]
    assert after.keys() == before.keys()
    overrides = Run(run).overrides
    assert {"steps=2", given[0]} <= {o.lstrip("+") for o in overrides}
    assert "model=mlp" in overrides


def test_metrics_that_stay_beside_another_backbone_are_named(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell.train(*KEPT, "steps=1", f"hydra.run.dir={run}") == 0
    stay = "metrics stay []: metrics=[high_quality,misplaced] are the backbone's own"
    assert shell.train(f"resume={run}", "steps=2", "backbone=plane") == 0, shell.err
    assert stay in shell.out
    assert shell.train(f"resume={run}", "steps=3", "backbone=plane") == 0, shell.err
    assert "metrics stay" not in shell.out  # it is the same backbone as before


@pytest.mark.parametrize(
    "given",
    thinned(
        [
            *("loss=hinge", "batch_size=16", "seed=1", "optimizer=sgd", "augment=diffaugment"),
            *("n_critic=2", "size=tiny"),
        ],
        keep=3,
    ),
)
def test_another_setting_of_a_finished_run_changes_nothing(
    given: str, shell: Shell, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    start = [*KEPT, "steps=1", f"hydra.run.dir={run}", "resume=auto"]
    assert shell.train(*start) == 0
    before = files(run)
    assert shell.train(*start) == 0
    assert "is finished already" in shell.out
    assert shell.train(*start, given) == 2
    assert "was another run" in shell.err
    assert files(run) == before


@pytest.mark.parametrize(
    "spelling",
    [
        "hydra.run.dir={run}",
        "hydra.run.dir='{run}'",
        "++hydra.run.dir={run}",
        "run_dir={run}",
        "hydra={{run: {{dir: {run}}}}}",
        "hydra.run={{dir: {run}}}",
        "hydra.run.dir=${{oc.env:RUN_OF_ANOTHER}}",
        "hydra.run.dir={run}/",
        "hydra.run.dir={run}/../run",
        "hydra.run.dir=run",
        "hydra.run.dir=link",
    ],
)
@pytest.mark.parametrize("left", ["settings", "checkpoints"])
def test_no_run_starts_in_the_folder_of_another(
    spelling: str, left: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    place = {"settings": ".hydra/config.yaml", "checkpoints": "checkpoints/last.ckpt"}[left]
    (run / place).parent.mkdir(parents=True)
    (run / place).write_text("of another")
    (tmp_path / "link").symlink_to(run)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUN_OF_ANOTHER", str(run))
    assert shell.train(*TINY, "steps=1", spelling.format(run=run)) == 2
    assert "holds a run already" in shell.err
    assert files(run) == {place: b"of another"}


NAMES = ["lr=1e-4", "a b", "[a]", "a,b", "é中", "it's", "(a)", "a:b", "{a}", "a\\b"]


@pytest.mark.parametrize(("name", "quotes"), thinned(product(NAMES, [False, True]), keep=5))
def test_any_path(name: str, quotes: bool, shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / name
    written = str(run).replace("'", "\\'")
    given = f"'{written}'" if quotes else str(run)
    assert shell.train(*KEPT, "steps=1", f"hydra.run.dir={given}") == 0, shell.err
    assert shell.train(f"resume={given}", "steps=2") == 0, shell.err
    assert (run / "results.json").exists()


def test_paths_of_data_and_cache(shell: Shell, tmp_path: Path) -> None:
    from PIL import Image

    root = tmp_path / "a=b, [é] {c}"
    root.mkdir()
    for k in range(24):
        Image.new("RGB", (16, 16), (k, k, k)).save(root / f"{k:02}.png")
    run, data = tmp_path / "run", ["data=image_folder", "data.resolution=16", f"data.root={root}"]
    place = [f"hydra.run.dir={run}", f"cache_dir={root}/cache"]
    assert shell.train(*KEPT, *data, "steps=1", *place) == 0, shell.err
    assert stored(run).data.root == str(root)
    moved = root.rename(tmp_path / "moved=1")
    assert shell.train(f"resume={run}", "steps=2") == 2
    assert "data.root" in shell.err
    assert shell.train(f"resume={run}", "steps=2", f"data.root={moved}") == 0, shell.err
    Image.new("RGB", (16, 16), (99, 9, 9)).save(moved / "00.png")
    before = files(run)
    assert shell.train(f"resume={run}", "steps=3") == 2
    assert "have changed since" in shell.err
    assert files(run) == before
    assert shell.train(f"resume={run}", "steps=3", "data.changed=accept") == 0, shell.err


def test_decoded_images_in_a_cache(shell: Shell, tmp_path: Path) -> None:
    """Training from the cache is the same, resumed or not, and the place is not that of the run."""
    from PIL import Image

    for k in range(24):
        (tmp_path / "set").mkdir(exist_ok=True)
        Image.effect_noise((16, 16), 90).save(tmp_path / "set" / f"{k:02}.png")
    data = ["data=image_folder", f"data.root={tmp_path / 'set'}", "data.resolution=16"]
    data += ["data.memory_limit=0", "data.flip=true", "data.workers=0"]
    own = [f"cache_dir={tmp_path / 'own'}"]

    def train(name: str, *given: str) -> tuple[dict[str, torch.Tensor], str]:
        run = tmp_path / name
        place = [f"hydra.run.dir={run}", *data] if not run.exists() else [f"resume={run}"]
        assert shell.train(*(KEPT if not run.exists() else []), *place, *given, *own) == 0, (
            shell.err
        )
        content = torch.load(run / "checkpoints" / "last.ckpt")
        return content["state_dict"], content["data_identity"]

    other = f"data.cache={tmp_path / 'a,b=c'}"
    plain, identity = train("plain", "steps=4", "data.cache=null")
    train("resumed", "steps=2", other)
    assert list((tmp_path / "a,b=c" / "images").glob("set-16-*.npy"))
    assert not (tmp_path / "own" / "images").exists()
    assert train("resumed", "steps=3", other)[1] == identity
    assert not (tmp_path / "own" / "images").exists()
    cached, _ = train("resumed", "steps=4")
    assert list((tmp_path / "own" / "images").glob("set-16-*.npy"))
    assert cached.keys() == plain.keys()
    assert all(value.equal(cached[key]) for key, value in plain.items())


def test_an_unwritable_cache_is_named_at_the_start(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    given = [f"hydra.run.dir={tmp_path / 'run'}", f"cache_dir={tmp_path / 'file' / 'cache'}"]
    tiny = [argument for argument in TINY if argument != "metrics=[]"]
    assert shell.train(*tiny, "steps=1", *given) == 2
    assert "give another by cache_dir=DIR" in shell.err
    assert not (tmp_path / "run").exists()


def test_no_home(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("GANYMEDE_CACHE", raising=False)
    assert shell.train(*KEPT, "steps=1", f"hydra.run.dir={tmp_path / 'run'}") == 2
    assert "give cache_dir=DIR" in shell.err
    place = [f"hydra.run.dir={tmp_path / 'run'}", f"cache_dir={tmp_path / 'cache'}"]
    assert shell.train(*KEPT, "steps=1", *place) == 0
    assert "HOME" not in os.environ


def test_no_run_starts_inside_another(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell.train(*KEPT, "steps=1", f"hydra.run.dir={run}") == 0
    before = files(run)
    assert shell.train(*TINY, "steps=1", f"hydra.run.dir={run}/checkpoints/more") == 2
    assert "is inside the run" in shell.err
    assert files(run) == before


def test_a_run_of_a_version_without_sizes(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell.train(*KEPT, "steps=1", f"hydra.run.dir={run}") == 0
    config, path = stored(run), run / "checkpoints" / "last.ckpt"
    assert config.pop("size") == "paper"
    OmegaConf.save(config, run / ".hydra" / "config.yaml")
    content = torch.load(path)
    assert content["identity"].pop("size") == "paper"
    torch.save(content, path)
    assert gan.load(run).sample(2).shape == (2, 1, 16, 16)
    assert shell.train(f"resume={run}", "size=small", "steps=2") == 2
    assert "was another run: size=small instead of paper" in shell.err
    assert shell.train(f"resume={run}", "steps=2") == 0, shell.err
    assert stored(run).size == "paper"


def test_the_size_of_a_run_is_stored(shell: Shell, tmp_path: Path) -> None:
    run, kept = tmp_path / "run", [o for o in KEPT if not o.startswith("model.")]
    assert shell.train(*kept, "size=tiny", "steps=1", f"hydra.run.dir={run}") == 0
    assert (stored(run).size, stored(run).model.generator.hidden) == ("tiny", [128, 256])
    assert shell.train(f"resume={run}", "steps=2") == 0, shell.err
    state = gan.load(run).state_dict()
    assert state["generator.layers.0.weight"].shape[0] == 128


def test_a_run_of_a_machine_with_more_cores(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell.train(*KEPT, "steps=1", f"hydra.run.dir={run}") == 0, shell.err
    settings = stored(run)
    settings.accelerator.devices = 999_999
    settings.accelerator.strategy = {"_target_": "gan.algorithms.strategy.PlayerwiseDDP"}
    OmegaConf.save(settings, run / ".hydra" / "config.yaml")
    assert gan.load(run).sample(2).shape[0] == 2
    assert shell.train(f"resume={run}", "steps=2") == 2
    assert "accelerator.devices=999999: this machine has" in shell.err
    assert shell.train(f"resume={run}", "steps=2", "accelerator=auto") == 0, shell.err


def test_a_value_is_removed_where_it_is() -> None:
    config = OmegaConf.create({"trainer": {"max_time": "1h", "profiler": "simple"}, "name": "a"})
    for text in ("~trainer.max_time", "~name"):
        _apply_value(config, *parse([text]))
    assert config == {"trainer": {"profiler": "simple"}}
    with pytest.raises(InputError, match=r"~trainer\.depth: the run has no trainer\.depth"):
        _apply_value(config, *parse(["~trainer.depth"]))
