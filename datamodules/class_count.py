"""The number of classes that a user declares, against that of the files."""

from datamodules.errors import DataError


def check_class_count(num_classes: int, known: int, choice: str) -> None:
    """Refuse another number of classes than a choice of files has, before the files are read.

    Args:
        num_classes: `data.num_classes`.
        known: number of classes of the files.
        choice: what the user chose, such as "data.split=letters".

    Raises:
        DataError: if `num_classes` is neither `known` nor 0, which removes the labels.
    """
    if num_classes not in (0, known):
        raise DataError(
            f"data.num_classes={num_classes} but {choice} has {known} classes:"
            f" set data.num_classes={known}"
        )
