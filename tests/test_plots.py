"""What the charts show."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from gan import plots
from gan.errors import InputError
from gan.metrics.spectra import Spectrum, decibels

figures = pytest.importorskip("matplotlib.figure", reason="charts need Matplotlib")
colors = pytest.importorskip("matplotlib.colors", reason="charts need Matplotlib")


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
        assert (band.get_alpha(), list(band.get_linewidth())) == (0.2, [0])
        assert line.get_color() == {1.0: "C0", 100.0: "C1"}[scale]
        assert band.get_facecolor()[0, :3].tolist() == list(colors.to_rgb(line.get_color()))
    assert axes.get_yscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("cycles an image", "power of a frequency")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["real", "generated"]


def test_the_file_is_a_png(tmp_path: Path) -> None:
    plots.save_spectra(spectrum(1.0), spectrum(2.0), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert picture.size == (1500, 380)


def test_planes_share_a_scale_and_their_ratio_is_in_decibels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file itself is that of the test above."""
    saved: list[Any] = []
    monkeypatch.setattr(figures.Figure, "savefig", lambda self, *_, **how: saved.append(self))
    powers = torch.tensor([[1.0, 10.0], [0.0, 100.0]])
    real, generated = (
        Spectrum(powers, torch.ones(3, 2)),
        Spectrum(powers * 10, torch.ones(3, 2) * 3),
    )
    plots.save_spectra(real, generated, tmp_path / "a.png")
    curves, *planes = saved[0].axes
    assert [line.get_ydata().tolist() for line in curves.lines] == [[1.0], [3.0]]
    assert tuple(curves.get_gridspec().get_width_ratios()) == (1.7, 1, 1, 1)
    assert saved[0].get_constrained_layout()
    shown = [axes.get_images()[0] for axes in planes[:3]]
    expected = torch.tensor([[0.0, 1.0], [-12.0, 2.0]])
    for image, levels in zip(shown[:2], (expected, expected + 1), strict=True):
        known = torch.as_tensor(image.get_array().filled())
        assert torch.allclose(known[powers > 0], levels[powers > 0].to(known))
        assert known[1, 0] == pytest.approx(-12)
        assert (image.get_clim(), image.get_cmap().name) == ((-12, 2), "viridis")
    ratio = torch.as_tensor(shown[2].get_array().filled())
    assert torch.allclose(ratio, decibels(generated.plane, real.plane).to(ratio))
    assert ratio[0, 0] == pytest.approx(10)
    assert (shown[2].get_clim(), shown[2].get_cmap().name) == ((-20, 20), "RdBu_r")
    titles = [axes.get_title() for axes in planes[:3]]
    assert titles == [
        *(f"{n}, log10 of power" for n in ("real", "generated")),
        "generated / real, dB",
    ]
    assert [list(axes.get_xticks()) + list(axes.get_yticks()) for axes in planes[:3]] == [[]] * 3
    bars = planes[3:]
    assert [bar._colorbar.mappable for bar in bars] == shown[1:]
    assert [len(bar._colorbar_info["parents"]) for bar in bars] == [2, 1]
    assert [bar._colorbar_info["shrink"] for bar in bars] == [0.8, 0.8]


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plots.require_matplotlib()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"^charts need Matplotlib: .*\[figures\]"):
        plots.require_matplotlib()
