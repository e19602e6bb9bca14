import pytest
import torch

from gan.algorithms.class_names import ClassNames
from gan.errors import InputError
from tests.callbacks.stage import game

ANIMALS = ClassNames(("cat", "dog", "emu"))


def test_a_name_a_number_and_a_number_as_text() -> None:
    assert ANIMALS.numbers(["dog", 2, "0"]) == [1, 2, 0]
    assert ANIMALS.numbers("emu") == [2]
    assert ClassNames().numbers(["1", 3]) == [1, 3]


def test_of_a_text_the_name_wins_over_the_number() -> None:
    names = ClassNames(("3", "1"))
    assert names.numbers(["1", "3", 1, "0"]) == [1, 0, 1, 0]


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="labels: no class 'dgo'; did you mean 'dog'"):
        ANIMALS.number("dgo")
    with pytest.raises(InputError, match=r"no class 'cat'; the classes .* have no names"):
        ClassNames().number("cat")


def test_a_hint_stays_short_with_many_classes() -> None:
    many = ClassNames(tuple(f"class{k}" for k in range(1000)))
    with pytest.raises(InputError) as caught:
        many.number("zzz")
    assert len(str(caught.value)) < 400


def test_a_class_without_a_name_is_called_by_its_number() -> None:
    assert (ANIMALS.name(1), ClassNames().name(1)) == ("dog", "1")


@pytest.mark.parametrize("kind", [torch.uint8, torch.int32, torch.int64, torch.float64])
def test_labels_of_any_type_are_numbers_of_classes(kind: torch.dtype) -> None:
    given = torch.tensor([[2], [0], [1]], dtype=kind)
    labels = game(num_classes=3).labels_for(3, given)
    assert labels is not None
    assert labels.dtype is torch.int64
    assert labels.tolist() == [2, 0, 1]
