"""A resumed run has the callbacks of one that was not interrupted."""

from pathlib import Path

from pytorch_lightning.callbacks import Callback

from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.doctor import Doctor
from tests.callbacks.stage import game, metrics, run

SCORES = (5.0, 2.0, 3.0, 9.0, 1.0, 4.0)  # of steps 2, 4, ...


def stateful(folder: Path, *scores: float) -> list[Callback]:
    """Return the callbacks that have a state."""
    return [Doctor(str(folder), patience=3, every=2), metrics(*scores, every=2)]


def test_states_are_those_of_a_run_that_was_not_interrupted(tmp_path: Path) -> None:
    """Step 8 is between two checks of the doctor, those of 7 and 10."""
    whole, resumed = stateful(tmp_path, *SCORES), stateful(tmp_path, *SCORES[4:])
    folder = tmp_path / "checkpoints"
    run(game(), 12, *whole, Checkpoints(str(folder), every=8))
    assert whole[0].state_dict()["next"] == 15
    run(game(), 12, *resumed, resume=folder / "previous.ckpt")  # of step 8
    for one, other in zip(whole, resumed, strict=True):
        assert one.state_dict() == other.state_dict()
