import pytest

from gan import durations


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2 minutes"),
        (150, "2.5 minutes"),
        (9.97 * 60, "10 minutes"),
        (10.6 * 60, "11 minutes"),
        (3600, "60 minutes"),
        (7200, "2 hours"),
        (86400, "24 hours"),
        (2.25 * 86400, "2.2 days"),
        (118.7 * 86400, "119 days"),
    ],
)
def test_the_unit_fits_the_length(seconds: float, shown: str) -> None:
    assert durations.show(seconds) == shown
