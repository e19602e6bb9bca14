"""Every kind of bad input as a user meets it: a process of its own, one line, status 2, no trace.

``GANYMEDE_ERROR_TABLE=FILE`` writes the rows of a table: kind, command, line, exit status, seconds,
seconds of a processor.
"""

import hashlib
import json
import os
import pickle
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan.commands.main import dispatch
from gan.runs.lock import Lock
from tests.configs import ROOT

MLP = "model=mlp model.generator.hidden=[16] model.discriminator.units=[8]"
SMALL = "data=digits metrics=[] batch_size=8 accelerator=cpu"
TINY = f"{SMALL} {MLP}"
FOLDER = f"{TINY} data=image_folder data.resolution=16 data.num_classes=0 data.root=images"
CIFAR = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
AGAIN = "resume=run steps=4"
NORMED = "regularizers=[r1] critic_norm=batch"


@dataclass
class Given:
    """What a command finds.

    Attributes:
        place: the folder that it is called in.
        after: what is to be undone when it has ended.
    """

    place: Path
    after: ExitStack

    def write(self, name: str, content: bytes | str) -> Path:
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def image(self, name: str, side: int = 16) -> Path:
        path = self.write(name, b"")
        Image.fromarray(np.zeros((side, side, 3), dtype=np.uint8)).save(path)
        return path

    def mount(self, name: str, options: str) -> Path:
        path = self.place / name
        path.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)])
        if mounted.returncode:
            pytest.skip("no right to mount a file system")
        self.after.callback(subprocess.run, ["umount", str(path)], check=True)
        return path


Prepare = Callable[[Given], object]


def nothing(given: Given) -> None:
    pass


def text(name: str, content: str = "no such thing\n") -> Prepare:
    def prepare(given: Given) -> None:
        given.write(name, content)

    return prepare


def corrupt_image(given: Given) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    path = given.write("images/2.png", b"")
    Image.fromarray(pixels).save(path)
    path.write_bytes(path.read_bytes()[:5000])


def image_bomb(given: Given) -> None:
    Image.new("1", (20_000, 20_000)).save(given.write("images/0.png", b""))


def zipped(name: str) -> Prepare:
    def prepare(given: Given) -> None:
        image = given.image("0.png").read_bytes()
        with zipfile.ZipFile(given.place / "images.zip", "w") as archive:
            archive.writestr(name, image)

    return prepare


def corrupt_zip(given: Given) -> None:
    zipped("a/0.png")(given)
    path = given.place / "images.zip"
    path.write_bytes(path.read_bytes()[:-10])


def mnist(given: Given) -> None:
    header = np.array([2051, 20, 28, 28], ">i4").tobytes()
    given.write("data/mnist/MNIST/raw/train-images-idx3-ubyte", header + b"\0" * 20)
    given.write("data/mnist/MNIST/raw/train-labels-idx1-ubyte", header)


def cifar(labels: list[int]) -> Prepare:
    pixels = np.zeros((len(labels), 3072), dtype=np.uint8)
    batch = pickle.dumps({"data": pixels, "labels": labels})

    def prepare(given: Given) -> None:
        for name in CIFAR:
            given.write(f"data/cifar10/cifar-10-batches-py/{name}", batch)

    return prepare


def state(name: str) -> Prepare:
    return lambda given: torch.save({"weight": torch.zeros(3)}, given.write(name, b""))


def truncated(given: Given) -> None:
    for path in (given.place / "run" / "checkpoints").glob("*.ckpt"):
        path.write_bytes(path.read_bytes()[:1000])


def foreign(given: Given) -> None:
    torch.save({"state_dict": {}, "epoch": 3}, given.place / "run" / "checkpoints" / "last.ckpt")


def evaluated(given: Given) -> None:
    results = json.loads((given.place / "run" / "results.json").read_text())
    given.write("run/results.json", json.dumps(results | {"surprise": 1}))


def hostile(given: Given) -> None:
    path = given.place / "run" / ".hydra" / "config.yaml"
    path.write_text(path.read_text().replace("gan.latents.Gaussian", "os.system"))


def full(given: Given) -> None:
    (given.mount("small", "size=64k") / "filled").write_bytes(b"\0" * 60_000)


def held(given: Given) -> None:
    lock = Lock(given.place / "run" / ".hydra" / "lock", pause=lambda: None)
    assert lock.acquire()
    given.after.callback(lock.close)


def without_tensorboard(given: Given) -> None:
    given.write("path/tensorboard/__init__.py", "raise ModuleNotFoundError('No tensorboard')")


@dataclass
class Kind:
    """One kind of bad input.

    Attributes:
        name: of the kind.
        command: after ``python``.
        words: of the line, in their order.
        prepare: what makes it bad, if not the command.
    """

    name: str
    command: str
    words: str
    prepare: Prepare = nothing

    @property
    def arguments(self) -> list[str]:
        program, *rest = self.command.split()
        return [str(ROOT / program), *rest] if program == "train.py" else ["-m", program, *rest]


def train(name: str, given: str, words: str, prepare: Prepare = nothing) -> Kind:
    last = {argument.split("=")[0]: argument for argument in given.split()}
    return Kind(name, f"train.py {' '.join(last.values())}", words, prepare)


def after(name: str, given: str, words: str, prepare: Prepare = nothing) -> Kind:
    return Kind(name, f"gan {given}", words, prepare)


FAST = [
    train("misspelt key", "stpes=5", "stpes did you mean 'steps'"),
    train("penalty with batch norm", f"{SMALL} {NORMED}", "regularizers.r1 batch normalisation"),
    after("no image asked for", "sample run=run n=0", "n=0 at least one"),
]
KINDS = [
    train("misspelt key of a class", f"{TINY} prior.dmi=4", "prior.dmi did you mean 'dim'"),
    train("unknown option of a group", "loss=hing", "loss=hing: no such option hinge"),
    train("unknown regularizer", "regularizers=[dropout]", "dropout known are"),
    train("setting of what is not chosen", "regularizers.r1.gamma=1", "r1 is not chosen"),
    train("unfinished value", "model.generator.hidden=[1", "model.generator.hidden=[1"),
    train("wrong type", "steps=many", "steps=many a whole number"),
    train("wrong type of a class", f"{TINY} optimizer.generator.lr=fast", "lr=fast a number"),
    train("no steps", f"{TINY} steps=0", "steps=0 from 1"),
    train("negative batch", f"{TINY} batch_size=-4", "batch_size=-4 from 1"),
    train("batch larger than the data", f"{TINY} batch_size=5000", "1437 training images"),
    train("parts that do not divide a batch", f"{TINY} accumulate=3", "accumulate=3 batch_size=8"),
    train("negative learning rate", f"{TINY} optimizer.generator.lr=-1", "learning rate: -1"),
    train("no latent dimensions", f"{TINY} prior.dim=0", "prior.dim=0 from 1"),
    train("impossible resolution", "metrics=[] data.resolution=18", "resolution=18 power of two"),
    train("other number of classes", f"{TINY} data.num_classes=5", "num_classes=5 have 10"),
    train("grey data as colour", f"{TINY} data.channels=3", "data.channels=3 have 1"),
    train(
        "conditional model on unlabelled data",
        f"{TINY} data=synthetic data.num_classes=0 conditioning=projection",
        "conditioning=projection needs labels",
    ),
    train(
        "labels for metrics on unlabelled data",
        f"{TINY} data=synthetic data.num_classes=0 metrics=[fid]",
        "backbone=domain labels",
    ),
    train("unknown accelerator", "accelerator=abacus", "accelerator=abacus: no such option cpu"),
    train(
        "impossible precision",
        f"{TINY} accelerator.precision=7",
        "accelerator.precision=7: give one of",
    ),
    train("no devices", f"{TINY} accelerator.devices=0", "accelerator devices=0"),
    train("no data named", f"{TINY} data=image_folder", "data.root is not set"),
    train("data that are not there", FOLDER, "images: not found data.root"),
    train("text as data", FOLDER, "images cannot be read zip", text("images")),
    train("a file where a folder of data belongs", f"{TINY} data=mnist", "mnist", text("data")),
    train("empty folder of images", FOLDER, "no images", lambda g: (g.place / "images").mkdir()),
    train("no images among the files", FOLDER, "no images", text("images/notes.txt")),
    train("text as an image", FOLDER, "images/0.png is not an image", text("images/0.png")),
    train("truncated image", FOLDER, "images/2.png cannot be read", corrupt_image),
    train("image bomb", FOLDER, "images/0.png more than pixels", image_bomb),
    train(
        "images in no class folder",
        f"{FOLDER} data.num_classes=2",
        "0.png is in no class folder",
        lambda given: given.image("images/0.png"),
    ),
    train("truncated zip", f"{FOLDER}.zip", "images.zip cannot be read", corrupt_zip),
    train(
        "zip that leads out of its folder",
        f"{FOLDER}.zip",
        "images.zip ../../0.png is outside the archive",
        zipped("../../0.png"),
    ),
    train("truncated MNIST", f"{TINY} data=mnist", "has 36 bytes declares 15,696", mnist),
    train("other CIFAR-10", f"{TINY} data=cifar10", "its md5 is not the published", cifar([0])),
    train(
        "labels out of range",
        f"{TINY} data=cifar10 data.verify=false",
        "cifar10 labels out of range",
        cifar([0, 200]),
    ),
    train(
        "truncated SVHN",
        f"{TINY} data=svhn data.verify=false",
        "train_32x32.mat cannot be read",
        text("data/svhn/train_32x32.mat", "MATLAB 5.0"),
    ),
    train("choice of an earlier version", f"{TINY} metrics=inception", "called backbone=inception"),
    train("no metrics of an earlier version", "metrics=none", "called metrics=[] now"),
    train("group of an earlier version", f"{TINY} measures=[fid]", "called metrics=[fid] now"),
    train("key of an earlier version", f"{TINY} metrics.every=3", "called evaluation.every=3 now"),
    train("metric of the model", f"{TINY} metrics=[cas]", "cas evaluate run=DIR metrics=[cas]"),
    train(
        "no Inception weights and no network",
        f"{TINY} metrics=[fid] backbone=inception",
        "no Inception weights cannot be downloaded backbone.weights=FILE",
    ),
    train(
        "weights of another network",
        f"{TINY} metrics=[fid] backbone=squeezenet backbone.weights=net.pt",
        "net.pt does not hold the weights of SqueezeNet",
        state("net.pt"),
    ),
    train(
        "text as weights",
        f"{TINY} metrics=[fid] backbone=inception backbone.weights=net.pt",
        "net.pt no whole file of tensors",
        text("net.pt"),
    ),
    train(
        "a package that is not installed",
        f"{TINY} logger=tensorboard",
        "logger=tensorboard pip install",
        without_tensorboard,
    ),
    train("class of another package", f"{TINY} loss._target_=os.system", "os.system allow_targets"),
    train("run that is not there", "resume=nowhere", "nowhere is no run folder"),
    train("run that is finished", "resume=run", "run has done 2 steps larger steps="),
    train("run of another network", f"{AGAIN} prior.dim=3", "another run prior.dim=3"),
    train("two runs in one folder", f"{TINY} hydra.run.dir=run", "holds a run already"),
    train("two processes in one folder", AGAIN, "run another process trains there", held),
    train("truncated checkpoints", AGAIN, "last.ckpt is not a whole checkpoint", truncated),
    train("checkpoint of another program", AGAIN, "last.ckpt another program", foreign),
    train("text as checkpoint", AGAIN, "not a whole", text("run/checkpoints/last.ckpt")),
    train("garbled table", AGAIN, "metrics.csv is no table", text("run/metrics.csv", "step\n?")),
    train(
        "garbled results",
        f"{TINY} resume=auto hydra.run.dir=run",
        "results.json is no result",
        text("run/results.json", "{"),
    ),
    train("run folder below a file", f"{TINY} hydra.run.dir=a/b", "a", text("a")),
    train(
        "read-only run folder",
        f"{TINY} hydra.run.dir=fixed/run",
        "fixed/run Read-only",
        lambda given: given.mount("fixed", "ro"),
    ),
    train("full run folder", f"{TINY} hydra.run.dir=small/run", "No space left", full),
    train(
        "run folder too small for the checkpoints",
        f"{TINY} model.generator.hidden=[1024] hydra.run.dir=small/run",
        "checkpoints need about MB make room",
        lambda given: given.mount("small", "size=2m"),
    ),
    after("unknown command", "sampel", "no command 'sampel' sample"),
    after("unknown setting", "sample run=run m=4", "m=4 no such setting"),
    after("unfinished setting", "sample run=run labels=[1", "cannot be read"),
    after("no run named", "sample", "run is not set"),
    after("labels for an unconditional model", "sample run=run labels=[3]", "unconditional"),
    after("picture below a file", "sample run=run out=a/b.png", "a", text("a")),
    after("truncated checkpoint", "sample run=run", "is not a whole checkpoint", truncated),
    after("garbled config", "sample run=run", "config.yaml", text("run/.hydra/config.yaml", "{")),
    after("config that names other code", "sample run=run", "os.system allow_targets", hostile),
    after("latents cut to nothing", "sample run=run truncation=0", "truncation=0.0 above 0"),
    after("statistics that are not there", "sample run=run standing=4", "no batch normalisation"),
    after(
        "chain out of bounds", "sample run=run langevin=9 langevin_step=1e9", "1000000000.0 lower"
    ),
    after("codes that are not there", "traverse run=run", "run: no codes prior=codes"),
    after("styles that are not there", "mix run=run", "run: no styles model=stylegan"),
    after("no share of a style", "truncate run=run psis=[]", "psis=[] one number or more"),
    after("walk of no length", "directions run=run extent=0", "extent=0.0 above 0"),
    after("lines between no styles", "interpolate run=run styles=true", "run: no styles"),
    after("no image to project", "project run=run", "image index=K"),
    after("image that is not there", "project run=run image=0.png", "image=0.png no such file PNG"),
    after(
        "text as image to project",
        "project run=run image=0.png",
        "image=0.png no whole picture PNG",
        text("0.png"),
    ),
    after(
        "image of another size",
        "project run=run image=0.png",
        "image=0.png 20x20 16x16 resize",
        lambda given: given.image("0.png", 20),
    ),
    after("test image that is not there", "project run=run index=400", "index=400 0..359"),
    after(
        "hole out of the image", "project run=run index=0 hole=[8,0,9,4]", "hole=[8, 0, 9, 4] 16x16"
    ),
    after("layers of no styles", "project run=run index=0 extended=true", "extended no styles"),
    after(
        "pictures that are not there",
        "restore run=run images=in out=new",
        "images=in no such folder zip file",
    ),
    after(
        "pictures for a run on latents",
        "restore run=run images=0.png out=new",
        "run=run latents use ganymede sample",
        lambda given: given.image("0.png"),
    ),
    after(
        "pictures that would be written over",
        "translate run=run images=0.png out=.",
        "out=. files are in it already",
        lambda given: given.image("0.png"),
    ),
    after("unknown model", "models model=dcgna", "model=dcgna did you mean 'dcgan'"),
    after("path of one step", "interpolate run=run steps=1", "steps=1 2 or more"),
    after("unknown metric", "evaluate run=run metrics=[fdi]", "no 'fdi' did you mean 'fid'"),
    after("earlier key of evaluate", "evaluate run=run probes=[cas]", "called metrics=[cas] now"),
    after("too few fakes", "evaluate run=run n=10", "10 1000"),
    after(
        "garbled evaluation", "evaluate run=run", "is no evaluation", text("run/evaluation.json")
    ),
    after("no runs to report", "report runs=none", "runs=none no results.json"),
    after("garbled results to report", "report runs=run", "results.json is no result", evaluated),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of two steps, without batch normalisation."""
    place = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("HYDRA_FULL_ERROR", "0")  # restored afterwards
        plain = "model.generator._target_=gan.networks.mlp.LeakyMLPGenerator"
        dispatch(["train", *TINY.split(), plain, "steps=2", "hydra.run.dir=run"])
    return place / "run"


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with ExitStack() as undo:
        yield Given(tmp_path, undo)


def called(arguments: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, without a network and with caches of its own."""
    own = {
        "OMP_NUM_THREADS": "1",
        "HYDRA_FULL_ERROR": "0",
        "PYTHONPATH": f"{place / 'path'}:{ROOT}",
        "GANYMEDE_CACHE": str(place / "cache"),
        "TORCH_HOME": str(place / "torch"),
        "TMPDIR": str(place),
        **dict.fromkeys(["http_proxy", "https_proxy"], "http://127.0.0.1:9"),
    }
    return subprocess.run(
        [sys.executable, "-B", *arguments],
        cwd=place,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=90,
    )


def snapshot(place: Path) -> dict[str, str]:
    """Return the name of everything in a folder with a digest of its content."""
    return {
        str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in place.rglob("*")
    }


@contextmanager
def timed() -> Iterator[list[float]]:
    """Give the seconds that passed, and those of a processor that child processes took."""
    began, used = time.monotonic(), os.times()
    seconds: list[float] = []
    yield seconds
    now = os.times()
    spent = now.children_user + now.children_system - used.children_user - used.children_system
    seconds += [time.monotonic() - began, spent]


def note(kind: Kind, line: str, status: int, seconds: list[float]) -> None:
    """Add a row to the table, if one is asked for."""
    table = os.environ.get("GANYMEDE_ERROR_TABLE")
    if table:
        times = [f"{value:.1f}" for value in seconds]
        row = [kind.name, f"`python {kind.command}`", line, str(status), *times]
        with open(table, "a") as file:
            file.write(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n")


@pytest.mark.parametrize(
    "kind",
    [
        *(pytest.param(kind, id=kind.name) for kind in FAST),
        *(pytest.param(kind, id=kind.name, marks=pytest.mark.slow) for kind in KINDS),
    ],
)
def test_one_line_and_no_trace(kind: Kind, given: Given, finished: Path) -> None:
    if "run" in kind.command.replace("train.py", "").replace("=", " ").split():
        subprocess.run(["cp", "-r", str(finished), str(given.place / "run")], check=True)
    kind.prepare(given)
    before = snapshot(given.place)
    with timed() as seconds:
        ended = called(kind.arguments, given.place)
    lines = ended.stderr.strip().splitlines()
    line = "\n".join(line for line in lines if not line.startswith("warning: data.verify=false"))
    note(kind, line, ended.returncode, seconds)
    assert ended.returncode == 2, ended.stderr
    assert line.startswith("ganymede: ")
    assert "\n" not in line
    assert "Traceback" not in ended.stdout
    position = 0
    for word in kind.words.split():
        position = line.find(word, position)
        assert position >= 0, f"{word!r} is not in, or out of order in, {line!r}"
    assert snapshot(given.place) == before


def test_there_are_forty_kinds_with_names_of_their_own() -> None:
    names = {kind.name for kind in (*FAST, *KINDS)}
    assert len(names) == len(FAST) + len(KINDS) >= 40


@pytest.mark.slow
def test_a_disk_that_fills_up_in_training_leaves_whole_checkpoints(given: Given) -> None:
    small = given.mount("small", "size=900k")
    command = f"{TINY} steps=300 callbacks.checkpoints.every=10 callbacks.samples.every=5"
    arguments = [str(ROOT / "train.py"), *command.split()]
    ended = called([*arguments, "hydra.run.dir=small/run"], given.place)
    assert ended.returncode == 2, ended.stderr
    assert re.search("small/run: No space left .* go on by resume=.*small/run", ended.stderr)
    assert "Traceback" not in ended.stderr
    assert not list(small.rglob("*.part"))
    assert [path.name for path in given.place.iterdir()] == ["small"]
    step = torch.load(small / "run/checkpoints/last.ckpt", weights_only=True)["clock"]["step"]
    assert 0 < step < 300
    subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
    ended = called([*arguments, "hydra.run.dir=small/run", "resume=auto"], given.place)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((small / "run/results.json").read_text())["steps"] == 300
