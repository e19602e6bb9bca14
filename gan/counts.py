"""Numbers of things as people read them."""


def show(number: int, noun: str) -> str:
    """Return a number of things, with the plural of the noun: "1 image", "2,000 classes"."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"
