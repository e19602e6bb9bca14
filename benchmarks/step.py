"""Time of a training step, relative to a loop over the same losses without Lightning.

Both train the same networks with the same losses, optimizers and averaging on random images, in
alternating blocks of one process. Training has logging, progress bar and CSV on. The output has
seconds a step of each block, their medians and ratio, the multiplications and additions of a step,
the share of the machine's measured peak of matrix products, and the peak of memory; ``out`` writes
them as JSON, with hardware and versions.

    python -m benchmarks.step [blocks=5] [steps=4] [out=FILE] [OVERRIDE ...]

Other arguments are those of train.py, such as model=sngan size=small accelerator=cpu_amp. On a CPU
the seconds are those of the process, and one thread gives the most stable results:
OMP_NUM_THREADS=1.
"""

import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.training import Images, trainer
from gan.algorithms.gan import GAN
from gan.algorithms.player import frozen
from gan.algorithms.two_player import Terms, TwoPlayerGame
from gan.batch import LatentBatch
from gan.callbacks.base import StepCallback
from gan.callbacks.doctor import Doctor
from gan.callbacks.progress import Progress
from gan.callbacks.telemetry import Telemetry
from gan.devices import find_device, hardware
from gan.errors import InputError
from gan.loggers.table import Table
from gan.runs.training import accelerate
from gan.settings import resolvers, schema
from gan.settings.overrides import hydra_form

CONF = Path(__file__).parent.parent / "conf"
OWN = {"blocks": 5, "steps": 4}


@dataclass(frozen=True)
class Speed:
    """What a benchmark of a step found.

    Attributes:
        overrides: what was trained.
        hardware: name of the device.
        versions: of Python and PyTorch.
        batch: images of an update.
        n_critic: updates of the discriminator in a step.
        training: seconds a step of each block in training.
        bare: those of the loop without Lightning.
        flops: multiplications and additions of a step, counted by PyTorch.
        peak: multiplications and additions a second of large matrix products.
        memory: largest memory in MiB, of the device if it is a GPU, else of the process.
    """

    overrides: list[str]
    hardware: str
    versions: dict[str, str]
    batch: int
    n_critic: int
    training: list[float]
    bare: list[float]
    flops: int
    peak: float
    memory: float

    @property
    def ratios(self) -> list[float]:
        """Return the seconds of training over those of the loop, block by block."""
        return [a / b for a, b in zip(self.training, self.bare, strict=True)]

    @property
    def seconds(self) -> float:
        """Return the median of the seconds a step in training."""
        return statistics.median(self.training)


def spread(values: list[float], scale: float = 1.0) -> str:
    """Return the median and the range of values."""
    scaled = [scale * value for value in values]
    return f"{statistics.median(scaled):.3f} ({min(scaled):.3f} to {max(scaled):.3f})"


def configured(overrides: list[str], folder: str) -> DictConfig:
    """Return the config of training on images of 32 pixels, unless another data set is given."""
    resolvers.register()
    schema.register()
    small = ["data=cifar10", "metrics=[]", f"run_dir={folder}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [hydra_form(override) for override in (*small, *overrides)])


def made_game(config: DictConfig, device: torch.device) -> GAN:
    """Return a new game as training accelerates it.

    Raises:
        InputError: if it is not one of latents with a discriminator.
    """
    torch.manual_seed(0)
    game = instantiate(config.model, _convert_="all")
    if not isinstance(game, GAN):
        raise InputError(f"model: {type(game).__name__} is no game of a generator of latents")
    accelerate(game, config.accelerator)
    return game.to(device)


class Loop(Protocol):
    """A loop that training is compared with."""

    def step(self) -> None:
        """Train for one step."""


class BareLoop:
    """Updates of a game's networks without Lightning.

    Args:
        game: whose networks are trained, on the device.
        images: real images of an update, and labels.
        precision: as of Lightning; "bf16-mixed" uses autocast.
    """

    def __init__(self, game: GAN, images: tuple[Tensor, Tensor], precision: str) -> None:
        self.game, self.size = game, len(images[0])
        self.real, self.labels = (values.to(game.device) for values in images)
        self.half = precision.startswith("bf16")
        self.optimizers = game.configure_optimizers()
        game.log_due = False

    def _batch(self) -> LatentBatch:
        """Return the images and labels with random latents."""
        device, generator = self.real.device, self.game.generator
        z = torch.randn(self.size, generator.latent_dim, device=device)
        labels = self.labels if generator.num_classes else None
        return LatentBatch(self.real, labels, z, torch.rand(self.size, device=device))

    def _update(self, index: int, objective: Callable[[LatentBatch], Terms]) -> None:
        """Update a player once."""
        game, device = self.game, self.real.device
        game.active = player = game.players[index]
        half = torch.autocast(device.type, torch.bfloat16) if self.half else nullcontext()
        with frozen(player.opponent):
            with half:
                loss = torch.stack([*objective(self._batch()).values()]).sum()
            loss.backward()  # type: ignore[no-untyped-call]
        game.on_before_optimizer_step(self.optimizers[index])
        self.optimizers[index].step()
        self.optimizers[index].zero_grad()

    def step(self) -> None:
        """Update the discriminator ``n_critic`` times and the generator once, and average."""
        game = self.game
        for turn in range(game.n_critic):
            game.turn = turn
            self._update(1, game.discriminator_loss)
            game.after_discriminator_update()
        self._update(0, game.generator_loss)
        game.clock.tick(game.n_critic * self.size)
        game.update_averages(game.n_critic * self.size)


class Stopwatch:
    """Seconds of the process on a CPU; seconds of the wall clock, synchronised, on a GPU."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def now(self) -> float:
        """Return the time in seconds."""
        if self.device.type != "cuda":
            return time.process_time()
        torch.cuda.synchronize(self.device)
        return time.perf_counter()


class AlternatingTimer(StepCallback):
    """Time blocks of steps in training and blocks of the bare loop in turn."""

    def __init__(self, loop: Loop, steps: int, watch: Stopwatch) -> None:
        self.loop, self.steps, self.watch = loop, steps, watch
        self.training: list[float] = []
        self.bare: list[float] = []
        self.started = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the first block."""
        self.started = self.watch.now()

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame[Any], last: bool) -> None:
        """End a block of training and run one of the bare loop."""
        if game.clock.step % self.steps:
            return
        ended = self.watch.now()
        self.training.append((ended - self.started) / self.steps)
        for _ in range(self.steps):
            self.loop.step()
        self.bare.append((self.watch.now() - ended) / self.steps)
        self.started = self.watch.now()


def matrix_peak(device: torch.device, precision: str, watch: Stopwatch) -> float:
    """Return the multiplications and additions a second of products of large matrices."""
    side = 2048 if device.type == "cpu" else 8192
    kind = torch.bfloat16 if precision.startswith("bf16") else torch.float32
    a, b = torch.randn(2, side, side, device=device).to(kind)
    seconds = []
    for _ in range(5):
        start = watch.now()
        a @ b
        seconds.append(watch.now() - start)
    return 2 * side**3 / min(seconds)


def peak_memory(device: torch.device) -> float:
    """Return the largest memory so far in MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Count multiplications and additions of matrix products and convolutions.

    PyTorch's own counter follows modules, which second derivatives do not allow.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total: int = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Compute and count."""
        output = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=output)
        return output


def counted(loop: BareLoop) -> int:
    """Return the multiplications and additions of a step, a mean over the turns of lazy terms."""
    steps = max([1, *(r.every for r in loop.game.regularizers.values())])
    with Operations() as operations:
        for _ in range(steps):
            loop.step()
    return int(operations.total / steps)


def train(config: DictConfig, game: GAN, images: Images, timer: AlternatingTimer) -> None:
    """Train a game with what a run has on, but for samples, metrics and checkpoints."""
    folder = Path(config.run_dir)
    trainer(
        *(Telemetry(), Doctor(str(folder)), Progress(), timer),
        accelerator=config.accelerator.accelerator,
        devices=1,
        precision=config.accelerator.precision,
        logger=[Table(folder / "metrics.csv")],
        log_every_n_steps=1,
    ).fit(game, images)


def images_of(config: DictConfig, game: GAN, steps: int) -> Images:
    """Return random images in the shape and number of a config."""
    data = config.data
    return Images(
        *(steps, game.n_critic, config.batch_size),
        channels=data.channels,
        resolution=data.resolution,
    )


def measure(overrides: list[str], blocks: int, steps: int) -> Speed:
    """Return the speed of a step with overrides of train.py."""
    with tempfile.TemporaryDirectory() as folder:
        config = configured(overrides, folder)
        on_cpu = config.accelerator.accelerator == "cpu"
        device = torch.device("cpu") if on_cpu else find_device(None)
        precision, watch = str(config.accelerator.precision), Stopwatch(device)
        game, other = made_game(config, device), made_game(config, device)
        images = images_of(config, game, (blocks + 1) * steps)
        loop = BareLoop(other, images.labelled(images.resolution), precision)
        timer = AlternatingTimer(loop, steps, watch)
        train(config, game, images, timer)
    memory = peak_memory(device)
    return Speed(
        overrides=overrides,
        hardware=hardware(device),
        versions={"python": platform.python_version(), "torch": torch.__version__},
        batch=images.batch,
        n_critic=game.n_critic,
        training=timer.training[1:],
        bare=timer.bare[1:],
        flops=counted(loop),
        peak=matrix_peak(device, precision, watch),
        memory=memory,
    )


def report(speed: Speed) -> None:
    """Print what was found."""
    rate = speed.flops / speed.seconds
    print(f"{' '.join(speed.overrides)}   on {speed.hardware}")
    print(f"training   {spread(speed.training, 1000)} ms a step")
    print(f"bare loop  {spread(speed.bare, 1000)} ms a step")
    print(f"ratio      {spread(speed.ratios)}")
    print(f"{speed.flops / 1e9:.1f} GFLOP a step, {rate / 1e9:.1f} GFLOP/s: ", end="")
    print(f"{rate / speed.peak:.0%} of the peak of matrix products ({speed.peak / 1e9:.1f})")
    print(f"peak of memory {speed.memory:.0f} MiB")


def main(*arguments: str) -> None:
    """Run the benchmark."""
    own = dict(a.split("=", 1) for a in arguments if a.split("=")[0] in {*OWN, "out"})
    overrides = [a for a in arguments if a.split("=")[0] not in {*OWN, "out"}]
    speed = measure(overrides, **{name: int(own.get(name, value)) for name, value in OWN.items()})
    report(speed)
    if "out" in own:
        Path(own["out"]).write_text(json.dumps(asdict(speed), indent=1) + os.linesep)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except InputError as error:
        sys.exit(f"benchmarks.step: {error}")
