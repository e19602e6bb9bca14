"""Time of a step in Ganymede over a bare PyTorch loop with the same players.

Both train the same networks with the same loss, optimizers, average and data, in one process, turn
about in blocks of steps; Ganymede with logging, progress bar and CSV on. Prints each block's
CPU seconds a step (what other processes take does not count), the medians and their ratio. One
thread gives the steadiest figures: OMP_NUM_THREADS=1. With one feature map and 8 pixels the
networks cost next to nothing and the difference is the overhead itself, in milliseconds a step.

    python benchmarks/step_overhead.py [model=dcgan] [blocks=9] [steps=10] [OVERRIDE ...]

``model`` is dcgan, stylegan2 (with its lazy R1 and path lengths) or r3gan (with R1 and R2); further
arguments are those of train.py, such as data.resolution=16 model.generator.width=32.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor
from torch.nn.functional import softplus

from gan.algorithms.gan import GAN
from gan.algorithms.two_player import TwoPlayerGame
from gan.callbacks.base import StepCallback
from gan.callbacks.doctor import Doctor
from gan.callbacks.progress import Progress
from gan.callbacks.telemetry import Telemetry
from gan.loggers.table import Table
from gan.settings import resolvers, schema

CONF = Path(__file__).parent.parent / "conf"
BATCH = 64


def slope(outputs: Tensor, inputs: Tensor) -> Tensor:
    """Return the differentiable gradient of a sum."""
    return torch.autograd.grad(outputs.sum(), inputs, create_graph=True)[0]


class Plain:
    """What a player of DCGAN minimises, by hand."""

    def __init__(self, game: GAN) -> None:
        self.g, self.d = game.generator, game.discriminator

    def critic(self, real: Tensor, fake: Tensor, step: int) -> Tensor:
        return softplus(-self.d(real)).mean() + softplus(self.d(fake)).mean()

    def deceit(self, real: Tensor, z: Tensor, step: int) -> Tensor:
        return softplus(-self.d(self.g(z))).mean()


class Style(Plain):
    """What a player of StyleGAN2 minimises."""

    mean = torch.zeros(())

    def critic(self, real: Tensor, fake: Tensor, step: int) -> Tensor:
        if step % 16:
            return super().critic(real, fake, step)
        real = real.requires_grad_()
        logits = self.d(real)
        penalty = 16 * 0.005 * slope(logits, real).square().sum((1, 2, 3)).mean()
        return softplus(-logits).mean() + softplus(self.d(fake)).mean() + penalty

    def deceit(self, real: Tensor, z: Tensor, step: int) -> Tensor:
        loss = super().deceit(real, z, step)
        if step % 4:
            return loss
        w, images = self.g.forward_with_styles(z[: BATCH // 2])
        y = torch.randn_like(images) / images.shape[2]
        lengths = slope(images * y, w).square().sum(2).mean(1).sqrt()
        self.mean = self.mean.lerp(lengths.detach().mean(), 0.01)
        return loss + 4 * 2 * (lengths - self.mean).square().mean()


class Relativistic(Plain):
    """What a player of R3GAN minimises."""

    def critic(self, real: Tensor, fake: Tensor, step: int) -> Tensor:
        real, fake = real.requires_grad_(), fake.requires_grad_()
        ours, theirs = self.d(real), self.d(fake)
        slopes = slope(ours, real).square().sum() + slope(theirs, fake).square().sum()
        return softplus(theirs - ours).mean() + 0.025 * slopes / BATCH

    def deceit(self, real: Tensor, z: Tensor, step: int) -> Tensor:
        with torch.no_grad():
            ours = self.d(real)
        return softplus(ours - self.d(self.g(z))).mean()


KINDS = {"dcgan": Plain, "stylegan2": Style, "r3gan": Relativistic}


def bare_loop(game: GAN, data: Tensor, kind: type[Plain]) -> Iterator[None]:
    """Train the players of ``game`` by hand, one step an iteration."""
    g, d, average, losses = game.generator, game.discriminator, game.averaged, kind(game)
    adam_g = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    adam_d = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    for step in count():
        chosen = data[torch.randint(len(data), (BATCH,))]
        real = chosen.float().div_(127.5).sub_(1)
        with torch.no_grad():
            fake = g(torch.randn(BATCH, g.latent_dim))
        torch.autograd.backward(losses.critic(real, fake, step))
        adam_d.step()
        adam_d.zero_grad()
        d.requires_grad_(False)
        loss = losses.deceit(real.detach(), torch.randn(BATCH, g.latent_dim), step)
        torch.autograd.backward(loss)
        d.requires_grad_(True)
        adam_g.step()
        adam_g.zero_grad()
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(g.parameters()), 0.01)
            for old, new in zip(average.buffers(), g.buffers(), strict=True):
                old.copy_(new)
        yield


class TurnAbout(StepCallback):
    """After each block of Ganymede's steps, time a block of the bare loop's."""

    def __init__(self, loop: Iterator[None], steps: int) -> None:
        self.loop, self.steps = loop, steps
        self.ours: list[float] = []
        self.bare: list[float] = []
        self.started = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = time.process_time()

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame, last: bool) -> None:
        if game.clock.step % self.steps:
            return
        ended = time.process_time()
        self.ours.append((ended - self.started) / self.steps)
        for _ in range(self.steps):
            next(self.loop)
        self.bare.append((time.process_time() - ended) / self.steps)
        self.started = time.process_time()


class Batches:
    """The data module's way of cutting batches, on random images."""

    def __init__(self, data: Tensor, steps: int) -> None:
        self.data, self.steps = data, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[tuple[Tensor, None]]]:
        for _ in range(self.steps):
            chosen = self.data[torch.randint(len(self.data), (BATCH,))]
            yield [(chosen.float().div_(127.5).sub_(1), None)]


def game(config: DictConfig) -> GAN:
    """Return freshly drawn players, in the memory format of training."""
    torch.manual_seed(0)
    made: GAN = instantiate(config.model, _convert_="all")
    return made.to(memory_format=torch.channels_last)


def main(*given: str, model: str = "dcgan", blocks: int = 9, steps: int = 10) -> None:
    resolvers.register()
    schema.register()
    with initialize_config_dir(str(CONF), version_base="1.3"), tempfile.TemporaryDirectory() as run:
        overrides = [f"model={model}", "data.channels=3", "data.resolution=32", f"run_dir={run}"]
        overrides += [f"batch_size={BATCH}", *given]
        config = compose("train", overrides)
        shape = (2048, config.data.channels, config.data.resolution, config.data.resolution)
        data = torch.randint(256, shape, dtype=torch.uint8)
        about = TurnAbout(bare_loop(game(config), data, KINDS[model]), steps)
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=1,
            callbacks=[Telemetry(), Doctor(run), Progress(), about],
            logger=[Table(Path(run) / "metrics.csv")],
            log_every_n_steps=1,
            limit_val_batches=0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(game(config), Batches(data, (blocks + 1) * steps))
    report(about)


def report(about: TurnAbout) -> None:
    """Print the blocks but the first, which warms up, and the ratio."""
    ours, bare = about.ours[1:], about.bare[1:]
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    for name, seconds in (("ganymede", ours), ("bare loop", bare)):
        print(f"{name:10s} median {statistics.median(seconds) * 1000:7.1f} ms a step", end="   ")
        print(" ".join(f"{s * 1000:.1f}" for s in seconds))
    print(f"ratio of medians {statistics.median(ours) / statistics.median(bare):.3f}", end="   ")
    print(f"median of ratios {statistics.median(ratios):.3f}", end="   ")
    print(f"({min(ratios):.3f} to {max(ratios):.3f}), {torch.get_num_threads()} threads")


if __name__ == "__main__":
    own = {"blocks", "steps"}
    pairs = [pair.split("=", 1) for pair in sys.argv[1:]]
    model = dict(pairs).get("model", "dcgan")
    rest = [
        "+" * (k.startswith("model.")) + f"{k}={v}" for k, v in pairs if k not in {*own, "model"}
    ]
    main(*rest, model=model, **{k: int(v) for k, v in pairs if k in own})
