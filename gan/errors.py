"""Errors that users read, each one line, and the exit statuses of the commands."""

REFUSED = 2  # bad input
DIVERGED = 3  # losses or gradients of a run were not finite
REQUEUE = 75  # preempted: a scheduler should run the job again (EX_TEMPFAIL)
INTERRUPTED = 130  # Ctrl-C


class InputError(ValueError):
    """Bad input from the user: one line that says what is wrong, where, and the remedy.

    The command line prints the line alone and exits with status 2.
    """


class DivergedError(RuntimeError):
    """Losses or gradients were not finite for too long: one line with the likely cause and remedy.

    The command line prints the line alone and exits with status 3.
    """


def printable(text: str) -> str:
    """Return a text with "?" for control characters, to which a terminal would react."""
    return "".join(character if character.isprintable() else "?" for character in text)


def extra(name: str) -> str:
    """Return how to install an extra of this project.

    The name "ganymede" belongs to another project on the Python package index.
    """
    return f"run pip install 'SOURCE[{name}]', where SOURCE is this project's folder or wheel"


def causes(error: BaseException | None) -> list[BaseException]:
    """Return the error and the errors that it was raised from, outermost first."""
    chain = []
    while error is not None:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
