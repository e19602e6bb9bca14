"""Evaluating a run: what is measured, with what protocol, and how sure it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from hydra import compose, initialize_config_dir
from omegaconf import MISSING, DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from gan.algorithms.latent import LatentGame
from gan.algorithms.sampling import Sampling, changes
from gan.commands.assessment import Assessment
from gan.errors import InputError
from gan.metrics.evaluation import Evaluation
from gan.runs.evaluations import Record, Spread, spreads
from gan.runs.folder import Run
from gan.settings.groups import CONF
from gan.settings.groups import options as members
from gan.settings.trust import build
from gan.settings.validation import nearest

_CLASS = re.compile(r"/\d+$")  # at the end of a value within a class


@dataclass
class EvaluateOptions:
    """What ``python -m gan evaluate`` reads.

    Attributes:
        run: the run folder.
        n: generated images of a measurement.
        seeds: measurements, each with its own latents; mean and deviation are over them.
        checkpoints: which weights.
        metrics: measures and probes by name; by default every measure that applies.
        backbone: a choice of ``conf/metrics``; by default the run's own.
        weights: file that the backbone reads its weights from.
        split: the reals to compare with, "train" or "test".
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        batch_size: images generated and looked at together.
        min_fakes: least ``n`` that is accepted.
        truncation: bound on each number of a latent.
        standing: batches over which the statistics of batch normalisation are taken anew.
        psi: how far styles may lie from their mean: 0.7 gives fewer kinds of images, better ones.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    n: int = 10000
    seeds: int = 3
    checkpoints: list[str] = field(default_factory=lambda: ["best", "last"])
    metrics: list[str] | None = None
    backbone: str | None = None
    weights: str | None = None
    split: str = "train"
    device: str | None = None
    batch_size: int = 100
    min_fakes: int = 1000
    truncation: float | None = None
    standing: int = 0
    psi: float | None = None
    allow_targets: list[str] = field(default_factory=list)


def _chosen(options: EvaluateOptions) -> tuple[list[str], list[str]]:
    """Return the measures and the probes that were asked for."""
    measures, probes = members("measures"), members("probes")
    if options.metrics is None:
        return measures, []
    for name in options.metrics:
        if name not in (*measures, *probes):
            raise InputError(f"metrics: no '{name}'; {nearest(name, (*measures, *probes))}")
    return [m for m in options.metrics if m in measures], [
        p for p in options.metrics if p in probes
    ]


def _composed(options: EvaluateOptions, run: DictConfig) -> DictConfig:
    """Return the config of backbone, measures and probes."""
    measures, probes = _chosen(options)
    known = members("metrics")
    if options.backbone is not None and options.backbone not in known:
        raise InputError(f"backbone={options.backbone}: {nearest(options.backbone, known)}")
    chosen = [f"measures=[{','.join(measures)}]", f"probes=[{','.join(probes)}]"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("evaluate", [*chosen, f"metrics={options.backbone or 'domain'}"])
    config.cache_dir = run.cache_dir
    if options.backbone is None and "backbone" in run.metrics:
        OmegaConf.resolve(run.metrics)
        config.metrics = run.metrics
    return config


def _evaluation(options: EvaluateOptions, config: DictConfig) -> Evaluation:
    """Return the evaluation that was asked for."""
    if "backbone" not in config.metrics:
        raise InputError(f"backbone={options.backbone}: choose one that measures, such as domain")
    for name in ("n", "seeds", "batch_size"):
        if getattr(options, name) < 1:
            raise InputError(f"{name}={getattr(options, name)}: give a number from 1")
    return Evaluation(
        build(config.metrics.backbone, options.allow_targets),
        {name: build(node) for name, node in config.measures.items()},
        every=0,
        num_fakes=options.n,
        cache=config.cache_dir,
        split=options.split,
        batch_size=options.batch_size,
        monitor=None,
        weights=options.weights or config.metrics.get("weights"),
        min_fakes=options.min_fakes,
    )


def _assessment(run: Run, options: EvaluateOptions) -> Assessment:
    """Return what measures a run as the options say."""
    sampling = Sampling(options.truncation, options.standing, options.psi)
    config = run.config
    composed = _composed(options, config)
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"device={device}: {str(error).splitlines()[0]}") from error
    return Assessment(
        run.path,
        build(config.data, options.allow_targets),
        _evaluation(options, composed),
        {name: build(node) for name, node in composed.probes.items()},
        place,
        sampling,
    )


def _games(run: Run, options: EvaluateOptions, assessment: Assessment) -> dict[str, LatentGame]:
    """Return the game of each checkpoint that is there, ready to be sampled."""
    names = list(dict.fromkeys(options.checkpoints))
    kept = [n for n in names if (run.path / "checkpoints" / f"{n}.ckpt").is_file()]
    games = {name: run.game(name) for name in kept or names}
    return {name: assessment.ready(game) for name, game in games.items()}


def _table(results: Mapping[str, list[Record]], baseline: Mapping[str, float]) -> Table:
    """Return a table with a row a value and a column a checkpoint."""
    table = Table(title="mean ± standard deviation over sampling seeds")
    table.add_column("metric", no_wrap=True)
    columns: list[Mapping[str, Spread]] = []
    for name, records in results.items():
        table.add_column(f"{name} (step {records[0].step})", justify="right")
        columns.append(spreads(records))
    table.add_column("unseen reals", justify="right")
    for key in dict.fromkeys(key for column in columns for key in column):
        if not _CLASS.search(key):
            cells = [str(column.get(key, "")) for column in columns]
            table.add_row(key, *cells, f"{baseline[key]:.4g}" if key in baseline else "")
    return table


def _class_table(records: list[Record]) -> Table | None:
    """Return a table with a row a class and a column a value, if there are such values."""
    rows: dict[str, dict[str, Spread]] = {}
    for key, spread in spreads(records).items():
        if _CLASS.search(key):
            value, _, label = key.rpartition("/")
            rows.setdefault(label, {})[value] = spread
    columns = list(dict.fromkeys(value for row in rows.values() for value in row))
    table = Table("class", *columns, title=f"{records[0].checkpoint}, within each class")
    for label, row in rows.items():
        table.add_row(label, *(str(row.get(value, "")) for value in columns))
    return table if rows else None


def evaluate(options: EvaluateOptions) -> None:
    """Measure a run's checkpoints with several seeds, write evaluation.json, print a table."""
    run = Run(options.run, options.allow_targets)
    assessment = _assessment(run, options)
    games = _games(run, options, assessment)
    console = Console()
    first_game = next(iter(games.values()))
    for line in assessment.prepare(first_game, options.metrics is None):
        console.print(f"left out: {line}", soft_wrap=True)
    results: dict[str, list[Record]] = {name: [] for name in games}
    for name, game in games.items():
        for seed in range(options.seeds):
            record = assessment.record(game, name, seed)
            console.print(f"{name} seed {seed}: {record.seconds:.0f} s", soft_wrap=True)
            results[name].append(record)
    first = next(iter(results.values()))
    for table in (_class_table(first), _table(results, assessment.evaluation.baseline() or {})):
        if table is not None:
            console.print(table)
    console.print(f"protocol {first[0].protocol}: " + _protocol(first[0]), soft_wrap=True)
    console.print(f"written: {assessment.ledger.path}", soft_wrap=True)


def _protocol(record: Record) -> str:
    """Return the parts of the stamp that a reader looks for first."""
    stamp = record.stamp
    return (
        f"{stamp['backbone']} {str(stamp['weights_hash'])[:8]}, {stamp['num_fakes']} fakes against "
        f"{stamp['real_count']} of {stamp['real_data']}/{stamp['real_split']}, "
        f"resize {stamp['resize']}, {stamp['weights']} weights{changes(stamp)}"
    )
