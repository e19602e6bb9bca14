"""Time of a training step in Ganymede, relative to a plain PyTorch loop with its own losses.

As benchmarks/step.py, but the loop has the losses, lazy terms and average written out, so that the
ratio tells the cost of the game's own methods, too. With one feature map and 8 pixels, the
difference is the overhead in milliseconds a step.

    python -m benchmarks.step_overhead [model=dcgan] [blocks=9] [steps=10] [OVERRIDE ...]

``model`` is dcgan, stylegan2 (with lazy R1 and path length regularization) or r3gan (with R1 and
R2). Other arguments are those of train.py, for example data.resolution=16
model.generator.width=32.
"""

import sys
import tempfile

import torch
from torch import Tensor
from torch.nn.functional import softplus

from benchmarks.step import (
    AlternatingTimer,
    Stopwatch,
    configured,
    images_of,
    made_game,
    spread,
    train,
)
from gan.algorithms.gan import GAN

CPU = torch.device("cpu")


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
        w, images = self.g.forward_with_styles(z[: len(z) // 2])
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
        penalty = 0.025 * (r1.square().sum() + r2.square().sum()) / len(real)
        return softplus(fake_logits - real_logits).mean() + penalty

    def generator(self, real: Tensor, z: Tensor, step: int) -> Tensor:
        with torch.no_grad():
            real_logits = self.d(real)
        return softplus(real_logits - self.d(self.g(z))).mean()


KINDS = {"dcgan": DCGANLosses, "stylegan2": StyleGAN2Losses, "r3gan": R3GANLosses}


class PlainLoop:
    """Training of a game's networks with plain PyTorch.

    Args:
        game: whose networks these are.
        real: images of an update (B, C, H, W).
        losses: of the two players.
    """

    def __init__(self, game: GAN, real: Tensor, losses: DCGANLosses) -> None:
        self.game, self.real, self.losses, self.steps = game, real, losses, 0
        self.adam_g, self.adam_d = (
            torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
            for network in (game.generator, game.discriminator)
        )

    def _latents(self) -> Tensor:
        """Return latents of an update."""
        return torch.randn(len(self.real), self.game.generator.latent_dim)

    def step(self) -> None:
        """Update both players once, and average."""
        g, d, losses = self.game.generator, self.game.discriminator, self.losses
        with torch.no_grad():
            fake = g(self._latents())
        torch.autograd.backward(losses.discriminator(self.real.clone(), fake, self.steps))
        self.adam_d.step()
        self.adam_d.zero_grad()
        d.requires_grad_(False)
        torch.autograd.backward(losses.generator(self.real, self._latents(), self.steps))
        d.requires_grad_(True)
        self.adam_g.step()
        self.adam_g.zero_grad()
        self._average()
        self.steps += 1

    @torch.no_grad()
    def _average(self) -> None:
        """Average the weights of the generator."""
        g, average = self.game.generator, self.game.averaged
        torch._foreach_lerp_(list(average.parameters()), list(g.parameters()), 0.01)
        for old, new in zip(average.buffers(), g.buffers(), strict=True):
            old.copy_(new)


def main(*arguments: str) -> None:
    """Run the benchmark."""
    own = {"model": "dcgan", "blocks": "9", "steps": "10"}
    given = own | dict(a.split("=", 1) for a in arguments if a.split("=")[0] in own)
    rest = [a for a in arguments if a.split("=")[0] not in own]
    blocks, steps, model = int(given["blocks"]), int(given["steps"]), given["model"]
    with tempfile.TemporaryDirectory() as folder:
        overrides = [f"model={model}", "batch_size=64", "accelerator=cpu", *rest]
        config = configured(overrides, folder)
        game, other = made_game(config, CPU), made_game(config, CPU)
        images = images_of(config, game, (blocks + 1) * steps)
        real, _ = images.labelled(images.resolution)
        loop = PlainLoop(other, real, KINDS[model](other))
        timer = AlternatingTimer(loop, steps, Stopwatch(CPU))
        train(config, game, images, timer)
    ratios = [a / b for a, b in zip(timer.training[1:], timer.bare[1:], strict=True)]
    print(f"training   {spread(timer.training[1:], 1000)} ms a step")
    print(f"plain loop {spread(timer.bare[1:], 1000)} ms a step")
    print(f"ratio      {spread(ratios)}, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main(*sys.argv[1:])
