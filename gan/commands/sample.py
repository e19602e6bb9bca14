"""Samples of a run."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from gan.commands.labels import as_text
from gan.commands.outputs import find_output
from gan.devices import find_device
from gan.errors import InputError
from gan.runs.folder import check_run
from gan.settings.sampling import Sampling


@dataclass
class SampleOptions:
    """Settings of ``ganymede sample``.

    Attributes:
        run: the run folder.
        n: number of images.
        seed: of the latents; image k depends on the seed and k alone.
        labels: names or numbers of classes of a conditional model, one or ``n``; by default the
            classes in turn.
        out: PNG of a grid, by default ``samples.png`` in the run folder; or NAME.npz for arrays, or
            a new folder for a PNG of each image.
        checkpoint: "best" or "last"; by default the best if there is one.
        columns: of the grid.
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        truncation: bound on each number of a latent: less variety, better images.
        standing: number of batches for new statistics of batch normalisation; 0 keeps them.
        psi: truncation of styles towards their mean, such as 0.7: less variety, better images.
        langevin: number of Langevin steps of each latent on the discriminator's logits.
        langevin_step: size of a Langevin step.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    n: int = 64
    seed: int = 0
    labels: list[int | str] | None = None
    out: str | None = None
    checkpoint: str | None = None
    columns: int = 8
    device: str | None = None
    truncation: float | None = None
    standing: int = 0
    psi: float | None = None
    langevin: int = 0
    langevin_step: float = 0.01
    allow_targets: list[str] = field(default_factory=list)


def sample(options: SampleOptions) -> None:
    """Write samples: a grid, one file an image, or arrays."""
    output = find_output(options.run, options.out, options.columns)
    _check(options)
    sampling = Sampling(options.truncation, options.standing, options.psi)
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.algorithms.latent import LatentGame
    from gan.algorithms.samples import Samples
    from gan.algorithms.sampling import Langevin, apply_sampling
    from gan.runs.checkpoints import load

    langevin = Langevin(options.langevin, options.langevin_step) if options.langevin else None
    game = load(options.run, options.checkpoint, options.allow_targets, LatentGame)
    game = apply_sampling(game.to(find_device(options.device)), sampling)
    labels = game.labels_for(options.n, as_text(options.labels))
    output.write(Samples(game, options.n, options.seed, labels, langevin))
    print(output.path)


def _check(options: SampleOptions) -> None:
    """Refuse settings that do not go together."""
    if options.n < 1:
        raise InputError(f"n={options.n}: ask for at least one image")
    if options.seed < 0:
        raise InputError(f"seed={options.seed}: give a number from 0")
    if options.columns < 1:
        raise InputError(f"columns={options.columns}: give a number from 1")
    if options.langevin < 0 or not 0 < options.langevin_step < float("inf"):
        raise InputError(
            f"langevin={options.langevin} must be 1 or more and langevin_step="
            f"{options.langevin_step} above 0"
        )
    if options.langevin and options.truncation is not None:
        raise InputError("langevin: its chains leave what truncation cuts out: give one of the two")
