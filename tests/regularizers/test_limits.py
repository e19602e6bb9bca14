"""Numbers of regularizers, conditionings and likelihoods at the ends of their ranges."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from gan.conditioning.contrastive import Contrastive, DataToData
from gan.conditioning.log_sum_exp import LogSumExpHead
from gan.conditioning.projection import Projection
from gan.errors import InputError
from gan.likelihoods.gaussian import GaussianLikelihood
from gan.likelihoods.laplace import LaplaceLikelihood
from gan.likelihoods.logistic import LogisticLikelihood
from gan.networks.base import halvings, smallest_maps
from gan.networks.cyclegan import ResNetTranslator
from gan.networks.infogan import _positions
from gan.networks.patch import PatchDiscriminator
from gan.networks.pix2pix import UNet
from gan.networks.semi_supervised_cnn import DropoutClassifier
from gan.regularizers.gradient import R1
from gan.regularizers.latent_consistency import LatentConsistency
from gan.regularizers.mode_seeking import ModeSeeking
from gan.regularizers.path_length import PathLength
from gan.regularizers.top_k import TopK
from gan.regularizers.weight_clip import WeightClip

TINY = 1e-9
RANGES: list[tuple[Callable[..., Any], dict[str, Any], list[Any], list[Any]]] = [
    (R1, {}, [("every", 1)], [("every", 0)]),
    (PathLength, {}, [("decay", 1.0), ("decay", TINY), ("shrink", 1)], [("decay", 1.01)]),
    (PathLength, {}, [], [("decay", 0.0), ("shrink", 0)]),
    (TopK, {"epoch_images": 1}, [("gamma", 1.0), ("nu", 1.0), ("gamma", TINY)], [("gamma", 0.0)]),
    (TopK, {"epoch_images": 1}, [("nu", TINY)], [("nu", 0.0), ("nu", 1.01), ("gamma", 1.01)]),
    (TopK, {}, [("epoch_images", 1)], [("epoch_images", 0)]),
    (LatentConsistency, {}, [("sigma", TINY)], [("sigma", 0.0)]),
    (ModeSeeking, {}, [("eps", TINY)], [("eps", 0.0)]),
    (WeightClip, {}, [("bound", TINY)], [("bound", 0.0), ("bound", -1.0)]),
    (Contrastive, {"num_classes": 2}, [("dim", 1), ("temperature", TINY)], [("dim", 0)]),
    (Contrastive, {"num_classes": 2}, [], [("temperature", 0.0), ("temperature", -1.0)]),
    (DataToData, {"num_classes": 2}, [("margin", 0.0), ("margin", 1.0)], [("margin", -0.01)]),
    (DataToData, {"num_classes": 2}, [], [("margin", 1.01)]),
    (Projection, {}, [("num_classes", 1)], [("num_classes", 0)]),
    (LogSumExpHead, {"features": 3}, [("num_classes", 2)], [("num_classes", 1)]),
    *(
        (kind, {}, [("scale", TINY)], [("scale", 0.0), ("scale", math.inf), ("scale", math.nan)])
        for kind in (GaussianLikelihood, LaplaceLikelihood, LogisticLikelihood)
    ),
    (ResNetTranslator, {"channels": 1, "width": 4}, [("blocks", 1)], [("blocks", 0)]),
    (PatchDiscriminator, {"channels": 1, "width": 2}, [("resolution", 6)], [("resolution", 5)]),
    (
        UNet,
        {"channels": 1, "width": 2},
        [("resolution", 8)],
        [("resolution", 4), ("resolution", 12)],
    ),
    (
        DropoutClassifier,
        {"channels": 1, "classes": 2, "width": 2},
        [("resolution", 8)],
        [("resolution", 7)],
    ),
    (_positions, {}, [("resolution", 8)], [("resolution", 4), ("resolution", 10)]),
    (halvings, {}, [("resolution", 8)], [("resolution", 4), ("resolution", 12)]),
    (smallest_maps, {}, [("resolution", 8), ("resolution", 14)], [("resolution", 7)]),
    (smallest_maps, {}, [], [("resolution", 9), ("resolution", 4)]),
]
ACCEPTED = [(make, given | dict([pair])) for make, given, good, _ in RANGES for pair in good]
REFUSED = [(make, given | dict([pair])) for make, given, _, bad in RANGES for pair in bad]


def name(value: Any) -> str:
    """Return the name of a class or function, or the last argument of it."""
    return "=".join(map(str, [*value.items()][-1])) if isinstance(value, dict) else value.__name__


@pytest.mark.parametrize(("make", "given"), ACCEPTED, ids=name)
def test_the_ends_of_a_range_are_accepted(make: Callable[..., Any], given: dict[str, Any]) -> None:
    assert make(**given) is not None


@pytest.mark.parametrize(("make", "given"), REFUSED, ids=name)
def test_numbers_beyond_are_refused(make: Callable[..., Any], given: dict[str, Any]) -> None:
    with pytest.raises((InputError, ValueError)):
        make(**given)
