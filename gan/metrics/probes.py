"""Accuracy of simple classifiers of vectors, which tells what the vectors know of the classes."""

import torch
from torch import Tensor

_CHUNK = 1000  # vectors that are compared at once
_ITERATIONS = 1000  # of the logistic regression, at most


def linear_probe(train: Tensor, labels: Tensor, test: Tensor, test_labels: Tensor) -> float:
    """Return the test accuracy of a logistic regression, in [0, 1].

    Each number of the vectors is scaled by mean and deviation over the training vectors. The
    regression has scikit-learn's defaults (L2 of weight 1) and no random numbers.

    Args:
        train: vectors to learn from, (N, dim).
        labels: of these, (N,) of int64.
        test: vectors to classify, (M, dim).
        test_labels: of these, (M,) of int64.
    """
    from sklearn.linear_model import LogisticRegression

    deviation, mean = torch.std_mean(train.double(), dim=0, correction=0)
    deviation[deviation == 0] = 1
    known, unknown = (((v.double() - mean) / deviation).numpy() for v in (train, test))
    classifier = LogisticRegression(max_iter=_ITERATIONS).fit(known, labels.numpy())
    return float(classifier.score(unknown, test_labels.numpy()))


def nearest_neighbour(train: Tensor, labels: Tensor, test: Tensor, test_labels: Tensor) -> float:
    """Return the test accuracy of the class of the nearest training vector, in [0, 1].

    Distances are Euclidean. Arguments as of :func:`linear_probe`.
    """
    nearest = [torch.cdist(part, train).argmin(1) for part in torch.split(test, _CHUNK)]
    return float((labels[torch.cat(nearest)] == test_labels).double().mean())


def accuracies(
    train: Tensor, labels: Tensor, test: Tensor, test_labels: Tensor
) -> dict[str, float]:
    """Return the accuracies by name; arguments as of :func:`linear_probe`."""
    given = (train, labels, test, test_labels)
    return {"linear_probe": linear_probe(*given), "nearest_neighbour": nearest_neighbour(*given)}
