"""A small convolutional classifier and its training."""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan.backbones.dataset import Split
from gan.progress import track


class Block(nn.Sequential):
    """3x3 convolution, optional 2x2 max pooling, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, halve: bool = False) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.MaxPool2d(2, ceil_mode=True) if halve else nn.Identity(),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class Residual(Block):
    """A block with an identity path."""

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps (B, C, H, W) for input of the same shape."""
        y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x + y


class Classifier(nn.Module):
    """Blocks of growing width that halve the resolution, until the maps are about 4x4.

    Args:
        channels: C, number of image channels.
        resolution: R, height and width, 8 or more.
        num_classes: K, number of classes.
    """

    VERSION = 1
    NUM_FEATURES = 128

    def __init__(self, channels: int, resolution: int, num_classes: int) -> None:
        super().__init__()
        wide = self.NUM_FEATURES
        extra = max(0, round(math.log2(resolution / 32)))
        widths = [channels, *[wide // 4] * extra, wide // 4, wide // 2, wide]
        self.body = nn.Sequential(
            *(Block(i, o, halve=True) for i, o in pairwise(widths)),
            Residual(wide, wide),
            Residual(wide, wide),
        )
        self.head = nn.Linear(wide, num_classes)
        self.to(memory_format=torch.channels_last)

    def pool(self, images: Tensor) -> Tensor:
        """Return features (B, F) of uint8 images (B, C, R, R)."""
        x = images.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        pooled: Tensor = self.body(x).mean((2, 3))
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, K) of uint8 images (B, C, R, R)."""
        logits: Tensor = self.head(self.pool(images))
        return logits


def random_shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return a batch translated by up to an eighth of its side; edge pixels fill the border."""
    reach = images.shape[-1] // 8
    padded = F.pad(images.float(), (reach,) * 4, mode="replicate").to(images.dtype)
    top, left = torch.randint(2 * reach + 1, (2,), generator=generator).tolist()
    return padded[..., top : top + images.shape[-2], left : left + images.shape[-1]]


@dataclass(frozen=True)
class Training:
    """Training of a classifier: rounds of SGD with a one-cycle schedule (Smith and Topin, 2018).

    Training ends after the first round with sufficient accuracy: a few hundred steps for digits,
    all rounds for photographs.

    Attributes:
        rounds: number of steps of each round.
        enough: accuracy on the last training batches of a round at which training ends, in [0, 1].
        batch_size: images per step.
        learning_rate: maximum of each cycle.
        flip: whether images are mirrored at random; for photographs, not for digits.
    """

    rounds: tuple[int, ...] = (150, 600, 3000)
    enough: float = 0.984
    batch_size: int = 64
    learning_rate: float = 0.1
    flip: bool = False

    @property
    def images(self) -> int:
        """Return how many images all rounds take."""
        return sum(self.rounds) * self.batch_size

    def fit(
        self, net: Classifier, split: Split, indices: Tensor, seed: int, device: torch.device
    ) -> None:
        """Train `net` on the images of `split` at `indices`; all randomness comes from `seed`."""
        batches = Batches(split, indices, self, torch.Generator().manual_seed(seed), device)
        net.train()
        for steps in self.rounds:
            if self._cycle(net, batches, steps) >= self.enough:
                break
        net.eval()

    def _cycle(self, net: Classifier, batches: "Batches", steps: int) -> float:
        """Train for one cycle and return the accuracy on its last tenth of batches."""
        optimizer = torch.optim.SGD(
            net.parameters(), momentum=0.9, nesterov=True, weight_decay=5e-4
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, total_steps=steps, pct_start=0.25
        )
        correct = []
        for _ in track(range(steps), "classifier", steps):
            images, labels = batches.sample()
            logits = net(images)
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(logits, labels))
            optimizer.step()
            schedule.step()
            correct.append((logits.argmax(1) == labels).float().mean().detach())
        return float(torch.stack(correct[-max(1, steps // 10) :]).mean())


class Batches:
    """Shuffled and augmented batches of a split, without end."""

    def __init__(
        self,
        split: Split,
        indices: Tensor,
        training: Training,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        assert split.labels is not None
        self.split, self.indices, self.labels = split, indices, split.labels
        self.training, self.generator, self.device = training, generator, device
        self.queue = indices[:0]

    def sample(self) -> tuple[Tensor, Tensor]:
        """Return the next images, uint8 (B, C, R, R), and their labels (B,)."""
        while len(self.queue) < self.training.batch_size:
            order = torch.randperm(len(self.indices), generator=self.generator)
            self.queue = torch.cat([self.queue, self.indices[order]])
        size = self.training.batch_size
        chosen, self.queue = self.queue[:size], self.queue[size:]
        images = random_shift(self.split.images(chosen), self.generator)
        if self.training.flip and torch.rand((), generator=self.generator) < 0.5:
            images = images.flip(-1)
        return images.to(self.device), self.labels[chosen].to(self.device)


@torch.no_grad()
def accuracy(net: Classifier, split: Split, indices: Tensor, device: torch.device) -> float:
    """Return the accuracy of `net` on the images of `split` at `indices`, in [0, 1]."""
    assert split.labels is not None
    correct = 0
    for chosen in torch.split(indices, 500):
        predictions = net(split.images(chosen).to(device)).argmax(1).cpu()
        correct += int((predictions == split.labels[chosen]).sum())
    return correct / len(indices)
