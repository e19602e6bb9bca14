"""Power over frequency of real and generated images."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omegaconf import MISSING

from gan.commands.generated import check_numbers, open_generated
from gan.commands.keys import dotted
from gan.commands.paths import picture_path
from gan.runs.folder import check_run

if TYPE_CHECKING:
    from pathlib import Path

    from gan.metrics.spectra import Spectrum


@dataclass
class SpectrumOptions:
    """Settings of ``ganymede spectrum``.

    Attributes:
        run: the run folder.
        n: images of either kind, at most.
        seed: of the samples, and of the choice of real images.
        split: of the real images, "train", "test" or "validation".
        direction: of a run that translates, "ab" or "ba": held-out images of one domain become the
            other; by default "ab".
        out: PNG to write; by default ``figures/spectrum.png`` in the run folder. NAME.json has the
            numbers.
        checkpoint: "best" or "last"; by default the best if there is one.
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        data_root: where the data are now; by default where they were.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    n: int = 1000
    seed: int = 0
    split: str = "train"
    direction: str | None = None
    out: str | None = None
    checkpoint: str | None = None
    device: str | None = None
    data_root: str | None = dotted("data.root")
    allow_targets: list[str] = field(default_factory=list)


def spectrum(options: SpectrumOptions) -> None:
    """Write the power of real and generated images over frequency (Durall et al., 2020)."""
    out = picture_path(options.run, options.out, "figures/spectrum.png")
    check_numbers(options)
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.metrics.spectra import Spectrum
    from gan.plots import require_matplotlib, save_spectra
    from gan.runs.generated import real_batches, real_indices

    require_matplotlib()
    _, images = open_generated(options)
    indices = real_indices(images.real, options.split, options.n, options.seed)
    real = Spectrum.of(real_batches(images.real, options.split, indices))
    made = Spectrum.of(images.batches(min(options.n, images.most or options.n)))
    save_spectra(real, made, out)
    _report(real, made, out)


def _report(real: "Spectrum", made: "Spectrum", out: "Path") -> None:
    """Write the numbers, and print the ratio of the upper half of the frequencies."""
    from gan import records
    from gan.metrics.spectra import decibels

    content = {
        "frequencies": list(range(len(real.mean))),
        "real": real.mean.tolist(),
        "generated": made.mean.tolist(),
        "real_images": len(real.profiles),
        "generated_images": len(made.profiles),
    }
    records.write(out.with_suffix(".json"), content)
    ratio = decibels(made.mean, real.mean)
    upper = ratio[len(ratio) // 2 :]
    print(f"generated / real, mean of the upper half of the frequencies: {upper.mean():+.1f} dB")
    print(f"largest difference: {ratio[ratio.abs().argmax()]:+.1f} dB, at {ratio.abs().argmax()}")
    print(out, out.with_suffix(".json"), sep="\n")
