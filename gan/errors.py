"""The errors that a user is meant to read, each one line."""

DIVERGED = 3  # exit status of a run whose numbers are numbers no more


class InputError(ValueError):
    """Bad input from the user: one line that says what is wrong, where, and the remedy.

    The command line prints the line alone and exits with status 2.
    """


class DivergedError(RuntimeError):
    """Losses or gradients were not finite for too long: one line with the likely cause and remedy.

    The command line prints the line alone and exits with status 3.
    """


def causes(error: BaseException | None) -> list[BaseException]:
    """Return the error and what it came from, outermost first."""
    found = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
