import importlib
import inspect
import math
import pkgutil
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

import datamodules.degradations
from datamodules.base import ImageDataModule
from datamodules.degradations.base import Degradation
from datamodules.degradations.colorize import Colorize
from datamodules.degradations.deblur import Deblur
from datamodules.degradations.denoise import Denoise, clipped_mean
from datamodules.degradations.edges import Edges
from datamodules.degradations.inpaint import Inpaint
from datamodules.degradations.superresolve import Superresolve, resize
from datamodules.digits import Digits
from datamodules.errors import DataError
from datamodules.synthetic import Synthetic
from tests.configs import ROOT, options

SIDE = 32
LEVEL = 2 / 255  # of 8 bits


def classes() -> list[type[Degradation]]:
    """Return the degradations of the package."""
    names = [module.name for module in pkgutil.iter_modules(datamodules.degradations.__path__)]
    modules = [importlib.import_module(f"datamodules.degradations.{name}") for name in names]
    kinds = {kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)}
    found = [kind for kind in kinds if issubclass(kind, Degradation) and kind is not Degradation]
    return sorted(found, key=lambda kind: kind.name)


TASKS = [kind() for kind in classes()]
TASKS += [Inpaint(random=True), Superresolve(factor=4)]
IDS = [" ".join(map(str, task.settings.values())) for task in TASKS]


def keys(count: int) -> list[tuple[int, ...]]:
    return [(3, index) for index in range(count)]


@pytest.fixture(scope="module")
def pictures() -> dict[int, Tensor]:
    """Return four gray and four colour images by the number of channels."""
    sets: dict[int, ImageDataModule] = {
        1: Digits(channels=1, resolution=SIDE, num_classes=10, batch_size=1),
        3: Synthetic(channels=3, resolution=SIDE, num_classes=3, batch_size=1, train_size=4),
    }
    return {c: data.batch("train", torch.arange(4))[0] for c, data in sets.items()}


def ramp(down: float, right: float, height: int = SIDE, width: int = SIDE) -> Tensor:
    """Return a gray image (1, 1, H, W) that rises linearly, 0 in its centre."""
    rows, columns = (torch.arange(side) - (side - 1) / 2 for side in (height, width))
    return (down * rows[:, None] + right * columns)[None, None]


def psnr(images: Tensor, targets: Tensor) -> float:
    return 10 * math.log10(4 / (images - targets).square().mean().item())


def test_every_degradation_has_a_yaml_of_its_name() -> None:
    nodes = {
        name: yaml.safe_load((ROOT / f"conf/task/{name}.yaml").read_text())
        for name in options("task")
    }
    assert nodes.pop("none") == {}
    assert {name: node["_target_"] for name, node in nodes.items()} == {
        kind.name: f"{kind.__module__}.{kind.__name__}" for kind in classes()
    }


@pytest.mark.parametrize("task", TASKS, ids=IDS)
def test_settings_have_the_name_and_every_argument(task: Degradation) -> None:
    arguments = {name: getattr(task, name) for name in inspect.signature(type(task)).parameters}
    assert task.settings == {"task": task.name} | arguments


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("task", TASKS, ids=IDS)
def test_a_source_depends_on_its_image_and_key_alone(
    task: Degradation, channels: int, pictures: dict[int, Tensor]
) -> None:
    images = pictures[channels][..., :24, :]
    before = images.clone()
    sources = task(images, keys(4))
    order = [2, 0, 3]
    others = task(images[order], [keys(4)[k] for k in order])
    assert others.equal(sources[order])
    assert images.equal(before)
    assert sources.shape == (4, channels, 24 // task.scale, SIDE // task.scale)
    assert sources.dtype == torch.float32
    assert sources.abs().max().item() <= 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("task", TASKS, ids=IDS)
def test_classical_restoration_is_nearer_to_the_image(
    task: Degradation, channels: int, pictures: dict[int, Tensor]
) -> None:
    images = pictures[channels][..., :24, :]
    sources = task(images, keys(4))
    restored = task.baseline(sources)
    assert restored.shape == images.shape
    assert restored.dtype == torch.float32
    assert restored.abs().max().item() <= 1
    enlarged = F.interpolate(sources, scale_factor=task.scale)
    if restored.equal(enlarged):
        assert task.classical is None
    else:
        assert psnr(restored, images) > psnr(enlarged, images) + 0.3


@pytest.mark.parametrize(
    "task", [Denoise(), Inpaint(size=4, random=True)], ids=lambda task: task.name
)
def test_other_keys_give_other_sources(task: Degradation) -> None:
    images = torch.ones(4, 1, 16, 16)
    sources = task(images, [(1, 0), (0, 1), (1,), (1, 0, 0)])
    assert len({source.numpy().tobytes() for source in sources}) == 4


def test_noise_has_its_standard_deviation_in_every_channel() -> None:
    sources = Denoise(std=0.2)(torch.zeros(8, 3, 64, 64), keys(8))
    by_channel = sources.transpose(0, 1).flatten(1)
    assert by_channel.std(1).numpy() == pytest.approx(0.2, rel=0.02)
    assert by_channel.mean(1).numpy() == pytest.approx(0, abs=0.004)
    assert by_channel.corrcoef().sub(torch.eye(3)).abs().max().item() < 0.03


def test_mean_of_clipped_noise() -> None:
    levels = np.array([-1.0, -0.6, 0.0, 1.0])
    means = clipped_mean(levels, 0.5)
    half_normal = 0.5 / math.sqrt(2 * math.pi)
    tail = 0.5 * (1 + math.erf(-4 / math.sqrt(2)))  # white and beyond is far from black
    assert means[[0, 3]] == pytest.approx([-1 + half_normal, 1 - half_normal], abs=3 * tail)
    drawn = Denoise(std=0.5)(torch.full((8, 1, 64, 64), -0.6), keys(8))
    assert means[1] == pytest.approx(drawn.mean().item(), abs=0.01)
    assert means[2] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("level", "moved"), [(-1.0, 0.18), (-0.8, 0.08), (0.7, 0.06), (1.0, 0.18)])
def test_denoising_restores_levels_that_clipping_moved(level: float, moved: float) -> None:
    images = torch.full((1, 1, 24, 24), level)
    task = Denoise(std=0.5)
    assert task(images, keys(1)).sub(level).mean().abs().item() > moved
    assert task.baseline(task(images, keys(1))).sub(level).mean().abs().item() < 0.05


@pytest.mark.parametrize(("height", "top"), [(32, 10), (31, 9)])
def test_the_hole_is_centred_and_exact(height: int, top: int) -> None:
    images = torch.rand(2, 3, height, 32) + 0.1
    expected = images.clone()
    expected[:, :, top : top + 12, 10:22] = 0
    assert Inpaint(size=12)(images, keys(2)).equal(expected)


def test_random_holes_reach_every_place() -> None:
    sources = Inpaint(size=3, random=True)(torch.ones(200, 1, 5, 6), keys(200))
    holes = sources[:, 0] == 0
    assert holes.sum((1, 2)).eq(9).all()
    corners = holes.flatten(1).int().argmax(1)
    assert set(corners.tolist()) == {6 * row + column for row in range(3) for column in range(4)}


@pytest.mark.parametrize("random", [False, True])
def test_inpainting_restores_a_linear_image_and_keeps_the_rest(random: bool) -> None:
    images = ramp(0.02, -0.03).repeat(8, 1, 1, 1) + 0.02
    task = Inpaint(size=6, random=random)
    sources = task(images, keys(8))
    restored = task.baseline(sources)
    assert restored[sources != 0].equal(images[sources != 0])
    inside = (F.pad(sources[..., 2:-2, 2:-2], [2] * 4, value=1) == 0).sum((1, 2, 3)) == 36
    assert inside.sum().item() > 3  # at a border, it is not determined
    assert restored[inside].sub(images[inside]).abs().max().item() < 1e-4


def test_a_hole_is_found_in_a_picture_of_8_bits(pictures: dict[int, Tensor]) -> None:
    task = Inpaint(size=6, random=True)
    sources = task(pictures[3], keys(4))
    stored = ((sources + 1) * 127.5).round() / 127.5 - 1
    assert task.baseline(stored).sub(task.baseline(sources)).abs().max().item() < 4 * LEVEL


@pytest.mark.parametrize("size", [(16, 8), (64, 96)])
def test_bicubic_resizing_is_that_of_pillow(size: tuple[int, int]) -> None:
    image = torch.rand(32, 48, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    height, width = size
    expected = Image.fromarray(image.numpy()).resize((width, height), Image.Resampling.BICUBIC)
    resized = resize(image[None, None], height, width)[0, 0]
    assert resized.numpy() == pytest.approx(np.asarray(expected).clip(-1, 1), abs=1e-5)


def test_reduction_of_a_linear_image_is_linear() -> None:
    small = Superresolve(factor=4)(ramp(0.02, 0.01), keys(1))
    inner = ramp(0.08, 0.04, 8, 8)[..., 2:-2, 2:-2]
    assert small[..., 2:-2, 2:-2].sub(inner).abs().max().item() < 1e-5


def test_luma_of_the_primaries() -> None:
    primaries = (torch.eye(3) * 2 - 1)[None, :, :, None]  # a pixel each
    expected = 2 * torch.tensor([0.299, 0.587, 0.114]) - 1
    source = Colorize()(primaries, keys(1))[0, :, :, 0]
    assert source.sub(expected).abs().max().item() < 1e-6


def test_blur_of_a_point_is_the_gaussian() -> None:
    image = torch.full((1, 1, 33, 33), -1.0)
    image[..., 16, 16] = 1
    squares = ramp(1, 0, 33, 33).square() + ramp(0, 1, 33, 33).square()
    density = (-squares / (2 * 1.5**2)).exp() / (2 * math.pi * 1.5**2)
    source = Deblur(std=1.5)(image, keys(1))
    assert source.sub(2 * density - 1).abs().max().item() <= LEVEL / 2 + 1e-4


def test_blur_reflects_at_the_border_and_is_rounded(pictures: dict[int, Tensor]) -> None:
    images = pictures[3]
    expected = gaussian_filter(images.numpy(), 1.2, mode="mirror", axes=(2, 3))
    source = Deblur(std=1.2)(images, keys(4))
    assert source.numpy() == pytest.approx(expected, abs=LEVEL / 2 + 1e-5)
    levels = (source + 1) / LEVEL
    assert levels.sub(levels.round()).abs().max().item() < 1e-4


def test_edges_of_a_step_and_of_a_linear_image() -> None:
    step = torch.ones(1, 1, 8, 8)
    step[..., :4] = -1
    expected = torch.ones(1, 1, 8, 8)
    expected[..., 3:5] = -1
    assert Edges()(step, keys(1)).equal(expected)
    diagonal = torch.ones(8, 8).triu()[None, None] * 2 - 1
    assert Edges()(diagonal, keys(1)).min().item() == -1  # where the gradient is 1.06
    inner = Edges()(ramp(0.03, 0.04), keys(1))[..., 1:-1, 1:-1]
    assert inner.numpy() == pytest.approx(1 - 2 * 0.05, abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        (Denoise, "std", 0.0),
        (Denoise, "std", math.inf),
        (Inpaint, "size", 0),
        (Superresolve, "factor", 1),
        (Deblur, "std", -1.0),
        (Deblur, "std", math.nan),
    ],
)
def test_settings_out_of_range_are_refused(
    kind: type[Degradation], setting: str, value: float
) -> None:
    with pytest.raises(DataError, match=f"^task.{setting}={value}: must be"):
        kind(**{setting: value})


@pytest.mark.parametrize(
    ("task", "channels", "resolution", "message"),
    [
        (Inpaint(size=12), 1, 12, r"task.size=12: .* 12 pixels a side: give at most 11"),
        (Superresolve(factor=3), 3, 32, r"task.factor=3: .* 32 pixels .* multiple"),
        (Deblur(std=4), 1, 16, r"task.std=4: .* 16 pixels a side: give at most 3.75"),
        (Colorize(), 1, 32, r"task=colorize: the images are gray: .*data=cifar10"),
        (Edges(), 2, 1, r"task=edges: the data are points"),
    ],
)
def test_images_that_cannot_be_degraded_are_refused(
    task: Degradation, channels: int, resolution: int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        task.check(channels, resolution)


def test_the_limits_that_a_refusal_names_are_accepted() -> None:
    Inpaint(size=11).check(1, 12)
    task = Deblur(std=3.75)
    task.check(1, 16)
    assert task(torch.zeros(1, 1, 16, 16), keys(1)).abs().max().item() < LEVEL


def test_without_scikit_image_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    sources = torch.zeros(1, 1, 16, 16)
    for task in (Denoise(), Inpaint(size=4), Deblur()):
        with pytest.raises(DataError, match=r"scikit-image: .*\[restoration\]"):
            task.baseline(sources)


@pytest.mark.parametrize("random", [False, True])
@pytest.mark.parametrize("size", [1, 2, 12])
def test_only_the_hole_is_completed(pictures: dict[int, Tensor], size: int, random: bool) -> None:
    task, images = Inpaint(size, random), pictures[3]
    sources = task(images, keys(len(images)))
    stored = sources.add(1).mul(127.5).round().div(127.5).sub(1)
    restored = torch.full_like(images, 0.25)
    for given in (sources, stored):
        whole = task.complete(given, restored)
        hole = (sources != images).any(1, keepdim=True).expand_as(images)
        assert (whole[hole] == 0.25).all()
        kept = (whole == given) | (given.abs() < 0.02).all(1, keepdim=True)
        assert kept[~hole].float().mean() > 0.99


def test_colours_keep_the_luma_of_their_source(pictures: dict[int, Tensor]) -> None:
    task, images = Colorize(), 0.3 * pictures[3]
    sources = task(images, keys(len(images)))
    guess = images + 0.2 * torch.tensor([1.0, -1.0, 0.5]).view(3, 1, 1)
    coloured = task.complete(sources, guess)
    torch.testing.assert_close(task(coloured, keys(len(images))), sources)
    difference = (guess - coloured).std(1)
    assert difference.abs().max() < 1e-6  # the same for all channels
