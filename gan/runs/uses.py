"""What a run can be used for, by the kind of its game."""

from functools import singledispatch

from gan.algorithms.encoding import EncodingGame
from gan.algorithms.latent import LatentGame
from gan.algorithms.translation import TranslationGame
from gan.algorithms.two_player import TwoPlayerGame
from gan.runs.hints import SAMPLE


@singledispatch
def describe(game: object) -> str:
    """Return what a game does, and the commands for it."""
    return "its model is no game of this project: name another run"


@describe.register
def _(game: LatentGame) -> str:
    return f"its {type(game).__name__} draws images from latents: use ganymede sample"


@describe.register
def _(game: TranslationGame) -> str:
    return f"its {type(game).__name__} turns images into images: use ganymede translate or restore"


def first_commands(game: TwoPlayerGame, restores: bool) -> list[tuple[str, str]]:
    """Return commands to begin with on a trained game, each with its settings besides the run.

    Args:
        game: of the run.
        restores: its sources were made by a degradation.
    """
    if isinstance(game, EncodingGame):
        return [SAMPLE, ("reconstruct", "n=40"), ("encode", "out=latents.npz")]
    if isinstance(game, LatentGame):
        return [SAMPLE, *[("classify", "split=test")] * (game.num_classified > 0)]
    if not isinstance(game, TranslationGame):
        return [SAMPLE]
    files = "images=FOLDER out="
    restoring = [("restore", f"{files}restored")] if restores else []
    both_ways = len(game.directions) > 1
    translating = [("translate", f"{files}translated")] if both_ways or not restores else []
    return [*restoring, *translating]
