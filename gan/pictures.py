"""Pictures of generated images and points."""

from collections.abc import Sequence
from colorsys import hsv_to_rgb
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d, pad

from gan.backbones.pixels import to_uint8
from gan.errors import InputError
from gan.files import open_file, replacement

_SMALLEST = 512  # minimum size of a grid in pixels, reached by an integer scale
_SIDE = 512  # height and width of a scatter plot in pixels
_DOT = 3  # height and width of a point in pixels
_INK = (31, 119, 180)
_OPACITY = 0.5  # of one point
_COLOURS = (
    *((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189)),
    *((140, 86, 75), (227, 119, 194), (127, 127, 127), (188, 189, 34), (23, 190, 207)),
)
_MAP, _MARGIN = 700, 12  # height and width of a map, and its edge, in pixels
_LEGEND, _LINE, _NAME = 180, 22, 16  # width of a legend, height of a line, letters of a name
_BORDER = 2  # pixels between two images of a grid
_WHITE = 255
_FRAME = 60  # milliseconds of a frame
_MODES = {1: "L", 3: "RGB"}  # Pillow's modes by the number of channels


def picture(images: Tensor, columns: int) -> Tensor:
    """Return images (B, C, H, W) in [-1, 1] as one picture (3, H', W') of uint8.

    Points (B, 2, 1, 1) become a scatter plot, other images a grid with ``columns`` columns.
    """
    if images.shape[1:] == (2, 1, 1):
        return scatter_plot(images.flatten(1))
    return tile(images, columns)


def tile(images: Tensor, columns: int) -> Tensor:
    """Return a grid (3, H', W') of uint8 from images (B, C, H, W) in [-1, 1]."""
    grid = _grid(to_uint8(images), columns)
    factor = -(-_SMALLEST // max(grid.shape[1:]))
    return grid.repeat_interleave(factor, 1).repeat_interleave(factor, 2)


def _grid(images: Tensor, columns: int) -> Tensor:
    """Return images (B, 1 or 3, H, W) of uint8 as a grid (3, H', W') with white borders.

    A single image has no border. Free cells of the last row are white.
    """
    images = images.expand(-1, 3, -1, -1)
    if len(images) == 1:
        return images[0]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    cells = pad(images, (_BORDER, 0, _BORDER, 0), value=_WHITE)
    free = cells.new_full((rows * columns - len(cells), *cells.shape[1:]), _WHITE)
    cells = torch.cat([cells, free]).view(rows, columns, *cells.shape[1:])
    grid = cells.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)
    return pad(grid, (0, _BORDER, 0, _BORDER), value=_WHITE)


def same_shape(images: Tensor, others: Tensor) -> Tensor:
    """Return images (B, C, H, W) with the channels and the size of others, (B, C', H', W').

    Gray becomes colour; pixels are repeated or left out.
    """
    wide = images.expand(-1, others.shape[1], -1, -1) if images.shape[1] == 1 else images
    return interpolate(wide, others.shape[2:], mode="nearest-exact")


def fit(image: Tensor, side: int) -> Tensor:
    """Return an image (C, H, W) in the middle of a white square (3, side, side).

    A larger image is reduced; the pixels of a smaller one are repeated as often as fits.
    """
    height, width = image.shape[1:]
    factor = side / max(height, width)
    if factor < 1:
        size = [max(1, round(factor * length)) for length in (height, width)]
        image = interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    else:
        image = image.repeat_interleave(int(factor), 1).repeat_interleave(int(factor), 2)
    square = image.new_ones(3, side, side)
    top, left = ((side - length) // 2 for length in image.shape[1:])
    square[:, top : top + image.shape[1], left : left + image.shape[2]] = image
    return square


def stack_blocks(blocks: Sequence[Tensor]) -> Tensor:
    """Return blocks (rows, columns, C, H, W) as images (B, C, H, W) of one grid.

    Short rows are filled with white, and a white row separates two blocks.
    """
    columns = max(block.shape[1] for block in blocks)
    rows = []
    for block in blocks:
        paper = block.new_ones(len(block) + 1, columns, *block.shape[2:])
        paper[:-1, : block.shape[1]] = block
        rows.append(paper)
    return torch.cat(rows)[:-1].flatten(0, 1)


def alternate_rows(upper: Tensor, lower: Tensor, columns: int) -> Tensor:
    """Return two sets of images (n, C, H, W) ordered for a grid with ``columns`` columns.

    In that grid, rows of ``upper`` and ``lower`` alternate; the last rows are filled with white.
    """
    blank = upper.new_ones(-len(upper) % columns, *upper.shape[1:])
    rows = [torch.split(torch.cat([images, blank]), columns) for images in (upper, lower)]
    return torch.cat([row for pair in zip(*rows, strict=True) for row in pair])


def scatter_plot(points: Tensor) -> Tensor:
    """Return points (B, 2) of [-1, 1]^2 as a scatter plot (3, S, S) of uint8.

    The x axis points right and the y axis up. Points out of range are moved to the border.
    """
    x, y = (points.float() * torch.tensor([1.0, -1.0]) + 1).mul(_SIDE / 2).unbind(1)
    column, row = (a.long().clamp(0, _SIDE - 1) for a in (x, y))
    hits = torch.bincount(row * _SIDE + column, minlength=_SIDE**2).view(1, _SIDE, _SIDE)
    dots = max_pool2d(hits.float(), _DOT, stride=1, padding=_DOT // 2)
    paper = (1 - _OPACITY) ** dots
    ink = torch.tensor(_INK)[:, None, None]
    return (ink + (255 - ink) * paper).round().to(torch.uint8)


def class_map(points: Tensor, labels: Tensor | None, names: Sequence[str]) -> Tensor:
    """Return points (n, 2) of [-1, 1]^2, coloured by class, with a legend: (3, H, W) of uint8.

    Args:
        points: (n, 2); the x axis points right and the y axis up.
        labels: (n,), or ``None`` for one colour and no legend.
        names: of the classes, in the order of the labels; those without points are left out.
    """
    present = [] if labels is None else sorted(set(labels.tolist()))
    height = max(_MAP, (len(present) + 1) * _LINE)
    paper = Image.new("RGB", (_MAP + (_LEGEND if present else 0), height), "white")
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(_LINE - 6)
    places = ((points * torch.tensor([1.0, -1.0]) + 1) * (_MAP / 2 - _MARGIN) + _MARGIN).tolist()
    classes = [0] * len(points) if labels is None else labels.tolist()
    for (x, y), label in zip(places, classes, strict=True):
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=_colour(label))
    for row, label in enumerate(present):
        top = _LINE // 2 + row * _LINE
        draw.rectangle((_MAP, top, _MAP + 12, top + 12), fill=_colour(label))
        draw.text((_MAP + 20, top - 3), names[label][:_NAME], fill="black", font=font)
    levels = torch.frombuffer(bytearray(paper.tobytes()), dtype=torch.uint8)
    return levels.view(paper.height, paper.width, 3).permute(2, 0, 1)


def _colour(label: int) -> tuple[int, int, int]:
    """Return the colour of a class: ten distinct ones, then hues that differ from the last."""
    if label < len(_COLOURS):
        return _COLOURS[label]
    red, green, blue = hsv_to_rgb(label * 0.618 % 1, 0.8, 0.4 + 0.5 * (label % 2))
    return round(255 * red), round(255 * green), round(255 * blue)


def save_grid(grid: Tensor, path: Path) -> None:
    """Write a picture (3, H, W) of uint8 as a PNG file; create its folder."""
    with replacement(path) as part:
        Image.fromarray(grid.permute(1, 2, 0).numpy()).save(part, "PNG")


def forth_and_back(film: Tensor) -> Tensor:
    """Return frames (F, ...) followed by those between the last and the first."""
    return torch.cat([film, film.flip(0)[1:-1]])


def save_animation(film: Tensor, path: Path) -> None:
    """Write images (frames, n, C, H, W) as an endless GIF, the n of a frame in a grid."""
    columns = min(film.shape[1], 4)
    frames = [picture(images, columns).permute(1, 2, 0).numpy() for images in film]
    first, *others = [Image.fromarray(frame) for frame in frames]
    with replacement(path) as part:
        first.save(part, "GIF", save_all=True, append_images=others, duration=_FRAME, loop=0)


def read_picture(setting: str, path: str, shape: torch.Size) -> Tensor:
    """Return the picture of a file as an image (1, C, H, W) in [-1, 1].

    Args:
        setting: that names the file, for the message.
        path: of a file that Pillow reads.
        shape: expected, (C, H, W); colours are converted, sizes are not.

    Raises:
        InputError: if there is none, it has more than 8 bits a channel, or is of another size.
    """
    channels, height, width = shape
    try:
        with open_file(Path(path)) as file, Image.open(file) as opened:
            deep = opened.mode.startswith(("I", "F"))
            image = opened.convert(_MODES[channels])
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = "no whole picture" if Path(path).exists() else "there is no such file"
        raise InputError(f"{setting}={path}: {reason}: name a PNG") from error
    if deep:
        raise InputError(f"{setting}={path}: more than 8 bits a channel: convert it to 8 bits")
    if image.size != (width, height):
        raise InputError(
            f"{setting}={path}: {image.width}x{image.height} pixels, but the run draws "
            f"{width}x{height}: resize it"
        )
    levels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return levels.view(1, height, width, channels).permute(0, 3, 1, 2) / 127.5 - 1
