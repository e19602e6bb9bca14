"""A classifier of the data set itself, for data unlike ImageNet and machines without Inception."""

import time
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import linear

from gan.archives import READ_ERRORS, Dense
from gan.backbones import cache
from gan.backbones.base import Backbone
from gan.backbones.classifier import Classifier, Training, accuracy
from gan.backbones.dataset import ImageDataset, Split
from gan.errors import InputError
from gan.structure import Range, StructureError, check

MIN_RESOLUTION = 8  # pixels
_Accuracy = Annotated[float, Range(0, 1)]


class DomainBackbone(Backbone):
    """A small classifier, trained once on the labels of the data and cached as a file.

    The name of the file depends on the images, the network, the training and the seed. Values of
    two runs compare only if their classifiers have the same weights; the stamp has their hash.

    Args:
        cache: folder of the file.
        seed: of the initial weights, the order of images and the augmentation.
        training: of the classifier; the default suits digits and photographs.
        weights: file of a classifier of another run, instead of training one.
        weights_hash: see `Backbone`.

    Attributes:
        accuracy: of the classifier on held-out images, in [0, 1].
        accuracy_split: name of the held-out images: "test", or a tenth of "train" without a test
            split.
    """

    name = "domain"
    num_features = Classifier.NUM_FEATURES
    resize = "none"
    predicts_labels = True

    def __init__(
        self,
        cache: str,
        seed: int = 0,
        training: Training | None = None,
        weights: str | None = None,
        weights_hash: str | None = None,
    ) -> None:
        super().__init__(weights, weights_hash)
        self.cache = Path(cache)
        self.seed = seed
        self.training_recipe = training or Training()
        self.net: Classifier | None = None
        self.accuracy = 0.0
        self.accuracy_split = ""
        self._path: Path | None = None

    def prepare(self, dataset: ImageDataset, device: torch.device) -> None:
        """Load the classifier of `dataset`, or train it and write its file.

        Raises:
            InputError: the data have no labels, or the file `weights` is no classifier of such
                images.
        """
        path = Path(self.weights) if self.weights else self._cache_path(dataset)
        if path != self._path:
            self._check_labels(dataset)
            if not self._load(path, dataset):
                self._refuse_weights(path)
                self._train(path, dataset, device)
            self._path = path
        self.freeze(device)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, F) and logits (B, K) of uint8 images (B, C, R, R)."""
        assert self.net is not None
        pool = self.net.pool(images)
        return pool, linear(pool, self.net.head.weight, self.net.head.bias)

    def stamp(self) -> dict[str, str | int | float]:
        """Return what identifies the features, with the accuracy of the classifier."""
        return super().stamp() | {
            "accuracy": self.accuracy,
            "accuracy_split": self.accuracy_split,
        }

    def _cache_path(self, dataset: ImageDataset) -> Path:
        """Return the file of the classifier of a data set."""
        shape = (dataset.channels, dataset.resolution, dataset.num_classes)
        parts = [dataset.fingerprint("train"), *shape, Classifier.VERSION, self.seed]
        return self.cache / f"domain-{cache.key([*parts, self.training_recipe])}.pt"

    def _network(self, dataset: ImageDataset) -> Classifier:
        """Return the initial classifier, equal on every device; the global RNG is restored."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            return Classifier(dataset.channels, dataset.resolution, dataset.num_classes)

    def _load(self, path: Path, dataset: ImageDataset) -> bool:
        """Load the classifier of a file, and return whether the file holds one."""
        content = self._read(path) or {}
        net = self._network(dataset)
        weights = {name: Dense(value, torch.isfinite) for name, value in net.state_dict().items()}
        try:
            check(content.get("state"), weights, "state")
            check(content.get("accuracy"), _Accuracy, "accuracy")
            check(content.get("accuracy_split"), str, "accuracy_split")
        except StructureError:
            return False
        net.load_state_dict(content["state"])
        self.accuracy, self.accuracy_split = content["accuracy"], content["accuracy_split"]
        self.net = net
        return True

    def _read(self, path: Path) -> cache.Content | None:
        """Return the content of the file of the cache or of the user, or None if it has none."""
        if not self.weights:
            return cache.load(path)
        try:
            return cache.read(path)
        except READ_ERRORS:
            return None

    def _train(self, path: Path, dataset: ImageDataset, device: torch.device) -> None:
        """Train on the train split, measure the accuracy, write the file."""
        start = time.perf_counter()
        net = self._network(dataset).to(device)
        train = dataset.split("train")
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(self.seed))
        test, test_indices, indices, self.accuracy_split = _held_out(dataset, train, order)
        self.training_recipe.fit(net, train, indices, self.seed, device)
        self.accuracy = accuracy(net, test, test_indices, device)
        self.net = net
        cache.save(
            path,
            {
                "state": {name: value.cpu() for name, value in net.state_dict().items()},
                "accuracy": self.accuracy,
                "accuracy_split": self.accuracy_split,
                "source": dataset.name,
            },
        )
        seconds = time.perf_counter() - start
        print(
            f"domain classifier: accuracy {self.accuracy:.2%} on {dataset.name}/"
            f"{self.accuracy_split} ({len(test_indices):,} images), trained in {seconds:.0f} s, "
            f"{path}"
        )

    def _check_labels(self, dataset: ImageDataset) -> None:
        """Refuse points and data without labels."""
        if dataset.resolution < MIN_RESOLUTION:
            raise InputError(
                f"backbone=domain reads images of {MIN_RESOLUTION} pixels or more and "
                f"{dataset.name} is {dataset.resolution}x{dataset.resolution}; use backbone=plane "
                "for points, or metrics=[]"
            )
        if dataset.num_classes < 2 or dataset.split("train").labels is None:
            raise InputError(
                f"backbone=domain is trained on labels and {dataset.name} has none; "
                "use backbone=inception or metrics=[]"
            )

    def _refuse_weights(self, path: Path) -> None:
        """Refuse a file of the user that holds no such classifier."""
        if self.weights:
            raise InputError(
                f"{path} does not hold a domain classifier of these images; correct "
                "backbone.weights=FILE, or leave it out to train one"
            )


def _held_out(
    dataset: ImageDataset, train: Split, order: Tensor
) -> tuple[Split, Tensor, Tensor, str]:
    """Return held-out split and indices, indices to train on, and the name of the held-out part."""
    try:
        test = dataset.split("test")
    except ValueError:
        test = None
    if test is not None and test.labels is not None and len(test) > 0:
        return test, torch.arange(len(test)), order, "test"
    tenth = max(1, len(order) // 10)
    return train, order[-tenth:], order[:-tenth], "last tenth of shuffled train"
