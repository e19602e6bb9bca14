"""Modulated convolution: Ganymede's form compared with a grouped convolution.

The benchmark computes the derivatives that training needs: first derivatives, and the second
derivatives of the path length penalty. It checks that both forms agree, then times them in
turn. The output has the medians of CPU seconds (wall-clock seconds on a GPU) and the ratio. One
thread gives the most stable results: OMP_NUM_THREADS=1.

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

Inputs = tuple[Tensor, Tensor, Tensor]
Form = Callable[[Tensor, Tensor, Tensor], Tensor]
SIZES = ((256, 4), (128, 8), (64, 16), (32, 32))  # channels, pixels
PASSES = 3  # per block


def grouped(x: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    """Return the modulated convolution, computed with one group per image."""
    weights = weight * style[:, None, :, None, None]
    weights = weights * torch.rsqrt(weights.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    maps = x.reshape(1, -1, *x.shape[2:])
    maps = conv2d(maps, weights.flatten(0, 1), padding=weight.shape[2] // 2, groups=len(x))
    return maps.reshape(x.shape)


def first_derivatives(form: Form, *inputs: Tensor) -> None:
    """Compute first derivatives."""
    torch.autograd.backward(form(*inputs).sum())


def second_derivatives(form: Form, *inputs: Tensor) -> None:
    """Compute derivatives of the squared norm of the gradient with respect to the styles."""
    (gradient,) = torch.autograd.grad(form(*inputs).square().sum(), inputs[2], create_graph=True)
    torch.autograd.backward(gradient.square().sum())


def clock(device: torch.device) -> float:
    """Return CPU seconds of this process, or wall-clock seconds on a GPU."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def random_inputs(channels: int, pixels: int, batch: int, device: str, dtype: str) -> Inputs:
    """Return random maps, weights and styles that require gradients."""
    shapes = ((batch, channels, pixels, pixels), (channels, channels, 3, 3), (batch, channels))
    x, weight, style = (torch.randn(s, device=device, dtype=getattr(torch, dtype)) for s in shapes)
    x = x.contiguous(memory_format=torch.channels_last)
    return x.requires_grad_(), weight.requires_grad_(), style.requires_grad_()


def time_block(form: Form, order: Callable[..., None], inputs: Inputs) -> float:
    """Return the milliseconds per pass of a block."""
    started = clock(inputs[0].device)
    for _ in range(PASSES):
        order(form, *inputs)
    return (clock(inputs[0].device) - started) * 1000 / PASSES


def main(device: str, dtype: str, batch: int, blocks: int) -> None:
    """Run the benchmark."""
    print(f"batch {batch}, {dtype}, {device}, {torch.get_num_threads()} threads")
    for channels, pixels in SIZES:
        inputs = random_inputs(channels, pixels, batch, device, dtype)
        if dtype == "float32":
            torch.testing.assert_close(
                modulated_conv2d(*inputs), grouped(*inputs), rtol=1e-3, atol=1e-3
            )
        for name, order in (("first", first_derivatives), ("second", second_derivatives)):
            times = [
                (time_block(modulated_conv2d, order, inputs), time_block(grouped, order, inputs))
                for _ in range(blocks + 1)
            ][1:]
            modulated_time, grouped_time = (
                statistics.median(column) for column in zip(*times, strict=True)
            )
            print(
                f"{channels:4d} channels, {pixels:2d} pixels, {name:6s} derivatives: "
                f"batch-free {modulated_time:7.1f} ms, grouped {grouped_time:7.1f} ms, "
                f"ratio {grouped_time / modulated_time:.2f}"
            )


if __name__ == "__main__":
    options = dict(pair.split("=", 1) for pair in sys.argv[1:])
    main(
        options.get("device", "cpu"),
        options.get("dtype", "float32"),
        int(options.get("batch", 16)),
        int(options.get("blocks", 5)),
    )
