"""Numbers of the conditioning that are out of their range are refused by their names."""

import pytest

from gan.conditioning.base import Labelled
from gan.conditioning.concatenation import Concatenation
from gan.conditioning.inner_product import InnerProduct, Mapped
from gan.conditioning.projection import Projection
from gan.errors import InputError


@pytest.mark.parametrize("kind", [Concatenation, InnerProduct, Mapped, Projection])
@pytest.mark.parametrize("dim", [0, -3])
def test_the_label_has_a_number_at_least(kind: type[Labelled], dim: int) -> None:
    with pytest.raises(
        InputError, match=rf"conditioning\.embedding_dim={dim}: give a number from 1"
    ):
        kind(3, embedding_dim=dim)
    assert kind(3, embedding_dim=1).entry(4).width == 5


def test_layers_and_units_of_the_head() -> None:
    with pytest.raises(InputError, match=r"conditioning\.depth=-1: give a number from 0"):
        Mapped(3, depth=-1)
    with pytest.raises(InputError, match=r"conditioning\.hidden=0: give a number from 1"):
        Concatenation(3, hidden=0)
