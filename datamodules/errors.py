"""The error for data that cannot be used."""


class DataError(ValueError):
    """Data that are missing or unreadable: one line with problem, place and remedy."""


def extra(name: str) -> str:
    """Return how to install an extra of this project."""
    return f"run pip install 'SOURCE[{name}]', where SOURCE is this project's folder or wheel"
