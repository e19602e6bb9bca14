"""Evaluation of the checkpoints of a run, or of a set of images."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gan.commands.keys import dotted
from gan.devices import find_device
from gan.errors import InputError
from gan.runs.evaluations import Record, Spread, spreads
from gan.runs.folder import Run, open_run
from gan.settings.composing import compose
from gan.settings.groups import options as members
from gan.settings.names import nearest
from gan.settings.sampling import Sampling, sampling_changes
from gan.settings.trust import build
from gan.settings.validation import check_target

if TYPE_CHECKING:
    from gan.algorithms.latent import LatentGame
    from gan.algorithms.translation import TranslationGame
    from gan.commands.assessment import Assessment
    from gan.metrics.base import Metric
    from gan.metrics.evaluation import Evaluation

FOR_IMAGES = ("real", "fake", "resolution", "out")  # settings without a run
_CONTAINED = {"coverage"}  # metrics whose values another one has as well
_CLASS = re.compile(r"/\d+$")  # end of the name of a value within a class


@dataclass
class EvaluateOptions:
    """Settings of ``ganymede evaluate``.

    Attributes:
        run: the run folder.
        real: instead of a run, the real images: a folder, a zip or .npz file, or a data set of
            ``conf/data`` by name.
        fake: the generated images: a folder, a zip or .npz file; all of them count.
        n: number of generated images of each seed.
        seeds: number of sampling seeds; mean and standard deviation are over them.
        checkpoints: names of the checkpoints.
        metrics: options of ``conf/metrics``; by default all metrics that apply, but
            for those that take minutes.
        backbone: option of ``conf/backbone``; by default the backbone of the run, or ``domain`` for
            a data set by name.
        weights: file of the weights of the backbone.
        split: of the real images, "train" or "test".
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        batch_size: images per batch of the generator and of the backbone; by default as many as
            the device computes at once, 100 on a CPU.
        bfloat16: compute the features in bfloat16, which the stamp says.
        min_fakes: smallest accepted number of generated images.
        resolution: resize the images of ``real`` and ``fake``; otherwise all must have one size.
        truncation: bound of the absolute value of each number of a latent.
        standing: number of batches for new statistics of batch normalisation; 0 keeps them.
        psi: truncation of styles towards their mean, such as 0.7: less variety, better images.
        data_root: where the data are now; by default where they were.
        out: JSON file to write the values of ``real`` and ``fake`` to.
        allow_targets: further packages whose classes the config of the run may name.
    """

    run: str | None = None
    real: str | None = None
    fake: str | None = None
    n: int = 10000
    seeds: int = 3
    checkpoints: list[str] = field(default_factory=lambda: ["best", "last"])
    metrics: list[str] | None = None
    backbone: str | None = None
    weights: str | None = None
    split: str = "train"
    device: str | None = None
    batch_size: int | None = None
    bfloat16: bool = False
    min_fakes: int = 1000
    resolution: int | None = None
    truncation: float | None = None
    standing: int = 0
    psi: float | None = None
    data_root: str | None = dotted("data.root")
    out: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def check_protocol(options: EvaluateOptions) -> None:
    """Refuse unknown metrics and backbones, and batches out of range.

    Raises:
        InputError: with the nearest right name.
    """
    known = members("metrics")
    if options.metrics == []:
        raise InputError(f"metrics=[]: name one or more; {nearest('', known)}")
    for name in options.metrics or ():
        if name not in known:
            raise InputError(f"metrics: no '{name}'; {nearest(name, known)}")
    known = members("backbone")
    if options.backbone is not None and options.backbone not in known:
        raise InputError(f"backbone={options.backbone}: {nearest(options.backbone, known)}")
    if options.batch_size is not None and options.batch_size < 1:
        raise InputError(f"batch_size={options.batch_size}: give a number from 1")


def _check_options(options: EvaluateOptions) -> None:
    """Refuse what a run is not measured with."""
    check_protocol(options)
    for name in FOR_IMAGES:
        if getattr(options, name) is not None:
            raise InputError(f"{name}: it is for real= and fake=: leave it out with run=")
    Sampling(options.truncation, options.standing, options.psi)
    for name in ("n", "seeds"):
        if getattr(options, name) < 1:
            raise InputError(f"{name}={getattr(options, name)}: give a number from 1")


def compose_protocol(
    options: EvaluateOptions, cache: str, backbone: DictConfig | None = None
) -> DictConfig:
    """Return the config of metrics and backbone.

    Args:
        options: of the command.
        cache: folder of weights and statistics.
        backbone: that is taken if the options name none; without it, the domain's.
    """
    every = [name for name in members("metrics") if name not in _CONTAINED]
    metrics = every if options.metrics is None else options.metrics
    overrides = [f"metrics=[{','.join(metrics)}]", f"backbone={options.backbone or 'domain'}"]
    config = compose(overrides, "evaluate")
    OmegaConf.set_struct(config, False)
    config.cache_dir = cache
    if options.backbone is None and backbone is not None:
        config.backbone = OmegaConf.to_container(backbone, resolve=True)
    if options.weights is not None:
        config.backbone.weights = options.weights
        config.backbone.pop("weights_hash", None)
    check_target("backbone", config.backbone, options.allow_targets)
    return config


def make_evaluation(
    options: EvaluateOptions, config: DictConfig, metrics: "Mapping[str, Metric]", count: int
) -> "Evaluation":
    """Return the evaluation of ``count`` generated images by those metrics that read features."""
    from gan.metrics.evaluation import Evaluation
    from gan.metrics.feature_metric import FeatureMetric

    return Evaluation(
        build(config.backbone, options.allow_targets),
        {name: metric for name, metric in metrics.items() if isinstance(metric, FeatureMetric)},
        every=0,
        num_fakes=count,
        cache=config.cache_dir,
        split=options.split,
        batch_size=options.batch_size,
        monitor=None,
        min_fakes=options.min_fakes,
        bfloat16=options.bfloat16,
    )


def _metrics_of(config: DictConfig) -> "dict[str, Metric]":
    """Return the metrics of a protocol by name."""
    return {name: build(node) for name, node in config.metrics.items()}


def _assessment(run: Run, options: EvaluateOptions) -> "Assessment":
    """Return the assessment of a run under the protocol of the options."""
    from gan.commands.assessment import Assessment
    from gan.metrics.model_metric import ModelMetric

    stored = run.config
    config = compose_protocol(options, stored.cache_dir, stored.backbone)
    metrics = _metrics_of(config)
    named = options.metrics is not None
    model_metrics = {
        name: metric
        for name, metric in metrics.items()
        if isinstance(metric, ModelMetric) and (named or metric.in_training)
    }
    return Assessment(
        run.path,
        run.data(options.data_root),
        make_evaluation(options, config, metrics, options.n),
        model_metrics,
        find_device(options.device),
        Sampling(options.truncation, options.standing, options.psi),
    )


def _games(run: Run, options: EvaluateOptions) -> "dict[str, Any]":
    """Return the game of each checkpoint that exists."""
    from gan.runs.checkpoints import load_game

    names = list(dict.fromkeys(options.checkpoints))
    return {name: load_game(run, name) for name in run.existing(names) or names}


def _table(results: Mapping[str, list[Record]], baseline: Mapping[str, float]) -> Table:
    """Return a table with a row for each value and a column for each checkpoint."""
    columns = {f"{name} (step {r[0].step})": spreads(r) for name, r in results.items()}
    return value_table("mean ± standard deviation over sampling seeds", columns, baseline)


def value_table(
    title: str, columns: Mapping[str, Mapping[str, Spread]], baseline: Mapping[str, float]
) -> Table:
    """Return a table with a row for each value; those within classes are left out.

    Args:
        title: of the table.
        columns: values by name, by the title of their column.
        baseline: of unseen real images, the last column.
    """
    table = Table(title=title)
    table.add_column("metric", no_wrap=True)
    for head in (*columns, "unseen reals"):
        table.add_column(escape(head), justify="right")
    for key in dict.fromkeys(key for column in columns.values() for key in column):
        if not _CLASS.search(key):
            cells = [str(column.get(key, "")) for column in columns.values()]
            table.add_row(key, *cells, f"{baseline[key]:.4g}" if key in baseline else "")
    return table


def _class_table(records: list[Record], game: "LatentGame") -> Table | None:
    """Return a table with a row for each class, or ``None`` without values within classes."""
    rows: dict[str, dict[str, Spread]] = {}
    for key, spread in spreads(records).items():
        if _CLASS.search(key):
            value, _, label = key.rpartition("/")
            rows.setdefault(label, {})[value] = spread
    columns = list(dict.fromkeys(value for row in rows.values() for value in row))
    table = Table("class", *columns, title=f"{records[0].checkpoint}, within each class")
    for label, row in rows.items():
        table.add_row(
            escape(game.class_names.name(int(label))),
            *(str(row.get(value, "")) for value in columns),
        )
    return table if rows else None


def evaluate(options: EvaluateOptions) -> None:
    """Measure a run's checkpoints with several sampling seeds, or a set of images."""
    if options.run is None:
        from gan.commands.comparison import compare

        compare(options)
        return
    _check_options(options)
    run = open_run(options.run, options.allow_targets)
    games = _games(run, options)
    from gan.algorithms.translation import TranslationGame

    if all(isinstance(game, TranslationGame) for game in games.values()):
        _evaluate_translations(options, run, games)
    else:
        _evaluate(options, run, games)


def _evaluate_translations(
    options: EvaluateOptions, run: Run, games: "Mapping[str, TranslationGame]"
) -> None:
    """Print a table of the values of sources, classical restorations and checkpoints."""
    from gan.commands.translation_assessment import TranslationAssessment
    from gan.metrics.translation_evaluation import TranslationEvaluation

    _refuse_sampling(options)
    first, stored, device = next(iter(games.values())), run.config, find_device(options.device)
    config = compose_protocol(options, stored.cache_dir, stored.backbone)
    evaluations = {
        d: make_evaluation(options, config, _metrics_of(config), options.n)
        for d in first.directions
    }
    evaluation = TranslationEvaluation(evaluations)
    assessment = TranslationAssessment(run.path, run.data(options.data_root), evaluation, device)
    for line in assessment.prepare(first, options.metrics is None):
        print(f"left out: {line}")
    records = assessment.references()
    records += [assessment.record(game.to(device), name) for name, game in games.items()]
    columns = {_head(record): spreads([record]) for record in records}
    Console().print(value_table("held-out sources", columns, evaluation.baseline()))
    print(protocol_line(records[-1].protocol, records[-1].stamp))
    print(f"written: {assessment.records.path}")


def _head(record: Record) -> str:
    """Return the head of a column, with the step of a checkpoint."""
    return f"{record.checkpoint} (step {record.step})" if record.step else record.checkpoint


def _refuse_sampling(options: EvaluateOptions) -> None:
    """Refuse settings of latents for a run without."""
    given = {"truncation": options.truncation, "psi": options.psi, "standing": options.standing}
    for name, value in given.items():
        if value:
            raise InputError(f"{name}={value}: the run translates images: leave it out")


def _evaluate(options: EvaluateOptions, run: Run, loaded: "Mapping[str, LatentGame]") -> None:
    """Print a table of the values of each checkpoint, and write evaluation.json in the run."""
    assessment = _assessment(run, options)
    games = {name: assessment.apply_sampling(game) for name, game in loaded.items()}
    first_game = next(iter(games.values()))
    for line in assessment.prepare(first_game, options.metrics is None):
        print(f"left out: {line}")
    results: dict[str, list[Record]] = {name: [] for name in games}
    for name, game in games.items():
        for seed in range(options.seeds):
            record = assessment.record(game, name, seed)
            print(f"{name} seed {seed}: {record.seconds:.0f} s")
            results[name].append(record)
    first = next(iter(results.values()))
    for table in (
        _class_table(first, first_game),
        _table(results, assessment.evaluation.baseline() or {}),
    ):
        if table is not None:
            Console().print(table)
    line = protocol_line(first[0].protocol, first[0].stamp)
    print(line)
    print(f"written: {assessment.evaluations.path}")


def protocol_line(protocol: str, stamp: Mapping[str, Any]) -> str:
    """Return the short name of a protocol, and the main entries of its stamp, as one line."""
    weights = f", {stamp['weights']} weights" if "weights" in stamp else ""
    return (
        f"protocol {protocol}: {stamp['backbone']} {str(stamp['weights_hash'])[:8]}, "
        f"{stamp['num_fakes']} fakes against {stamp['real_count']} of {stamp['real_data']}/"
        f"{stamp['real_split']}, resize {stamp['resize']}{weights}{sampling_changes(stamp)}"
    )
