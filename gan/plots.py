"""Charts with axes, drawn by Matplotlib."""

from pathlib import Path
from typing import TYPE_CHECKING

from gan.errors import InputError, extra
from gan.files import replacement
from gan.metrics.spectra import Spectrum, decibels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES, _DPI = (15.0, 3.8), 100
_LOW, _HIGH = 0.1, 0.9  # quantiles of a band
_MOST = 20.0  # decibels of the map of ratios, in either direction


def require_matplotlib() -> None:
    """Refuse to go on without Matplotlib.

    Raises:
        InputError: with how to install it.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError(f"charts need Matplotlib: {extra('figures')}") from error


def save_spectra(real: Spectrum, generated: Spectrum, path: Path) -> None:
    """Write the power over frequency of two sets of images of one size as a PNG.

    On the left are the azimuthal means, with the band of 80 % of the images; then both planes of
    frequencies, zero in the middle, and the ratio of generated to real.
    """
    from matplotlib.figure import Figure

    figure = Figure(_INCHES, _DPI, layout="constrained")
    curves, *planes = figure.subplots(1, 4, width_ratios=(1.7, 1, 1, 1))
    _draw_curves(curves, real, generated)
    levels = real.plane.clamp(min=1e-12).log10()
    bounds = {"vmin": float(levels.min()), "vmax": float(levels.max())}
    for axes, spectrum, name in zip(planes, (real, generated), ("real", "generated"), strict=False):
        shown = axes.imshow(spectrum.plane.clamp(min=1e-12).log10(), "viridis", **bounds)
        axes.set_title(f"{name}, log10 of power")
    figure.colorbar(shown, ax=planes[:2], shrink=0.8)
    ratio = decibels(generated.plane, real.plane)
    shown = planes[2].imshow(ratio, "RdBu_r", vmin=-_MOST, vmax=_MOST)
    planes[2].set_title("generated / real, dB")
    figure.colorbar(shown, ax=planes[2], shrink=0.8)
    for axes in planes:
        axes.set_xticks([])
        axes.set_yticks([])
    with replacement(path) as part:
        figure.savefig(part, format="png")


def _draw_curves(axes: "Axes", real: Spectrum, generated: Spectrum) -> None:
    """Draw the azimuthal means over frequency, from one cycle an image on."""
    frequencies = range(1, real.profiles.shape[1])
    for spectrum, name, colour in ((real, "real", "C0"), (generated, "generated", "C1")):
        low, high = spectrum.quantiles(_LOW, _HIGH)
        axes.fill_between(frequencies, low[1:], high[1:], color=colour, alpha=0.2, linewidth=0)
        axes.plot(frequencies, spectrum.mean[1:], color=colour, label=name)
    axes.set_yscale("log")
    axes.set_xlabel("cycles an image")
    axes.set_ylabel("power of a frequency")
    axes.legend()
