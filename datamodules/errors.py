"""The error for data that cannot be used."""


class DataError(ValueError):
    """Data that are missing or unreadable: one line with problem, place and remedy."""
