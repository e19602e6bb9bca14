from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.data_identity import DataIdentity
from gan.callbacks.telemetry import Telemetry
from gan.errors import InputError
from tests.callbacks.stage import Notebook, game, metrics, place, run


def step(path: Path) -> int:
    number: int = torch.load(path, weights_only=True)["clock"]["step"]
    return number


@pytest.mark.parametrize(("minimize", "best"), [(True, 3), (False, 2)])
def test_last_and_best_are_kept(tmp_path: Path, minimize: bool, best: int) -> None:
    scored = metrics(5.0, 9.0, 1.0, 4.0, 1.0, minimize=minimize)
    run(game(), 5, scored, Checkpoints(str(tmp_path), every=2))
    assert {p.name for p in tmp_path.iterdir()} == {"last.ckpt", "previous.ckpt", "best.ckpt"}
    assert step(tmp_path / "previous.ckpt") == 4
    assert step(tmp_path / "last.ckpt") == 5
    assert step(tmp_path / "best.ckpt") == best


def test_without_metrics_there_is_no_best(tmp_path: Path) -> None:
    run(game(), 2, Checkpoints(str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_last_is_written_every_kth_and_the_last_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    save = pl.Trainer.save_checkpoint

    def noted(self: pl.Trainer, path: Path, *args: Any) -> None:
        save(self, path, *args)
        written.append(step(path))

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", noted)
    run(game(), 5, Checkpoints(str(tmp_path), every=2))
    assert written == [2, 4, 5]


def test_logs_are_saved_before_the_checkpoint_of_their_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int | None] = []
    known: list[list[int | None]] = []
    write = pl.Trainer.save_checkpoint

    def noted(self: pl.Trainer, path: Path, *args: Any) -> None:
        known.append(saved.copy())
        write(self, path, *args)

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", noted)
    monkeypatch.setattr(Notebook, "save", lambda self: saved.extend(self.steps[len(saved) :]))
    run(game(), 3, Telemetry(every=1), Checkpoints(str(tmp_path), every=1))
    assert known == [[1], [1, 2], [1, 2, 3]]


def test_the_best_is_remembered_over_a_resume(tmp_path: Path) -> None:
    run(game(), 2, metrics(3.0, 7.0), Checkpoints(str(tmp_path)))
    again = metrics(5.0, 4.0)
    run(game(), 4, again, Checkpoints(str(tmp_path)), resume=tmp_path / "last.ckpt")
    assert step(tmp_path / "best.ckpt") == 1
    assert step(tmp_path / "last.ckpt") == 4
    assert [record["script/score"] for record in again.history] == [3.0, 7.0, 5.0, 4.0]


def test_a_crash_while_writing_leaves_the_previous_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = pl.Trainer.save_checkpoint

    def crash(self: pl.Trainer, path: Path, *args: Any) -> None:
        if self.lightning_module.clock.step == 2:  # type: ignore[union-attr]
            Path(path).write_bytes(b"half")
            raise OSError("power cut")
        save(self, path, *args)

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", crash)
    with pytest.raises(OSError, match="power cut"):
        run(game(), 3, Checkpoints(str(tmp_path), every=1))
    assert step(tmp_path / "last.ckpt") == 1


def test_no_cadence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"callbacks\.checkpoints\.every=0"):
        Checkpoints(str(tmp_path), every=0)


def writing(folder: Path, first: bool = True) -> Any:
    """Return what stands for a trainer that writes the numbers of its checkpoints."""
    written: list[Path] = []

    def save(path: Path) -> None:
        assert not path.is_symlink()
        written.append(path)
        path.write_text(str(len(written)))

    return place(
        is_global_zero=first, save_checkpoint=save, lightning_module=game(), written=written
    )


def test_the_file_before_is_kept_and_a_link_is_not_followed(tmp_path: Path) -> None:
    folder, trainer = tmp_path / "new" / "checkpoints", writing(tmp_path)
    kept = Checkpoints(str(folder))
    kept.write_last(trainer)
    (folder / "last.ckpt.part").symlink_to(tmp_path / "elsewhere")
    kept.write_last(trainer)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "last.ckpt": "2",
        "previous.ckpt": "1",
    }
    assert not (tmp_path / "elsewhere").exists()


def test_other_processes_rename_nothing(tmp_path: Path) -> None:
    trainer = writing(tmp_path, first=False)
    (tmp_path / "last.ckpt").touch()
    Checkpoints(str(tmp_path)).write_last(trainer)
    assert trainer.written == [tmp_path / "last.ckpt.part"]
    assert {path.name for path in tmp_path.iterdir()} == {"last.ckpt", "last.ckpt.part"}


def test_a_checkpoint_states_what_a_resumed_run_must_not_change(tmp_path: Path) -> None:
    kept, content = Checkpoints(str(tmp_path)), dict[str, Any]()
    kept.on_save_checkpoint(place(), game(), content)
    assert content == {"identity": {}}
    kept.identity = {"loss": "hinge"}
    kept.on_save_checkpoint(place(), game(), content)
    assert content == {"identity": {"loss": "hinge"}}


def test_the_identity_of_the_images_is_computed_once() -> None:
    computed: list[str] = []

    def identity() -> str:
        computed.append("x")
        return "abc"

    callback, trainer = DataIdentity(), place(datamodule=SimpleNamespace(identity=identity))
    for _ in range(2):
        content: dict[str, Any] = {}
        callback.on_save_checkpoint(trainer, game(), content)
        assert content == {"data_identity": "abc"}
    assert len(computed) == 1
