"""The login at Weights & Biases, which is asked of nobody."""

import os

import wandb

from gan.errors import InputError


def has_key() -> bool:
    """Return whether there is an API key, in the environment or of ``wandb login``.

    Nothing is sent.

    Raises:
        InputError: if the API key is malformed.
    """
    try:
        return bool(wandb.login(prompt=False, verify=False))
    except wandb.errors.AuthenticationError as error:
        raise InputError(f"wandb: {error}: set WANDB_API_KEY, or WANDB_MODE=offline") from error


def offline() -> bool:
    """Return whether there is neither an API key nor a mode in ``WANDB_MODE``.

    Raises:
        InputError: if the API key is malformed.
    """
    return "WANDB_MODE" not in os.environ and not has_key()
