"""What answers without training imports no PyTorch."""

import json
import subprocess
import sys
from pathlib import Path

from gan.commands.main import COMMANDS
from gan.sweeps.job import Outcome, State
from tests.configs import ROOT
from tests.sweeps.launching import fid, results

SCRIPT = """
import json, sys
from gan.commands import models
from gan.commands.main import main
few = {"model": ["dcgan", "mlp"], "data": ["cifar10"]}
models.options = few.get  # the whole table takes seconds
statuses = []
for command in json.loads(sys.argv[1]):
    sys.argv = ["ganymede", *command]
    status = 0
    try:
        main()
    except SystemExit as end:
        status = int(end.code or 0)
    statuses.append(status)
    found = {"torch", "torchvision", "scipy", "sklearn", "wandb"} & set(sys.modules)
    assert not found, (command, found)
print(json.dumps(statuses))
"""
STAMP = ["backbone", "weights_hash", "num_fakes", "real_count", "real_data", "real_split"]
STAMP += ["real_fingerprint", "weights"]
PAGES = [[], ["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)]
HYDRA = [["train", "--cfg", "job"], ["train", "--info"], ["train", "--hydra-help"]]
REFUSED = [
    "sampel",
    "sample",
    "sample rnu=1",
    "sample run=nowhere",
    "sample run=nowhere n=many",
    "interpolate run=nowhere rows=0",
    "mix run=nowhere out=grid.jpg",
    "project run=nowhere",
    "translate run=nowhere images=nowhere",
    "translate run=nowhere images=. out=/nowhere direction=cd",
    "restore run=nowhere images=. out=/nowhere",
    "encode run=nowhere out=z.npz",
    "reconstruct run=nowhere n=0",
    "evaluate run=nowhere",
    "evaluate real=digits fake=nowhere",
    "sample run=nowhere out=samples.jpg",
    "film run=nowhere",
    "film run=nowhere fps=0",
    "demo run=nowhere",
    "nearest run=nowhere",
    "embed run=nowhere n=0",
    "spectrum run=nowhere split=tset",
    "export run=nowhere",
    "export run=nowhere format=onx",
    "import weights=nowhere data=cifar10 out=nowhere",
    "import weights=nowhere data=cifra10 out=nowhere",
    "report runs=nowhere/*",
    "report runs=. out=report.pdf",
    "dashboard project=gans runs=nowhere/*",
    "leaderboard sweep=nowhere",
    "models model=dcgna",
    "train stpes=5",
    "train steps=many",
    "train steps=0",
    "train loss=hing",
    "train loss.margin=2",
    "train regularizers=[r3]",
    "train optimizer.generator.lrr=1",
    "train optimizer.generator.lr=fast",
    "train model.generator.widht=3",
    "train prior._target_=gan.latents.Gaussain",
    "train loss._target_=os.system",
    "train critic_norm._target_=torch.nn.BatchNorm2d critic_norm.nothing=1",
    "train data=image_folder",
    "train resume=nowhere",
    "train -m loss=hing seed=0,1",
]


def test_no_torch(tmp_path: Path) -> None:
    results(tmp_path, **fid(3.0), stamp=dict.fromkeys(STAMP, "known")).save()
    job = tmp_path / "sweep" / "job"
    job.mkdir(parents=True)
    Outcome(State.FINISHED).save(job)
    answered = [*PAGES, *HYDRA, ["models"], ["leaderboard", f"sweep={tmp_path / 'sweep'}"]]
    for name in ("report.csv", "report.html"):
        answered.append(["report", f"runs={tmp_path}", f"out={tmp_path / name}"])
    commands = [*answered, *(line.split() for line in REFUSED)]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(commands)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    statuses = json.loads(done.stdout.splitlines()[-1])
    assert statuses == [0] * len(answered) + [2] * len(REFUSED), done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(REFUSED)
    assert all(line.startswith("ganymede: ") for line in lines)
    assert not (tmp_path / "runs").exists()
