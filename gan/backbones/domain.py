"""A classifier of the data set itself as a backbone, where Inception has nothing to say."""

import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import linear

from gan.backbones import cache
from gan.backbones.base import Backbone
from gan.backbones.classifier import Classifier, Training, accuracy
from gan.backbones.source import RealSource, Split
from gan.errors import InputError

LEAST = 8  # pixels a side


class DomainBackbone(Backbone):
    """A small classifier, trained once on the labels of the data and cached as a file.

    The file's name depends on the images, the network, the training and the seed. Numbers compare
    only between runs with the same weights; the stamp carries their hash.

    Args:
        cache: folder of the file.
        seed: of the initial weights, the order of images and the augmentation.
        training: the recipe; the default suits digits and photographs.
        weights: file of another run to use instead.

    Attributes:
        accuracy: fraction of held-out images classified rightly.
        accuracy_split: what was held out: "test", or a tenth of "train" where there is no test.
    """

    name = "domain"
    num_features = Classifier.NUM_FEATURES
    resize = "none"
    knows_labels = True

    def __init__(
        self,
        cache: str,
        seed: int = 0,
        training: Training | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__(weights)
        self.cache = Path(cache)
        self.seed = seed
        self.training_recipe = training or Training()
        self.net: Classifier | None = None
        self.accuracy = 0.0
        self.accuracy_split = ""
        self._path: Path | None = None

    def prepare(self, source: RealSource, device: torch.device) -> None:
        """Loads the classifier of `source`, or trains it and leaves its file.

        Raises:
            InputError: the data have no labels, or the file that `weights` names is no classifier
                of such images.
        """
        path = Path(self.weights) if self.weights else self._place(source)
        if path != self._path:
            self._check_labels(source)
            if not self._read(path, source):
                self._check_named(path)
                self._train(path, source, device)
            self._path = path
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits of uint8 images (B, C, R, R)."""
        assert self.net is not None
        pool = self.net.pool(images)
        return pool, linear(pool, self.net.head.weight, self.net.head.bias)

    def stamp(self) -> dict[str, str | int | float]:
        """Also the accuracy of the classifier."""
        return super().stamp() | {
            "accuracy": self.accuracy,
            "accuracy_split": self.accuracy_split,
        }

    def _place(self, source: RealSource) -> Path:
        """The file of this classifier of these images."""
        shape = (source.channels, source.resolution, source.num_classes)
        parts = [source.fingerprint("train"), *shape, Classifier.VERSION, self.seed]
        return self.cache / f"domain-{cache.key([*parts, self.training_recipe])}.pt"

    def _network(self, source: RealSource) -> Classifier:
        """The initial classifier, the same on every device; leaves the global RNG alone."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            return Classifier(source.channels, source.resolution, source.num_classes)

    def _read(self, path: Path, source: RealSource) -> bool:
        """Whether a file holds such a classifier, which is then this one."""
        content = cache.load(path) or {}
        net = self._network(source)
        try:
            net.load_state_dict(content["state"])
            self.accuracy = float(content["accuracy"])
            self.accuracy_split = str(content["accuracy_split"])
        except (RuntimeError, KeyError, TypeError):
            return False
        self.net = net
        return True

    def _train(self, path: Path, source: RealSource, device: torch.device) -> None:
        """Trains on the train split, tells the accuracy, writes the file."""
        start = time.perf_counter()
        net = self._network(source).to(device)
        train = source.split("train")
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(self.seed))
        held, held_indices, used, self.accuracy_split = _held_out(source, train, order)
        self.training_recipe.fit(net, train, used, self.seed, device)
        self.accuracy = accuracy(net, held, held_indices, device)
        self.net = net
        cache.save(
            path,
            {
                "state": {name: value.cpu() for name, value in net.state_dict().items()},
                "accuracy": self.accuracy,
                "accuracy_split": self.accuracy_split,
                "source": source.name,
            },
        )
        seconds = time.perf_counter() - start
        print(
            f"domain classifier: {self.accuracy:.2%} right on {source.name}/{self.accuracy_split} "
            f"({len(held_indices):,} images), trained in {seconds:.0f} s, {path}"
        )

    def _check_labels(self, source: RealSource) -> None:
        if source.resolution < LEAST:
            raise InputError(
                f"metrics=domain looks at images and {source.name} is {source.resolution}x"
                f"{source.resolution}; use metrics=plane for points, or metrics=none"
            )
        if source.num_classes < 2 or source.split("train").labels is None:
            raise InputError(
                f"metrics=domain learns from labels and {source.name} has none; "
                "use metrics=inception or metrics=none"
            )

    def _check_named(self, path: Path) -> None:
        if self.weights:
            raise InputError(
                f"{path} does not hold a domain classifier of these images; correct "
                "metrics.weights=FILE, or leave it out to train one"
            )


def _held_out(source: RealSource, train: Split, order: Tensor) -> tuple[Split, Tensor, Tensor, str]:
    """Held-out split and indices, indices to train on, and what was held out."""
    try:
        test = source.split("test")
    except ValueError:
        test = None
    if test is not None and test.labels is not None and len(test) > 0:
        return test, torch.arange(len(test)), order, "test"
    tenth = max(1, len(order) // 10)
    return train, order[-tenth:], order[:-tenth], "last tenth of shuffled train"
