"""Time of a training step in Ganymede, relative to a plain PyTorch loop.

Both train the same networks with the same loss, optimizers, weight averaging and data, in
alternating blocks of one process. Ganymede has logging, progress bar and CSV on. The output has
the CPU seconds per step of each block, the medians and their ratio. One thread gives the most
stable results: OMP_NUM_THREADS=1. With one feature map and 8 pixels, the difference is the
overhead in milliseconds per step.

    python benchmarks/step_overhead.py [model=dcgan] [blocks=9] [steps=10] [OVERRIDE ...]

``model`` is dcgan, stylegan2 (with lazy R1 and path length regularization) or r3gan (with R1 and
R2). Other arguments are those of train.py, for example data.resolution=16
model.generator.width=32.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

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


def gradient(outputs: Tensor, inputs: Tensor) -> Tensor:
    """Return the differentiable gradient of the sum of ``outputs``."""
    return torch.autograd.grad(outputs.sum(), inputs, create_graph=True)[0]


class DCGANLosses:
    """The losses of DCGAN."""

    def __init__(self, game: GAN) -> None:
        self.g, self.d = game.generator, game.discriminator

    def discriminator(self, real: Tensor, fake: Tensor, step: int) -> Tensor:
        return softplus(-self.d(real)).mean() + softplus(self.d(fake)).mean()

    def generator(self, real: Tensor, z: Tensor, step: int) -> Tensor:
        return softplus(-self.d(self.g(z))).mean()


class StyleGAN2Losses(DCGANLosses):
    """The losses of StyleGAN2."""

    mean = torch.zeros(())

    def discriminator(self, real: Tensor, fake: Tensor, step: int) -> Tensor:
        if step % 16:
            return super().discriminator(real, fake, step)
        real = real.requires_grad_()
        logits = self.d(real)
        penalty = 16 * 0.005 * gradient(logits, real).square().sum((1, 2, 3)).mean()
        return softplus(-logits).mean() + softplus(self.d(fake)).mean() + penalty

    def generator(self, real: Tensor, z: Tensor, step: int) -> Tensor:
        loss = super().generator(real, z, step)
        if step % 4:
            return loss
        w, images = self.g.forward_with_styles(z[: BATCH // 2])
        y = torch.randn_like(images) / images.shape[2]
        lengths = gradient(images * y, w).square().sum(2).mean(1).sqrt()
        self.mean = self.mean.lerp(lengths.detach().mean(), 0.01)
        return loss + 4 * 2 * (lengths - self.mean).square().mean()


class R3GANLosses(DCGANLosses):
    """The losses of R3GAN."""

    def discriminator(self, real: Tensor, fake: Tensor, step: int) -> Tensor:
        real, fake = real.requires_grad_(), fake.requires_grad_()
        real_logits, fake_logits = self.d(real), self.d(fake)
        r1, r2 = gradient(real_logits, real), gradient(fake_logits, fake)
        penalty = 0.025 * (r1.square().sum() + r2.square().sum()) / BATCH
        return softplus(fake_logits - real_logits).mean() + penalty

    def generator(self, real: Tensor, z: Tensor, step: int) -> Tensor:
        with torch.no_grad():
            real_logits = self.d(real)
        return softplus(real_logits - self.d(self.g(z))).mean()


KINDS = {"dcgan": DCGANLosses, "stylegan2": StyleGAN2Losses, "r3gan": R3GANLosses}


def plain_loop(game: GAN, data: Tensor, kind: type[DCGANLosses]) -> Iterator[None]:
    """Train the networks of ``game`` with plain PyTorch, one step per iteration."""
    g, d, average, losses = game.generator, game.discriminator, game.averaged, kind(game)
    adam_g = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    adam_d = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    for step in count():
        chosen = data[torch.randint(len(data), (BATCH,))]
        real = chosen.float().div_(127.5).sub_(1)
        with torch.no_grad():
            fake = g(torch.randn(BATCH, g.latent_dim))
        torch.autograd.backward(losses.discriminator(real, fake, step))
        adam_d.step()
        adam_d.zero_grad()
        d.requires_grad_(False)
        loss = losses.generator(real.detach(), torch.randn(BATCH, g.latent_dim), step)
        torch.autograd.backward(loss)
        d.requires_grad_(True)
        adam_g.step()
        adam_g.zero_grad()
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(g.parameters()), 0.01)
            for old, new in zip(average.buffers(), g.buffers(), strict=True):
                old.copy_(new)
        yield


class AlternatingTimer(StepCallback):
    """Time blocks of Ganymede's steps and blocks of the plain loop in turn."""

    def __init__(self, loop: Iterator[None], steps: int) -> None:
        self.loop, self.steps = loop, steps
        self.ganymede: list[float] = []
        self.plain: list[float] = []
        self.started = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = time.process_time()

    def after_step(self, trainer: pl.Trainer, game: TwoPlayerGame[Any], last: bool) -> None:
        if game.clock.step % self.steps:
            return
        ended = time.process_time()
        self.ganymede.append((ended - self.started) / self.steps)
        for _ in range(self.steps):
            next(self.loop)
        self.plain.append((time.process_time() - ended) / self.steps)
        self.started = time.process_time()


class Batches:
    """Batches of random images, as the data module makes them."""

    def __init__(self, data: Tensor, steps: int) -> None:
        self.data, self.steps = data, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[tuple[Tensor, None]]]:
        for _ in range(self.steps):
            chosen = self.data[torch.randint(len(self.data), (BATCH,))]
            yield [(chosen.float().div_(127.5).sub_(1), None)]


def game(config: DictConfig) -> GAN:
    """Return a new game in the memory format of training."""
    torch.manual_seed(0)
    new_game: GAN = instantiate(config.model, _convert_="all")
    return new_game.to(memory_format=torch.channels_last)


def main(*arguments: str, model: str = "dcgan", blocks: int = 9, steps: int = 10) -> None:
    """Run the benchmark."""
    resolvers.register()
    schema.register()
    with initialize_config_dir(str(CONF), version_base="1.3"), tempfile.TemporaryDirectory() as run:
        overrides = [f"model={model}", "data.channels=3", "data.resolution=32", f"run_dir={run}"]
        overrides += [f"batch_size={BATCH}", *arguments]
        config = compose("train", overrides)
        shape = (2048, config.data.channels, config.data.resolution, config.data.resolution)
        data = torch.randint(256, shape, dtype=torch.uint8)
        timer = AlternatingTimer(plain_loop(game(config), data, KINDS[model]), steps)
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=1,
            callbacks=[Telemetry(), Doctor(run), Progress(), timer],
            logger=[Table(Path(run) / "metrics.csv")],
            log_every_n_steps=1,
            limit_val_batches=0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(game(config), Batches(data, (blocks + 1) * steps))
    report(timer)


def report(timer: AlternatingTimer) -> None:
    """Print the blocks without the first, which is a warm-up, and the ratio."""
    ganymede, plain = timer.ganymede[1:], timer.plain[1:]
    ratios = [a / b for a, b in zip(ganymede, plain, strict=True)]
    for name, seconds in (("ganymede", ganymede), ("plain loop", plain)):
        print(f"{name:10s} median {statistics.median(seconds) * 1000:7.1f} ms a step", end="   ")
        print(" ".join(f"{s * 1000:.1f}" for s in seconds))
    print(
        f"ratio of medians {statistics.median(ganymede) / statistics.median(plain):.3f}", end="   "
    )
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
