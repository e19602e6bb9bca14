"""The one error about data that a user is meant to read."""


class DataError(ValueError):
    """Data that cannot be had or read: one line that says what, where, and the remedy."""
