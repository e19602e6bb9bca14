"""A small game on digits with scripted metrics, and a logger that remembers."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from torch import Tensor

from datamodules.digits import Digits
from gan.algorithms.gan import GAN
from gan.backbones.dataset import ImageDataset
from gan.callbacks.evaluation import MetricsCallback
from gan.clock import Clock
from gan.conditioning.base import Unconditional
from gan.conditioning.projection import Projection
from gan.latents import Gaussian
from gan.losses.logistic import NonSaturating
from gan.metrics.base import Stamp
from gan.metrics.evaluation import Evaluation
from gan.metrics.feature_pass import Batch
from gan.metrics.outputs import Outputs
from gan.networks.mlp import MLPDiscriminator, MLPGenerator
from tests.play import trainer


class Notebook(Logger):
    """A logger that keeps records and pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[tuple[int | None, dict[str, float]]] = []
        self.pictures: list[tuple[str, Tensor, int]] = []
        self.alerts: list[tuple[str, str]] = []

    @property
    def name(self) -> str:
        return "notebook"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        raise AssertionError("callbacks log no settings")

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.records.append((step, dict(metrics)))

    def log_picture(self, key: str, picture: Tensor, clock: Clock, caption: str) -> None:
        self.pictures.append((key, picture, clock.step))

    def log_alert(self, title: str, text: str) -> None:
        self.alerts.append((title, text))

    @property
    def steps(self) -> list[int | None]:
        return [step for step, _ in self.records]


class Scripted(Evaluation):
    """An evaluation whose scores are known beforehand."""

    def __init__(self, *scores: float, every: int = 1, minimize: bool = True) -> None:
        self.scores, self.every = iter(scores), every
        self.num_fakes, self._batch_size, self._split = 25, 10, "train"
        self.monitor = "script/score"
        self.backbone: Any = SimpleNamespace(name="script")
        score: Any = SimpleNamespace(
            higher_is_better=not minimize, ranking=("score",), per_class=()
        )
        self.metrics, self.model_metrics, self.prefix = {"score": score}, {}, "script"
        self.seen: list[list[Tensor]] = []

    def prepare(self, dataset: ImageDataset, device: torch.device, labelled: bool = False) -> None:
        pass

    def baseline(self) -> None:
        return None

    def stamp(self) -> Stamp:
        return {}

    def measure(self, fakes: Iterable[Batch | Outputs], start: int = 0) -> dict[str, float]:
        self.seen.append([batch[0] for batch in fakes])
        score = next(self.scores, None)
        if score is None:
            raise RuntimeError("the script has ended")
        return {self.monitor: score}


def game(num_classes: int = 0, **mechanics: Any) -> GAN:
    torch.manual_seed(0)
    conditioning = Projection(num_classes) if num_classes else Unconditional()
    adam = partial(torch.optim.Adam, lr=1e-3)
    return GAN(
        MLPGenerator(4, 1, 8, conditioning, hidden=(8,)),
        MLPDiscriminator(1, 8, conditioning, units=(4,), pieces=2),
        NonSaturating(),
        prior=Gaussian(4),
        optimizer={"generator": adam, "discriminator": adam},
        **mechanics,
    )


def digits(steps: int, n_critic: int = 1) -> Digits:
    return Digits(
        channels=1, resolution=8, num_classes=10, batch_size=8, steps=steps, n_critic=n_critic
    )


def run(players: GAN, steps: int, *callbacks: Callback, resume: Path | None = None) -> Notebook:
    """Train ``players`` on digits and return what was logged."""
    notebook = Notebook()
    data = digits(steps, players.n_critic)
    if resume is not None:
        data.start_step = torch.load(resume)["clock"]["step"]
    trainer(callbacks, notebook).fit(players, datamodule=data, ckpt_path=resume)
    return notebook


def metrics(*scores: float, **options: Any) -> MetricsCallback:
    return MetricsCallback(Scripted(*scores, **options))


def shares(callback: MetricsCallback, players: GAN, rank: int, world: int) -> Iterator[Tensor]:
    """Yield the fakes of one of several processes."""
    where: Any = SimpleNamespace(global_rank=rank, world_size=world, datamodule=digits(1))
    yield from (images for images, _ in callback._fakes(where, players))


def place(*callbacks: Callback, **given: Any) -> Any:
    """Return what stands for the trainer of one process, with these attributes besides."""
    fixed: dict[str, Any] = {
        "callbacks": list(callbacks),
        "loggers": [],
        "datamodule": None,
        "is_global_zero": True,
        "global_rank": 0,
        "world_size": 1,
        "num_training_batches": 10,
        "should_stop": False,
        "received_sigterm": False,
        "precision": "32-true",
        "default_root_dir": "runs/a",
        "strategy": SimpleNamespace(root_device=torch.device("cpu"), broadcast=lambda value: value),
    }
    return SimpleNamespace(**fixed | given)
