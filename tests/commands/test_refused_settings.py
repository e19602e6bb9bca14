"""Every kind of wrong setting of training: one line in words of this project, status 2, no trace.

All are refused before a run is built, in this process.
"""

import sys
from pathlib import Path

import pytest

from gan.commands.main import main
from tests.configs import thinned

LIBRARIES = ("omegaconf", "antlr", "full_key", "object_type", "keyerror", "traceback")
NAMES = [
    # unknown keys, at every depth
    ("optimiser.generator.lr=0.5", "optimiser: no such setting; did you mean 'optimizer'?"),
    ("regularizer.r1.gamma=5", "regularizer: no such setting; did you mean 'regularizers'?"),
    ("metric.every=2", "metric: no such setting; did you mean 'metrics'?"),
    ("dataset.root=x", "dataset: no such setting"),
    ("stps=3", "stps: no such setting; did you mean 'steps'?"),
    ("+own=1", "own: no such setting"),
    ("++own.key=1", "own: no such setting"),
    ("sweep.x=1", "sweep: no such setting"),
    ("accelerator.precison=16", "accelerator.precison: no such setting; did you mean 'precision'?"),
    ("accelerator.max_time=1", "accelerator.max_time: no such setting"),
    ("optimizer.lr=1", "optimizer.lr: no such setting; known are discriminator, generator"),
    ("optimizer.generator.lrr=1", "optimizer.generator.lrr: no such setting; did you mean 'lr'?"),
    ("schedule.x=1", "schedule.x: no such setting"),
    ("schedule.restretch=true", "schedule.restretch: no such setting"),
    ("clip_norm.critic=1", "clip_norm.critic: no such setting; known are discriminator, generator"),
    ("prior.size=3", "prior.size: no such setting"),
    ("augment.p=1", "augment.p: no such setting"),
    ("loss.margin=2", "loss.margin: no such setting"),
    ("doctor.patient=1", "doctor.patient: no such setting; did you mean 'patience'?"),
    ("evaluation.evry=1", "evaluation.evry: no such setting; did you mean 'every'?"),
    ("backbone.weight=x", "backbone.weight: no such setting; did you mean 'weights'?"),
    ("averaging.halflife=1", "averaging.halflife: no such setting; did you mean 'half_life'?"),
    ("callbacks.samples.row=1", "callbacks.samples.row: no such setting; did you mean 'rows'?"),
    ("data.resolutoin=8", "data.resolutoin: no such setting; did you mean 'resolution'?"),
    ("model.x=1", "model.x: no such setting"),
    ("model.generator.widht=1", "model.generator.widht: no such setting"),
    ("model.generator={a:1}", "model.generator.a: no such setting"),
    ("hydra.run.dri=x", "hydra.run.dri: no such setting; did you mean 'dir'?"),
    ("hydra.launchr.n_jobs=2", "hydra.launchr: no such setting; did you mean 'launcher'?"),
    # members that were not chosen
    ("regularizers.r1.gamma=1", "regularizers.r1 is not chosen"),
    ("callbacks.early.every=1", "callbacks.early is not chosen"),
    ("logger.wandb.name=x", "logger.wandb is not chosen"),
    ("metrics.kid.subsets=3", "metrics.kid is not chosen"),
    # options of groups
    ("model=dcgn", "model=dcgn: no such option; did you mean 'dcgan'?"),
    ("loss=hing", "loss=hing: no such option; did you mean 'hinge'?"),
    ("data=mnits", "data=mnits: no such option; did you mean 'mnist'?"),
    ("accelerator=tpu", "accelerator=tpu: no such option"),
    ("regularizers=[r1,r3]", "regularizers=r3: no such option"),
    ("metrics=[fdi]", "metrics=fdi: no such option; did you mean 'fid'?"),
    ("logger=[wandb,board]", "logger=board: no such option"),
    ("experiment=mist", "experiment=mist: no such option"),
    ("hydra/sweeper=optuna", "hydra/sweeper=optuna: no such option"),
    ("model=null", "model=null: choose one of"),
    ("data=null", "data=null: choose one of"),
    ("optimizer=null", "optimizer=null: choose one of"),
    ("regularizers=null", "regularizers=null: give a list, regularizers=[] for none"),
    ("callbacks=null", "callbacks=null: give a list"),
    ("loss=[hinge,wgan]", "loss takes one option, not a list"),
    ("loss=3", "loss=3: choose one of"),
    ("model={a:1}", "model={'a': 1}: choose one of"),
    ("~model", "~model: it cannot be left out"),
    ("~steps", "~steps: it cannot be left out"),
    # earlier names
    ("metrics=none", "metrics=none: this setting is called metrics=[] now"),
    ("metrics=inception", "this setting is called backbone=inception now"),
    ("measures=[fid]", "this setting is called metrics=[fid] now"),
    ("metrics.every=5", "this setting is called evaluation.every=5 now"),
    ("metrics.weights=x.pt", "this setting is called backbone.weights=x.pt now"),
    # Lightning's flags
    ("trainer.x=1", "trainer.x: no such setting"),
    ("trainer.max_tim=1", "trainer.max_tim: no such setting; did you mean 'max_time'?"),
    ("trainer.max_steps=3", "trainer.max_steps: set steps instead"),
    ("trainer.max_epochs=3", "trainer.max_epochs: set steps instead"),
    ("trainer.gradient_clip_val=1", "set clip_norm.generator and clip_norm.discriminator instead"),
    ("trainer.accumulate_grad_batches=2", "set accumulate instead"),
    ("trainer.limit_train_batches=2", "set steps instead"),
    ("trainer.val_check_interval=2", "set evaluation.every instead"),
    ("trainer.precision=16", "set accelerator.precision instead"),
    ("trainer.devices=2", "set accelerator.devices instead"),
    ("trainer.logger=false", "set logger=[...] instead"),
    ("trainer.barebones=true", "trainer.barebones: it has no use here"),
    ("trainer.detect_anomaly=maybe", "trainer.detect_anomaly=maybe: give true or false"),
]
VALUES = [
    ("steps=2.5", "steps=2.5: give a whole number"),
    ("steps=many", "steps=many: give a whole number"),
    ("steps=null", "steps=null: give a whole number"),
    ("steps=", "steps=: give a whole number"),
    ("steps=[1]", "steps=[1]: give a whole number"),
    ("steps={a:1}", "steps={'a': 1}: give a whole number"),
    ("steps=true", "steps=true: give a whole number"),
    ("steps=1e400", "steps=inf: give a whole number"),
    ("steps=nan", "steps=nan: give a whole number"),
    ("steps=0", "steps=0: give a number from 1"),
    ("steps=99999999999999999999999999", "give a number from 1 to 10**12"),
    ("doctor=3", "doctor=3: give its keys"),
    ("schedule.generator=3", "schedule.generator=3: choose schedule=OPTION"),
    ("~optimizer.generator", "optimizer.generator=null: choose optimizer=OPTION"),
    ("steps=${oc.env:PATH}", ": give a whole number"),
    ("regularizers=[[r1]]", "regularizers=[[r1]]: give a plain list of"),
    ("seed=null", "seed=null: give a whole number"),
    ("seed=-1", "seed=-1: give a number from 0"),
    ("seed=1e12", "seed=1000000000000: give a number from 0 below 2**32"),
    ("batch_size=many", "batch_size=many: give a whole number"),
    ("n_critic=1.5", "n_critic=1.5: give a whole number"),
    ("n_critic=0", "n_critic=0: give a number from 1"),
    ("accumulate=3", "accumulate=3 does not divide batch_size=16"),
    ("progressive=maybe", "progressive=maybe: give true or false"),
    ("nan_to_num=1", "nan_to_num=1: give true or false"),
    ("name=[a]", "name=['a']: give text or null"),
    ("allow_targets=x", "allow_targets=x: give a list"),
    ("cache_dir=null", "cache_dir=null: give text"),
    ("clip_norm=3", "clip_norm=3: give its keys"),
    ("clip_norm.generator=big", "clip_norm.generator=big: give a number or null"),
    ("prior.dim=many", "prior.dim=many: give a whole number"),
    ("prior.dim=2.5", "prior.dim=2.5: give a whole number"),
    ("data.flip=1", "data.flip=1: give true or false"),
    ("data.resolution=[8]", "data.resolution=[8]: give a whole number"),
    ("optimizer.generator.lr=fast", "optimizer.generator.lr=fast: give a number"),
    ("optimizer.generator.betas=3", "optimizer.generator.betas=3: give a list of 2 items"),
    ("optimizer.generator.betas=[1,2,3]", "give a list of 2 items, each a number"),
    ("optimizer.generator.fused=maybe", "give true or false or null"),
    ("model.generator.hidden=abc", "model.generator.hidden=abc: give a list"),
    ("model.generator.hidden=[a]", "give a list, each a whole number"),
    ("model.generator.hidden=null", "model.generator.hidden=null: give a list"),
    ("model.discriminator=3", "model.discriminator=3: give a node with _target_"),
    ("schedule=cosine schedule.generator.end=abc", "schedule.generator.end=abc: give a number"),
    ("callbacks.samples.rows=abc", "callbacks.samples.rows=abc: give a whole number"),
    ("accelerator.channels_last=maybe", "accelerator.channels_last=maybe: give true or false"),
    ("model.generator._target_=os.system", "no class of gan, datamodules"),
    ("model.generator._target_=gan.networks.mlp.Nothing", "no such class"),
    ("model._target_=null", "model._target_=None"),
    ("loss._partial_=true", "loss._partial_: it is set by the group's yaml"),
    ("optimizer.generator._partial_=false", "optimizer.generator._partial_"),
    ("name=${nothing}", "name: it refers to a setting that is not there"),
    ("name=${oc.env:NOT_SET_ANYWHERE}", "name: it refers to a setting that is not there"),
    ("name=${..above}", "name: it refers to a setting that is not there"),
    ("name=${loss}", "give text or null"),
    ("steps=${steps}", "steps: it refers to a setting that is not there, or cannot be computed"),
    ("steps=${by_size:1,2}", "steps: it refers to a setting that is not there, or cannot be"),
    ("steps=${product:2,a}", "steps=aa: give a whole number"),
    ("steps=${quotient:41,2}", "steps=20.5: give a whole number"),
    ("n_critic=${quotient:1,2}", "n_critic=0.5: give a whole number"),
    ("evaluation.every=${interval:20,0,5}", "evaluation.every: it refers to a setting that is"),
    ("optimizer.generator.lr=inf", "optimizer.generator.lr=inf: give a number"),
    ("optimizer.generator.lr=-1e999", "optimizer.generator.lr=-inf: give a number"),
    ("averaging.half_life=nan", "averaging.half_life=nan: give a number"),
    ("trainer.profiler=5", "trainer.profiler=5: give the name of one"),
    ("hydra=5", "hydra=5: give its keys"),
    ("metrics=[[fid]]", "metrics=[[fid]]: give a plain list of"),
    ("--resolve", "--resolve: it needs --cfg job"),
    ("--package x", "--package: it needs --cfg job"),
    ("hydra.run.dir=a run_dir=b", "hydra.run.dir: a and b: give one folder"),
    ("model._target_=torch.nn.Sequential.apply", "no such class: correct the name"),
    ("burn_in=-1", "burn_in=-1: give a share of the run"),
    ("burn_in=7", "burn_in=7: give a share of the run"),
    ("hydra.run.dir=", "hydra.run.dir is empty"),
    ("run_dir=", "hydra.run.dir is empty"),
    ("cache_dir=", "cache_dir is empty"),
    ("logger=[wandb,wandb]", "an option is there twice"),
    (
        "accelerator=ddp_cpu accelerator.devices=999999",
        "accelerator.devices=999999: this machine has",
    ),
    ("accelerator.precision=64-true", "accelerator.precision=64-true: give one of 32-true"),
    ("accelerator.accelerator=tpu", "accelerator.accelerator=tpu: give one of auto"),
    ("accelerator.strategy=fsdp", "accelerator.strategy=fsdp: several devices train by"),
    ("loss._recursive_=7", "loss._recursive_=7: it is set by the group's yaml"),
    ("data=image_folder", "data.root is not set"),
    ("resume=nowhere", "nowhere is no run folder"),
]
LINES = [
    ("steps", "steps: give a setting with its value, KEY=VALUE"),
    ("=3", "=3: give a setting with its value"),
    ("name=a=b=c", "its value cannot be read: put it in quotes"),
    ('steps="3', "its value cannot be read: put it in quotes"),
    ("name=[a", "its value cannot be read: put it in quotes"),
    ("--foo", "--foo: no such flag"),
    ("--confg-name=x", "no such flag; did you mean '--config-name'?"),
    ("--config-name=nothing", "--config-name=nothing: there is no such file"),
    ("-m optimiser.generator.lr=1,2", "optimiser: no such setting; did you mean 'optimizer'?"),
    ("-m seed=range(0)", "the settings cannot be read"),
    ("-m loss=hinge,wgn", "loss=wgn: no such option; did you mean 'wgan'?"),
    ("-m prior.dim=8,many", "prior.dim=many: give a whole number"),
    ("-m hydra/sweeper=tpe optimizer.generatr.lr=interval(1e-5,1e-3)", "optimizer.generatr"),
    ("-m hydra/sweeper=tpe prior.dim=interval(9,3)", "prior.dim: interval(9.0,3.0): give the"),
    ("-m hydra/sweeper=tpe burn_in=tag(log,interval(0,1))", "burn_in: tag(log,...) needs"),
    ("-m hydra/sweeper=tpe prior.dim=interval(1,3)", "metrics=[]: a search needs a metric"),
    ("-m hydra/sweeper=tpe hydra.sweeper.n_trials=0 prior.dim=interval(1,3)", "n_trials=0: give"),
    ("-m hydra.launcher._target_=os.system seed=1,2", "it is chosen by hydra/launcher=NAME"),
    ("hydra.sweeper._target_=os.system", "it is chosen by hydra/sweeper=NAME"),
    ("+hydra.callbacks.own=3", "+hydra.callbacks.own=3: give a mapping"),
    ("-m --run", "--run and -m: a run or a sweep"),
]


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("given", "words"), thinned([*NAMES, *VALUES, *LINES], keep=7), ids=lambda v: str(v)[:50]
)
def test_one_line_and_no_trace(
    given: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setenv("GANYMEDE_CACHE", str(tmp_path.parent / "cache"))
    base = ["train", "model=mlp", "batch_size=16"]
    base += [] if given.startswith("metrics") else ["metrics=[]"]
    arguments = [*base, *given.split()]
    monkeypatch.setattr(sys, "argv", ["ganymede", *arguments])
    with pytest.raises(SystemExit) as end:
        main(arguments)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert end.value.code == 2
    assert line.startswith("ganymede: ")
    assert words in line
    assert not any(library in line.lower() for library in LIBRARIES), line
    assert _files(tmp_path) == set()


OWN = {
    "tab": (b"steps: 2\n\tseed: 1\n", "own.yaml, line 2:"),
    "twice": (b"steps: 2\nsteps: 3\n", "found duplicate key steps"),
    "mark": (b"\xef\xbb\xbf# @package _global_\nsteps: 2\n", "begins with a byte-order mark"),
    "unknown": (b"# @package _global_\nstesp: 2\n", "stesp: no such setting; did you mean 'steps'"),
    "earlier": (b"# @package _global_\nmetrics: {every: 3}\n", "is called evaluation.every now"),
    "type": (b"# @package _global_\nsteps: many\n", "steps=many: give a whole number"),
    "package": (b"defaults:\n  - override /loss: hinge\n", "begin that file with the line"),
    "list": (b"- 3\n", "own.yaml: it is no mapping"),
    "null": (b"# @package _global_\nnull: 3\n", "own.yaml: the key None is no text"),
    "defaults": (b"# @package _global_\ndefaults: 3\n", "own.yaml: defaults: give a list"),
    "latin": ("# @package _global_\nname: é\n".encode("latin-1"), "it is no text in UTF-8"),
    "zeros": (bytes(5 * 2**20), "own.yaml: it has more than 4,194,304 bytes"),
    "group": (b"# @package _global_\nloss: 3\n", "loss=3: give its keys"),
    "itself": (b"# @package _global_\ndefaults:\n  - /experiment: own\n", "the settings cannot be"),
    "aliases": (
        b"a0: &a0 [x, x]\n"
        + b"".join(
            b"a%d: &a%d [%s]\n" % (k, k, b", ".join([b"*a%d" % (k - 1)] * 9)) for k in range(1, 12)
        ),
        "own.yaml: its aliases expand to more than",
    ),
    "option": (
        b"# @package _global_\ndefaults:\n  - override /loss: hing\n",
        "loss=hing: no such option; did you mean 'hinge'?",
    ),
}


@pytest.mark.parametrize("given", ["--config-dir={}", "hydra.searchpath=[file://{}]"])
@pytest.mark.parametrize("kind", OWN)
def test_configs_of_the_user_s_own(
    kind: str,
    given: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content, words = OWN[kind]
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "own.yaml").write_bytes(content)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    run = tmp_path / "run"
    arguments = ["train", given.format(tmp_path / "conf"), "model=mlp", "experiment=own"]
    arguments += [f"hydra.run.dir={run}", f"cache_dir={tmp_path / 'cache'}"]
    monkeypatch.setattr(sys, "argv", ["ganymede", *arguments])
    with pytest.raises(SystemExit) as end:
        main(arguments)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert end.value.code == 2
    assert words in line
    assert not run.exists()
