"""An auxiliary classifier in the discriminator (Odena et al., 2017)."""

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan.conditioning.base import Head, Labelled
from gan.layers.precision import at_least_float32


class ClassHead(Head, ABC):
    """A head whose logit ignores the label, with a loss that learns the class from the features."""

    @abstractmethod
    def classify(self, h: Tensor) -> Tensor:
        """Return class logits, (B, num_classes), of features h, (B, F)."""

    def class_outputs(self, h: Tensor) -> Tensor:
        """Return what consistency terms compare beside the logit, by default the class logits."""
        return self.classify(h)

    def class_loss(self, h: Tensor, y: Tensor) -> Tensor:
        """Return the class loss of features (B, F) and labels (B,), a scalar, at least float32.

        By default, the cross-entropy of the class logits and the labels.
        """
        return cross_entropy(at_least_float32(self.classify(h)), y)


class AuxiliaryHead(ClassHead):
    """A linear classifier of the features beside the logit.

    Args:
        features: size of the features h.
        num_classes: number of classes.
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__(features)
        self.classes = nn.Linear(features, num_classes)

    def classify(self, h: Tensor) -> Tensor:
        """Return class logits, (B, num_classes), of features h, (B, F)."""
        logits: Tensor = self.classes(h)
        return logits


class Auxiliary(Labelled):
    """A label embedding concatenated to z in G, an auxiliary classifier in D (Odena et al., 2017).

    Args:
        num_classes: number of classes, at least 1.
        embedding_dim: dimension of the generator's label embedding.
    """

    name = "auxiliary"

    def head(self, features: int) -> Head:
        """Return a head with a classifier."""
        return AuxiliaryHead(features, self.num_classes)
