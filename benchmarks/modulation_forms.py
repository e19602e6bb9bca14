"""Modulated convolution, batch-free, against a grouped convolution of weights of each image's own.

Each with what training asks of it: first derivatives of everything, and the second derivatives of
the path length penalty. The forms take turns in one process, after it was seen that they agree;
prints the medians of CPU seconds (wall seconds on a GPU) and their ratio. Steadiest with one
thread: OMP_NUM_THREADS=1.

    python -m benchmarks.modulation_forms [device=cpu] [dtype=float32] [batch=16] [blocks=5]
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from gan.layers.modulation import modulated_conv2d

Given = tuple[Tensor, Tensor, Tensor]
Form = Callable[[Tensor, Tensor, Tensor], Tensor]
SIZES = ((256, 4), (128, 8), (64, 16), (32, 32))  # channels, pixels
PASSES = 3  # a block


def grouped(x: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    """Return the modulated convolution as one with a group for each image."""
    own = weight * style[:, None, :, None, None]
    own = own * torch.rsqrt(own.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    maps = x.reshape(1, -1, *x.shape[2:])
    maps = conv2d(maps, own.flatten(0, 1), padding=weight.shape[2] // 2, groups=len(x))
    return maps.reshape(x.shape)


def first(form: Form, *given: Tensor) -> None:
    """Differentiate once."""
    torch.autograd.backward(form(*given).sum())


def second(form: Form, *given: Tensor) -> None:
    """Differentiate the squared norm of the styles' gradient."""
    (slope,) = torch.autograd.grad(form(*given).square().sum(), given[2], create_graph=True)
    torch.autograd.backward(slope.square().sum())


def clock(device: torch.device) -> float:
    """Return the seconds that this process worked, or the device's."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def drawn(channels: int, pixels: int, batch: int, device: str, dtype: str) -> Given:
    """Return maps, weights and styles to be differentiated."""
    shapes = ((batch, channels, pixels, pixels), (channels, channels, 3, 3), (batch, channels))
    x, weight, style = (torch.randn(s, device=device, dtype=getattr(torch, dtype)) for s in shapes)
    x = x.contiguous(memory_format=torch.channels_last)
    return x.requires_grad_(), weight.requires_grad_(), style.requires_grad_()


def block(form: Form, order: Callable[..., None], given: Given) -> float:
    """Return the milliseconds of a pass."""
    started = clock(given[0].device)
    for _ in range(PASSES):
        order(form, *given)
    return (clock(given[0].device) - started) * 1000 / PASSES


def main(device: str, dtype: str, batch: int, blocks: int) -> None:
    print(f"batch {batch}, {dtype}, {device}, {torch.get_num_threads()} threads")
    for channels, pixels in SIZES:
        given = drawn(channels, pixels, batch, device, dtype)
        if dtype == "float32":
            torch.testing.assert_close(
                modulated_conv2d(*given), grouped(*given), rtol=1e-3, atol=1e-3
            )
        for order in (first, second):
            turns = [
                (block(modulated_conv2d, order, given), block(grouped, order, given))
                for _ in range(blocks + 1)
            ][1:]
            free, own = (statistics.median(taken) for taken in zip(*turns, strict=True))
            print(
                f"{channels:4d} channels, {pixels:2d} pixels, {order.__name__:6s} derivatives: "
                f"batch-free {free:7.1f} ms, grouped {own:7.1f} ms, ratio {own / free:.2f}"
            )


if __name__ == "__main__":
    options = dict(pair.split("=", 1) for pair in sys.argv[1:])
    main(
        options.get("device", "cpu"),
        options.get("dtype", "float32"),
        int(options.get("batch", 16)),
        int(options.get("blocks", 5)),
    )
