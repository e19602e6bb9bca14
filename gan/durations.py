"""Durations as people read them."""

_UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"))
DAY = 86400.0


def show(seconds: float) -> str:
    """Return a duration in the largest unit of which it has two: "90 s", "2.5 hours"."""
    for size, name in _UNITS:
        count = seconds / size
        if count >= 2:
            return f"{count:.0f} {name}" if count >= 10 else f"{float(f'{count:.1f}'):g} {name}"
    return f"{seconds:.0f} s"
