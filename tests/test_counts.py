import pytest

from gan import counts


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (0, "step", "0 steps"),
        (1, "step", "1 step"),
        (2_000_000, "image", "2,000,000 images"),
        (1, "class", "1 class"),
        (10, "class", "10 classes"),
    ],
)
def test_a_noun_follows_its_number(number: int, noun: str, words: str) -> None:
    assert counts.show(number, noun) == words
