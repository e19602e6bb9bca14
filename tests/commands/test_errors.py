from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from gan.commands.exits import report_errors
from gan.commands.main import dispatch
from gan.commands.train import train
from gan.errors import InputError
from gan.settings.errors import explain
from tests.conftest import Compose, composing

TINY = ["model.generator.width=4", "model.discriminator.width=4"]
BLIND = "data=synthetic data.num_classes=0"


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    with composing(tmp_path_factory.mktemp("errors")) as composed:
        yield composed


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, compose: Compose) -> Path:
    """Return the folder of a finished run of two steps."""
    folder = tmp_path_factory.mktemp("finished")
    train(compose(*TINY, f"run_dir={folder}"))
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, compose: Compose) -> Path:
    """Return the folder of a run of one step that knows ten classes."""
    folder = tmp_path_factory.mktemp("labelled")
    train(compose(*TINY, "conditioning=projection", "steps=1", f"run_dir={folder}"))
    return folder


def line(command: Callable[[], object]) -> str:
    """Return the one line that explains why ``command`` fails."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        command()
    explained = explain(caught.value)
    assert explained is not None, repr(caught.value)
    assert "\n" not in explained
    assert len(explained) < 250
    return explained


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        # names
        ("stpes=5", "stpes: did you mean 'steps'"),
        ("model.generator.widht=4", "model.generator.widht did you mean 'width'"),
        ("loss.margin=2", "loss.margin: no such setting known are label_smoothing"),
        ("loss=hinge loss.margin=2", "loss.margin: no such setting there are none"),
        ("hydra.run.dri=here", "hydra.run.dri did you mean 'dir'"),
        ("loss=hing", "loss=hing no such option did you mean 'hinge'"),
        ("regularizers=[gradient_penaltie]", "did you mean 'gradient_penalty'"),
        ("regularizers=[dropout]", "known are dragan, gradient_penalty, lecam, r1, r2"),
        ("regularizers.r1.gamma=1", "regularizers.r1 is not chosen regularizers=[...]"),
        ("clip_norm.critic=1", "clip_norm.critic discriminator, generator"),
        ("prior._target_=gan.latents.Gaussain", "prior._target_ no such class"),
        # types
        ("batch_size=many", "batch_size=many whole number"),
        ("steps=2.5", "steps=2.5 whole number"),
        ("size=tny", "size=tny one of paper, small, tiny"),
        ("prior.dim=many", "prior.dim=many whole number"),
        ("optimizer.generator.lr=fast", "optimizer.generator.lr=fast number"),
        ("clip_norm.generator=big", "clip_norm.generator=big number or null"),
        # ranges
        ("loss.label_smoothing=1", "loss.label_smoothing=1 from 0 to below 1"),
        ("steps=0", "steps=0 from 1"),
        ("n_critic=0", "n_critic=0 from 1"),
        ("seed=-1", "seed=-1 from 0"),
        ("prior.dim=0", "prior.dim=0 from 1"),
        ("batch_size=5000", "batch_size=5000 1437 training images"),
        ("accumulate=3", "accumulate=3 does not divide batch_size=8"),
        ("clip_norm.generator=-1", "clip_norm.generator=-1 positive"),
        ("averaging.half_life=0", "averaging.half_life=0 positive"),
        ("averaging.ramp=-1", "averaging.ramp=-1 positive"),
        ("averaging.start=-1", "averaging.start=-1 from 0"),
        ("optimizer.generator.lr=-1", "optimizer.generator: learning rate: -1"),
        ("optimizer.generator.betas=[2,3]", "optimizer.generator: beta 2"),
        ("model.generator.width=0", "width=0 from 1"),
        ("callbacks.samples.every=0", "callbacks.samples.every=0 from 1"),
        (
            "backbone=domain evaluation.num_fakes=1",
            "evaluation.num_fakes=1 1000 evaluation.min_fakes",
        ),
        ("backbone=domain evaluation.monitor=kid", "evaluation.monitor=kid fid, is"),
        ("schedule=linear schedule.generator.begin=16", "begin=16 end=16"),
        ("regularizers=[weight_clip] regularizers.weight_clip.bound=-1", "bound=-1 positive"),
        # data
        ("data=image_folder", "data.root is not set add data.root="),
        ("data=image_folder data.root=nowhere", "nowhere: not found data.root"),
        ("data.resolution=18", "data.resolution=18 4 to 7 times a power of two 28, 32"),
        (
            "model=sngan data.resolution=28",
            "data.resolution=28 a power of two from 8 16, 32, 64 model=dcgan",
        ),
        ("data.num_classes=5", "data.num_classes=5 have 10"),
        # combinations
        ("regularizers=[r1] critic_norm=batch", "regularizers.r1 batch normalisation critic_norm"),
        (f"{BLIND} conditioning=projection", "conditioning=projection needs labels"),
        (f"{BLIND} backbone=domain", "backbone=domain labels metrics=[]"),
        ("conditioning=projection conditioning.num_classes=3", "num_classes=3 have 10"),
        ("accelerator.devices=0", "accelerator and trainer: devices=0"),
        ("accelerator.precision=7", "accelerator.precision=7: give one of 32-true"),
        # files
        ("resume=nowhere", "nowhere is no run folder .hydra/config.yaml"),
    ],
)
def test_bad_settings(compose: Compose, overrides: str, words: str) -> None:
    explained = line(lambda: train(compose(*overrides.split())))
    position = 0
    for word in words.split():
        found = explained.find(word, position)
        assert found >= 0, f"{word!r} is not in, or out of order in, {explained!r}"
        position = found


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("accelerator", ["gpu", "ddp"])
def test_no_gpu(compose: Compose, accelerator: str) -> None:
    explained = line(lambda: train(compose(f"accelerator={accelerator}")))
    assert "no GPU" in explained
    assert "accelerator=cpu" in explained


def test_a_finished_run(compose: Compose, run: Path) -> None:
    explained = line(lambda: train(compose(*TINY, f"run_dir={run}", f"resume={run}")))
    assert f"{run} has done 2 steps" in explained
    assert "larger steps=" in explained


def test_other_networks_than_those_of_the_run(compose: Compose, run: Path) -> None:
    before = (run / "metrics.csv").read_bytes()
    explained = line(lambda: train(compose("steps=5", f"run_dir={run}", f"resume={run}")))
    assert "was another run: model.discriminator.width" in explained
    assert (run / "metrics.csv").read_bytes() == before


@pytest.mark.parametrize("kept", [0, 1000, -100])
def test_a_broken_checkpoint(compose: Compose, run: Path, kept: int) -> None:
    path = run / "checkpoints" / "last.ckpt"
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    try:
        explained = line(
            lambda: train(compose(*TINY, "steps=5", f"run_dir={run}", f"resume={run}"))
        )
    finally:
        path.write_bytes(whole)
    assert f"{path} is not a whole checkpoint" in explained


@pytest.mark.parametrize("content", [b"GIF89a no checkpoint", b"\x80\x02}q\x00."])
def test_no_checkpoint_at_all(compose: Compose, run: Path, content: bytes) -> None:
    path = run / "checkpoints" / "last.ckpt"
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        assert "is not a whole checkpoint" in line(lambda: dispatch(["sample", f"run={run}"]))
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("sampel", "no command 'sampel' sample"),
        ("sample", "run is not set"),
        ("sample run=nowhere", "nowhere is no run folder"),
        ("sample run={run} n=0", "n=0 at least one"),
        ("sample run={run} n=many", "n=many whole number"),
        ("sample run={run} m=4", "m=4 no such setting"),
        ("sample run={run} n", "n: give a value"),
        ("sample run={run} seed=-1", "seed=-1 from 0"),
        ("sample run={run} columns=0", "columns=0 from 1"),
        ("sample run={run} labels=[3]", "labels unconditional"),
        ("sample run={labelled} labels=[10]", "labels 0..9"),
        ("sample run={labelled} labels=[-1]", "labels 0..9"),
        ("sample run={labelled} n=3 labels=[1,2]", "labels: 2 n=3"),
        ("sample run={run} checkpoint=first", "no first.ckpt last.ckpt"),
        ("sample run={run} out=grid.jpg", "out=grid.jpg .png"),
        ("sample run={run} out={run}/metrics.csv/grid.png", "metrics.csv"),
    ],
)
def test_bad_commands(run: Path, labelled: Path, arguments: str, words: str) -> None:
    given = [part.format(run=run, labelled=labelled) for part in arguments.split()]
    explained = line(lambda: dispatch(given))
    for word in words.split():
        assert word in explained


def test_the_line_goes_to_stderr_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        report_errors(lambda: dispatch(["sampel"]))
    assert caught.value.code == 2
    screen = capsys.readouterr()
    assert screen.out == ""
    assert screen.err.startswith("ganymede: no command 'sampel'")
    assert screen.err.count("\n") == 1


def test_faults_of_the_program_are_not_explained_away() -> None:
    def fault() -> None:
        raise RuntimeError("a fault")

    assert explain(RuntimeError("a fault")) is None
    assert explain(ValueError("a fault")) is None
    with pytest.raises(RuntimeError, match="a fault"):
        report_errors(fault)


def test_debugging_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan.commands.exits.DEBUG", True)
    with pytest.raises(InputError):
        report_errors(lambda: dispatch(["sampel"]))
