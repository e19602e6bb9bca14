"""An auxiliary classifier: the logit knows no label, but D names the class (Odena et al., 2017)."""

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan.conditioning.base import Head, Labelled
from gan.layers.precision import at_least_float32


class ClassHead(Head, ABC):
    """The logit knows no label; beside it, the class is learned from the features."""

    @abstractmethod
    def class_loss(self, h: Tensor, y: Tensor) -> Tensor:
        """Return how badly features (B, F) tell their labels (B,), a scalar in 32 bits or more."""


class AuxiliaryHead(ClassHead):
    """A linear classifier.

    Args:
        features: numbers in h.
        num_classes: labels known.
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__(features)
        self.classes = nn.Linear(features, num_classes)

    def classify(self, h: Tensor) -> Tensor:
        """Return logits of the classes (B, num_classes) from features (B, F)."""
        logits: Tensor = self.classes(h)
        return logits

    def class_loss(self, h: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy, the negative log-likelihood of the labels."""
        return cross_entropy(at_least_float32(self.classify(h)), y)


class Auxiliary(Labelled):
    """Label embedding beside z in G, a classifier beside D's logit (Odena et al., 2017).

    Args:
        num_classes: labels known, at least 1.
        embedding_dim: numbers in the generator's label embedding.
    """

    name = "auxiliary"

    def head(self, features: int) -> Head:
        """Return a head that classifies as well."""
        return AuxiliaryHead(features, self.num_classes)
