"""What the charts show."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from gan import plots
from gan.metrics.spectra import Spectrum

figures = pytest.importorskip("matplotlib.figure", reason="charts need Matplotlib")


def spectrum(scale: float) -> Spectrum:
    """Of ten images, whose power at frequency f is (10 f + number of the image) times a scale."""
    rows = 10.0 * torch.arange(5) + torch.arange(11.0)[:, None]
    return Spectrum(torch.ones(8, 8) * scale, rows * scale)


def test_power_over_frequency_with_the_band_of_most_images() -> None:
    axes = figures.Figure().subplots()
    plots._draw_curves(axes, spectrum(1.0), spectrum(100.0))
    assert [line.get_label() for line in axes.lines] == ["real", "generated"]
    for scale, line, band in zip((1.0, 100.0), axes.lines, axes.collections, strict=True):
        frequencies, means = map(list, line.get_data())
        assert frequencies == [1, 2, 3, 4]
        assert means == pytest.approx([15 * scale, 25 * scale, 35 * scale, 45 * scale])
        corners = {(x, round(y / scale)) for x, y in band.get_paths()[0].vertices.tolist()}
        assert corners == {(f, 10 * f + k) for f in frequencies for k in (1, 9)}
    assert axes.get_yscale() == "log"


def test_the_file_is_a_png(tmp_path: Path) -> None:
    plots.save_spectra(spectrum(1.0), spectrum(2.0), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert picture.size == (1500, 380)
