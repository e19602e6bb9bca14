"""The one error that a user is meant to read."""


class InputError(ValueError):
    """Bad input from the user: one line that says what is wrong, where, and the remedy.

    The command line prints the line alone and exits with status 2.
    """
