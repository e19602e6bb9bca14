"""What several GPUs and machines exchange in a step, and what share of the step that takes.

    python -m benchmarks.nodes [models=...] [batch=64] [resolution=32] [size=paper] [NAME=VALUE ...]

Parameters, floating-point buffers and operations of a step are counted, on the CPU with a small
batch. Times are computed from them and from assumptions, each an argument:

* ``tflops=100`` (1e12 multiplications and additions a second that a GPU reaches),
* ``memory=1500`` (GB/s), for the two copies into and out of the tensor that is exchanged,
* ``link=200`` (GB/s that a GPU sends to others of its machine),
* ``network=25`` (GB/s that a machine sends to others), ``gpus=8`` (of a machine),
* ``latency=30`` and ``far=100`` (microseconds of an exchange in a machine, and between them).

``batch`` is of a GPU. Gradients are float32, one exchange an update, after its backward pass and
not beside it. An exchange is a ring: each of n sends 2 (n - 1) / n of the bytes; between machines,
each machine sends the sums of its GPUs.
"""

import sys
import tempfile
from dataclasses import dataclass

import torch

from benchmarks.step import BareLoop, configured, counted, images_of, made_game

MODELS = "dcgan,sngan,biggan,stylegan2,r3gan"
SETTINGS = {"models": MODELS, "resolution": "32", "size": "paper"}
NUMBERS = {"batch": 64.0, "tflops": 100.0, "memory": 1500.0, "link": 200.0, "network": 25.0}
NUMBERS |= {"gpus": 8.0, "latency": 30.0, "far": 100.0}
COUNTED = 4  # images of the batch whose operations are counted
HEADS = (
    *("model", "G + D, million", "updates of D", "MB a step", "TFLOP a step", "compute, ms"),
    *("8 GPUs: exchange, ms", "efficiency", "64 GPUs: exchange, ms", "efficiency"),
)


@dataclass(frozen=True)
class Cost:
    """What a step of a model costs.

    Attributes:
        parameters: of generator and discriminator.
        n_critic: updates of the discriminator.
        buffers: floating-point numbers that are averaged after a step.
        flops: multiplications and additions of a step, an image.
    """

    parameters: tuple[int, int]
    n_critic: int
    buffers: int
    flops: float

    @property
    def sent(self) -> int:
        """Return the bytes of gradients and buffers of a step."""
        generator, discriminator = self.parameters
        return 4 * (generator + self.n_critic * discriminator + self.buffers)

    @property
    def exchanges(self) -> int:
        """Return how many exchanges a step has."""
        return 1 + self.n_critic + bool(self.buffers)


def cost(overrides: list[str]) -> Cost:
    """Return what a step costs with overrides of train.py."""
    cpu = torch.device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        given = ["accelerator=cpu", "accelerator.winograd=false", f"batch_size={COUNTED}"]
        config = configured([*overrides, *given], folder)
        game = made_game(config, cpu)
        images = images_of(config, game, 1)
    networks = [player.network for player in game.players]
    g, d = (sum(p.numel() for p in network.parameters()) for network in networks)
    buffers = [b for network in networks for b in network.buffers() if b.is_floating_point()]
    loop = BareLoop(game, images.labelled(images.resolution), "32-true")
    return Cost((g, d), game.n_critic, sum(b.numel() for b in buffers), counted(loop) / COUNTED)


def compute_time(cost: Cost, given: dict[str, float]) -> float:
    """Return the seconds of the computation of a step on a GPU."""
    return cost.flops * given["batch"] / (1e12 * given["tflops"])


def exchange_time(cost: Cost, machines: int, given: dict[str, float]) -> float:
    """Return the seconds of the exchanges of a step."""
    gpus, sent = given["gpus"], cost.sent / 1e9
    copies = 4 * sent / given["memory"]  # two, each read and written
    near = 2 * (gpus - 1) / gpus * sent / given["link"]
    far = 2 * (machines - 1) / machines * sent / given["network"]
    waits = 1e-6 * (given["latency"] + (machines > 1) * given["far"])
    return copies + near + far + cost.exchanges * waits


def row(model: str, cost: Cost, given: dict[str, float]) -> list[str]:
    """Return a line of the table."""
    compute = compute_time(cost, given)
    cells = [model, f"{sum(cost.parameters) / 1e6:.1f}", str(cost.n_critic)]
    cells += [f"{cost.sent / 1e6:.0f}", f"{cost.flops * given['batch'] / 1e12:.2f}"]
    cells.append(f"{1000 * compute:.1f}")
    for machines in (1, 8):
        exchange = exchange_time(cost, machines, given)
        cells += [f"{1000 * exchange:.2f}", f"{compute / (compute + exchange):.0%}"]
    return cells


def main(*arguments: str) -> None:
    """Print the table."""
    typed = dict(argument.split("=", 1) for argument in arguments)
    if unknown := typed.keys() - SETTINGS.keys() - NUMBERS.keys():
        sys.exit(f"benchmarks.nodes: {', '.join(unknown)}: it takes {[*SETTINGS, *NUMBERS]}")
    given = SETTINGS | {k: v for k, v in typed.items() if k in SETTINGS}
    numbers = NUMBERS | {k: float(v) for k, v in typed.items() if k in NUMBERS}
    print(*HEADS, sep=" | ")
    for model in given["models"].split(","):
        overrides = [f"model={model}", f"size={given['size']}"]
        overrides += [f"data.resolution={given['resolution']}", "progressive=false"]
        print(*row(model, cost(overrides), numbers), sep=" | ", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
