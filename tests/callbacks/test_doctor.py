import json
import math
from collections.abc import Container
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from gan.algorithms.gan import GAN
from gan.callbacks.checkpoints import Checkpoints
from gan.callbacks.doctor import Doctor, class_spacing, mean_distance, some_of_each_class
from gan.callbacks.symptoms import (
    ClassCollapse,
    ConstantDiscriminator,
    DeadDiscriminator,
    ExplodingLogits,
    History,
    ModeCollapse,
    Symptom,
    likely_cause,
)
from gan.errors import DivergedError, InputError
from tests.algorithms.translating import cycle
from tests.callbacks.stage import Notebook, game, metrics, place, run

FOREVER = range(10**6)
NORMS = (1, 2, 1, 1, 900, math.nan)


class Fragile(GAN):
    """A GAN whose generator's loss is no number after some steps."""

    when: Container[int]

    def generator_loss(self, batch: Any) -> dict[str, Tensor]:
        terms = super().generator_loss(batch)
        return {k: v * math.nan if self.clock.step in self.when else v for k, v in terms.items()}


class Frozen(GAN):
    """A GAN whose samples are all alike after some steps."""

    when: Container[int]

    def generate(self, *args: Any, **kwargs: Any) -> Tensor:
        images = super().generate(*args, **kwargs)
        return images[:1].expand_as(images) if self.clock.step in self.when else images


def fragile(when: Container[int], **mechanics: Any) -> Fragile:
    players = game(**mechanics)
    players.__class__ = Fragile
    assert isinstance(players, Fragile)
    players.when = when
    return players


def test_a_run_stops_after_patience_with_a_diagnosis(tmp_path: Path) -> None:
    players = fragile(range(20, 10**6))
    checkpoints = Checkpoints(str(tmp_path / "checkpoints"), every=1)
    with pytest.raises(DivergedError, match=r"step 25: .* 5 steps; .*last\.ckpt is good"):
        run(players, 60, Doctor(str(tmp_path), patience=5), checkpoints)
    assert players.clock.step == 25
    report = json.loads((tmp_path / "diagnosis.json").read_text())
    assert report["readings"][-1]["generator/adversarial"] == "nan"
    assert math.isfinite(report["readings"][0]["generator/adversarial"])
    assert report["remedy"]
    content = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    assert content["clock"]["step"] == 20  # the last whose weights are numbers
    assert all(v.isfinite().all() for v in content["state_dict"].values())


def test_what_passes_is_forgiven(tmp_path: Path) -> None:
    players = fragile({3, 4, 5, 8, 9, 12, 13, 14}, nan_to_num=True)
    run(players, 30, Doctor(str(tmp_path), patience=4))
    assert players.clock.step == 30
    assert not (tmp_path / "diagnosis.json").exists()


def test_a_run_that_ends_on_no_number_has_diverged(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="for 2 steps"):
        run(fragile({18, 19}), 20, Doctor(str(tmp_path), patience=100))


def test_metrics_are_not_asked_for_what_is_no_number(tmp_path: Path) -> None:
    scored = metrics(*range(10), every=1)
    with pytest.raises(DivergedError):
        run(fragile(FOREVER[5:]), 20, Doctor(str(tmp_path), patience=3), scored)
    assert [record["step"] for record in scored.history] == [1, 2, 3, 4, 5]


def test_rollback_takes_up_the_best_weights_with_lower_rates(tmp_path: Path) -> None:
    players = fragile({20})
    best = Checkpoints(str(tmp_path / "checkpoints"), every=5)
    scores = metrics(1.0, 5.0, 6.0, 7.0, 8.0, every=10)  # the best at step 10
    doctor = Doctor(str(tmp_path), patience=4, rollback=True)
    log = run(players, 40, doctor, scores, best)
    assert players.clock.step == 40
    assert players.is_finite()
    assert doctor.rollback_count == 1
    (title, text), *_ = log.alerts
    assert title == "rollback"
    assert "best.ckpt" in text
    rates = [o.param_groups[0]["lr"] for o in players.trainer.optimizers]
    assert rates == [5e-4, 5e-4]


@pytest.mark.parametrize("before", [True, False])
def test_each_rollback_lowers_the_rates_once_more(tmp_path: Path, before: bool) -> None:
    """Whether the checkpoint is from before the first rollback, the best one, or after it."""
    players = fragile({10, 22})
    kept = [Checkpoints(str(tmp_path / "checkpoints"), every=5)]
    scores = [metrics(1.0, *range(2, 20), every=5)] if before else []
    doctor = Doctor(str(tmp_path), patience=4, rollback=True, relief=0.25)
    log = run(players, 30, doctor, *scores, *kept)
    assert doctor.rollback_count == 2
    assert all(("best.ckpt" in text) == before for _, text in log.alerts)
    assert log.alerts[-1][1].endswith("with learning rates times 0.0625")
    rates = [group["lr"] for o in players.trainer.optimizers for group in o.param_groups]
    assert rates == pytest.approx([1e-3 / 16] * 2)


def test_the_weights_after_a_rollback_are_those_of_the_checkpoint(tmp_path: Path) -> None:
    players = fragile({20})
    doctor = Doctor(str(tmp_path), patience=4, rollback=True)
    kept = Checkpoints(str(tmp_path / "checkpoints"), every=20)
    taken: list[dict[str, Tensor]] = []
    back = doctor._roll_back

    def noted(*args: Any) -> None:
        back(*args)
        taken.append({k: v.clone() for k, v in players.state_dict().items()})

    doctor._roll_back = noted  # type: ignore[assignment,method-assign]
    run(players, 30, doctor, kept)
    path = tmp_path / "checkpoints/previous.ckpt"
    there = torch.load(path, weights_only=True)
    assert there["clock"]["step"] == 20
    assert all(torch.equal(taken[0][k], v) for k, v in there["state_dict"].items())


def test_a_changed_checkpoint_is_passed_over_by_a_rollback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    players, folder = fragile({20}), tmp_path / "checkpoints"
    kept = Checkpoints(str(folder), every=10)
    run(game(), 10, kept)
    content = torch.load(folder / "last.ckpt", weights_only=True)
    content["state_dict"]["generator.layers.0.weight"] *= math.nan
    torch.save(content, folder / "best.ckpt")
    doctor = Doctor(str(tmp_path), patience=4, rollback=True)
    log = run(players, 40, doctor, kept)
    assert players.is_finite()
    assert doctor.rollback_count == 1
    assert "back to the weights of last.ckpt" in log.alerts[0][1]
    name = folder / "best.ckpt"
    assert f"{name} cannot be restored: state_dict.generator.layers.0.weight" in caplog.text


def test_rollbacks_are_counted(tmp_path: Path) -> None:
    players = fragile(FOREVER[10:])
    doctor = Doctor(str(tmp_path), patience=3, rollback=True, rollbacks=2)
    with pytest.raises(DivergedError):
        run(players, 60, doctor, Checkpoints(str(tmp_path / "checkpoints"), every=5))
    assert doctor.rollback_count == 2


def test_each_rollback_has_the_whole_patience(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    doctor = Doctor(str(tmp_path), patience=4, rollback=True, rollbacks=2)
    with pytest.raises(DivergedError, match=r"^step 22: .* for 4 steps"):
        run(fragile(FOREVER[10:]), 40, doctor, Checkpoints(str(tmp_path / "checkpoints"), every=5))
    found = [message.partition(":")[0] for message in caplog.messages if "back to" in message]
    assert found == ["step 14", "step 18"]


def test_collapse_is_warned_of_once_until_it_has_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    players = game()
    players.__class__ = Frozen
    assert isinstance(players, Frozen)
    players.when = {*range(10, 20), *range(30, 41)}
    log = run(players, 40, Doctor(str(tmp_path), patience=1, every=2))
    assert [title for title, _ in log.alerts] == ["mode collapse", "mode collapse"]
    assert "diversity of samples fell" in log.alerts[0][1]
    assert "step 10: mode collapse" in caplog.text
    diversity = {step: r["diversity"] for step, r in log.records if "diversity" in r}
    assert set(diversity) == {*range(2, 41, 2)}
    assert diversity[10] == 0.0 < diversity[8]


def test_a_healthy_run_is_left_alone(tmp_path: Path) -> None:
    log = run(game(), 30, Doctor(str(tmp_path), patience=1, every=5))
    assert log.alerts == []
    assert list(tmp_path.iterdir()) == []


def test_mean_distance() -> None:
    corners = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]]).view(3, 2, 1, 1)
    assert mean_distance(corners) == pytest.approx((5 + 0 + 5) / 3)


def repeated(count: int, **reading: float) -> History:
    return History([{k.replace("__", "/"): v for k, v in reading.items()} for _ in range(count)])


@pytest.mark.parametrize(
    ("diversity", "coverage", "found"),
    [
        ([0.1, 0.8, 0.9], [], False),
        ([0.1, 0.8, 0.9, 0.4], [], True),
        ([0.1, 0.12, 0.1], [], False),
        ([0.1] * 6, [], True),
        ([0.3] * 6, [], False),
        ([], [0.2, 0.6, 0.35], False),
        ([], [0.2, 0.6, 0.25], True),
    ],
)
def test_mode_collapse(diversity: list[float], coverage: list[float], found: bool) -> None:
    history = History(diversity=diversity, coverage=coverage)
    assert (ModeCollapse().detect(history) is not None) == found


def test_dead_discriminator() -> None:
    dead = repeated(5, discriminator__adversarial=1e-6)
    assert DeadDiscriminator().detect(dead) is not None
    dead.readings[2]["discriminator/adversarial"] = 0.3
    assert DeadDiscriminator().detect(dead) is None
    assert DeadDiscriminator().detect(repeated(4, discriminator__adversarial=1e-6)) is None


def test_exploding_logits() -> None:
    assert ExplodingLogits().detect(repeated(1, logits__fake=-2000.0)) is not None
    assert ExplodingLogits().detect(repeated(1, logits__fake=-20.0)) is None
    recovered = History([{"logits/fake": -2000.0}, {"logits/fake": -20.0}])
    assert ExplodingLogits().detect(recovered) is None


@pytest.mark.parametrize(
    ("history", "word"),
    [
        (repeated(1, loss_scale__generator=0.25), "float16"),
        (repeated(1, lr__generator=0.5, logits__real=5000.0), "learning rate"),
        (repeated(1, logits__real=5000.0), "logit"),
        (
            History([{"gradient_norm/generator": n} for n in (1, 2, 1, 1, 900, math.nan)]),
            "gradient",
        ),
        (repeated(1, logits__real=math.nan), "no reading"),
    ],
)
def test_the_likely_cause(history: History, word: str) -> None:
    evidence, remedy = likely_cause(history)
    assert word in evidence
    assert remedy


@pytest.mark.parametrize(
    ("symptom", "sick"),
    [
        (DeadDiscriminator(checks=2), {"discriminator/adversarial": 0.0}),
        (ExplodingLogits(), {"logits/real": -5000.0}),
    ],
)
def test_a_symptom_is_of_the_latest_readings(symptom: Symptom, sick: dict[str, float]) -> None:
    well = {"discriminator/adversarial": 1.0, "logits/real": 1.0}
    assert symptom.detect(History([well | sick] * 2 + [well] * 2)) is None
    assert symptom.detect(History([well] * 2 + [well | sick] * 2)) is not None


@pytest.mark.parametrize(
    ("name", "bound"),
    [("lr/generator", 0.01), ("logits/fake", 1000.0), ("loss_scale/generator", 1)],
)
def test_a_cause_begins_at_its_bound(name: str, bound: float) -> None:
    def found(value: float) -> bool:
        cause, _ = likely_cause(History([{"logits/real": 1.0, name: value}]))
        return cause != "no reading before gave a sign"

    beyond, within = bound * 1.0005, bound * 0.9995
    assert (found(beyond), found(within)) == ((False, True) if bound == 1 else (True, False))


@pytest.mark.parametrize("setting", ["patience", "every", "rollbacks"])
def test_numbers_out_of_range_are_refused(tmp_path: Path, setting: str) -> None:
    with pytest.raises(InputError, match=rf"doctor\.{setting}=0"):
        Doctor(str(tmp_path), **{setting: 0})  # type: ignore[arg-type]


def test_spacing_within_classes() -> None:
    """Class 0 at 0, 3, 4 and class 1 at 3, 5: nearest of the own class alone."""
    images = torch.tensor([0.0, 3.0, 3.0, 4.0, 5.0]).view(5, 1, 1, 1)
    labels = torch.tensor([0, 1, 0, 0, 1])
    assert class_spacing(images, labels) == pytest.approx((3 + 2 + 1 + 1 + 2) / 5)


def test_equally_many_images_of_the_first_classes() -> None:
    chosen = some_of_each_class(torch.arange(1000) % 20)
    assert (chosen % 20).bincount().tolist() == [8] * 8
    assert some_of_each_class(torch.tensor([1, 0, 1, 0, 0])).tolist() == [1, 3, 0, 2]
    assert len(some_of_each_class(torch.tensor([0, 0, 1]))) == 0


@pytest.mark.parametrize(
    ("diversity", "variety", "found"),
    [
        ([0.1] * 2, [], False),
        ([0.1] * 3, [], True),
        ([0.9] * 6, [0.1] * 6, True),
        ([0.9] * 6, [0.5] * 6, False),
    ],
)
def test_collapse_within_classes(diversity: list[float], variety: list[float], found: bool) -> None:
    history = History(class_diversity=diversity, class_variety=variety)
    assert (ClassCollapse().detect(history) is not None) == found


@pytest.mark.parametrize(
    ("logits", "found"),
    [
        ([(-0.0764, -0.0763)] * 5, True),
        ([(-0.0764, -0.0763)] * 4, False),
        ([(0.3, 0.1), *[(-0.0764, -0.0763)] * 4], False),
        ([(0.010, 0.013)] * 5, False),  # small logits, as of a critic with clipped weights
        ([(50.0, 50.5)] * 5, False),  # a large offset, as of a Wasserstein critic
        ([(math.nan, math.nan)] * 5, False),
    ],
)
def test_equal_logits_of_real_and_fake(logits: list[tuple[float, float]], found: bool) -> None:
    history = History([{"logits/real": real, "logits/fake": fake} for real, fake in logits])
    assert (ConstantDiscriminator().detect(history) is not None) == found
    assert ConstantDiscriminator().detect(History([{"loss": 1.0}] * 9)) is None


class OneOfEach(GAN):
    """A GAN that draws one image of each class, whatever the latents are."""

    def generate(self, seed: int, indices: range, labels: Tensor | None = None) -> Tensor:
        y = torch.tensor(indices) % self.generator.num_classes if labels is None else labels
        return y.float().view(-1, 1, 1, 1).div(5).sub(1).expand(-1, 1, 8, 8)


def test_one_image_a_class_is_named(tmp_path: Path) -> None:
    players = game(num_classes=10)
    players.__class__ = OneOfEach
    log = run(players, 12, Doctor(str(tmp_path), patience=1, every=2))
    assert [title for title, _ in log.alerts] == ["collapse within classes"]
    assert "0.00 times as far as among real images" in log.alerts[0][1]
    readings = [r for _, r in log.records if "class_diversity" in r]
    assert [r["class_diversity"] for r in readings] == [0.0] * 6
    assert min(r["diversity"] for r in readings) > 0.3
    plain = run(game(), 2, Doctor(str(tmp_path), every=2))
    assert all("class_diversity" not in record for _, record in plain.records)


class Source:
    """Images of distances from 0 on, whose splits are told apart by their size."""

    def __init__(self, count: int, labels: Tensor | None) -> None:
        self.count, self.labels, self.asked = count, labels, list[list[int]]()

    def split(self, name: str) -> "Source":
        return self if name == "train" else Source(1, None)

    def __len__(self) -> int:
        return self.count

    def batch(self, split: str, chosen: Tensor) -> tuple[Tensor, None]:
        assert split == "train"
        self.asked.append(chosen.tolist())
        return chosen.float().square().view(-1, 1, 1, 1), None


def test_real_images_are_spread_over_the_training_split(tmp_path: Path) -> None:
    source, doctor = Source(640, torch.arange(640) % 20), Doctor(str(tmp_path))
    doctor.on_train_start(place(datamodule=source), game(num_classes=10))
    evenly = torch.linspace(0, 639, 64).long()
    assert source.asked[0] == evenly.tolist()
    assert doctor._real_distance == mean_distance(source.batch("train", evenly)[0])
    chosen = some_of_each_class(torch.arange(640) % 20)
    assert source.asked[1] == chosen.tolist()
    assert torch.equal(doctor._classes, chosen % 20)
    spacing = class_spacing(source.batch("train", chosen)[0], chosen % 20)
    assert doctor._real_spacing == spacing > 0


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (None, 10),
        (torch.arange(640) % 2, 0),
        (torch.arange(640) % 2, None),
        (torch.arange(640), 10),
    ],
)
def test_spacing_needs_labels_and_a_game_that_knows_them(
    labels: Tensor | None, classes: int | None, tmp_path: Path
) -> None:
    """The last data have one image a class."""
    generator = SimpleNamespace() if classes is None else SimpleNamespace(num_classes=classes)
    players: Any = SimpleNamespace(device="cpu", generator=generator)
    doctor = Doctor(str(tmp_path))
    doctor.on_train_start(place(datamodule=Source(640, labels)), players)
    assert doctor._real_distance > 0
    assert math.isnan(doctor._real_spacing)
    assert len(doctor._classes) == 0


def test_diversity_is_relative_to_real_images(tmp_path: Path) -> None:
    players, notebook, doctor = game(num_classes=10, seed=3), Notebook(), Doctor(str(tmp_path))
    trainer = place(loggers=[notebook])
    doctor._measure_diversity(trainer, players)  # real images are not known
    assert notebook.records == []
    players.clock.tick(8)
    doctor._real_distance, doctor._real_spacing = 2.0, 4.0
    doctor._classes = torch.tensor([0, 0, 1, 1, 1])
    doctor._measure_diversity(trainer, players)
    own = players.generate(3, range(5), doctor._classes)
    expected = {
        "diversity": mean_distance(players.generate(3, range(64))) / 2,
        "class_diversity": class_spacing(own, doctor._classes) / 4,
    }
    assert notebook.records == [(1, {**expected, "images": 8})]
    assert doctor.history.diversity == [expected["diversity"]]
    assert doctor.history.class_diversity == [expected["class_diversity"]]
    doctor._real_spacing = 0.0  # copies within the classes
    doctor._measure_diversity(trainer, players)
    doctor._measure_diversity(trainer, cycle())
    assert notebook.records[1:] == [(1, {"diversity": expected["diversity"], "images": 8})]


def test_distances_of_copies_far_from_zero_and_of_half_precision() -> None:
    images = torch.full((64, 1, 8, 8), 1000.0)
    assert class_spacing(images, torch.zeros(64)) == 0
    images[0] += 0.001
    assert 0 < class_spacing(images, torch.zeros(64)) < 0.001
    few = torch.tensor([0.0, 3.0, 3.0]).view(3, 1, 1, 1).half()
    assert mean_distance(few) == pytest.approx(2)
    assert class_spacing(few, torch.zeros(3)) == pytest.approx(1)


def test_the_last_twenty_readings_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = list[list[Tensor]]()
    monkeypatch.setattr("gan.processes.average", shared.append)
    doctor = Doctor(str(tmp_path))
    players: Any = SimpleNamespace(readings={"loss": 0.5})
    for step in range(1, 26):
        players.clock = SimpleNamespace(step=step)
        doctor._check(place(), players, last=False)
    assert doctor.history.readings == [{"step": k, "loss": 0.5} for k in range(6, 26)]
    assert len(shared) == 25
    assert shared[0][0] is doctor._nonfinite  # which all processes count


def test_the_first_step_is_checked(tmp_path: Path) -> None:
    doctor = Doctor(str(tmp_path), patience=4)
    run(game(), 10, doctor)
    assert [reading["step"] for reading in doctor.history.readings] == [1, 5, 9, 10]
    assert doctor._next == 14


def test_the_last_step_is_not_rolled_back(tmp_path: Path) -> None:
    doctor = Doctor(str(tmp_path), patience=1, rollback=True)
    with pytest.raises(DivergedError, match=r"^step 4: .* for 1 step\b"):
        run(fragile({3}), 4, doctor, Checkpoints(str(tmp_path / "checkpoints"), every=1))
    assert doctor.rollback_count == 0


@pytest.mark.parametrize("first", [True, False])
def test_a_diagnosis_holds_what_is_known(tmp_path: Path, first: bool) -> None:
    doctor, path = Doctor(str(tmp_path)), tmp_path / "checkpoints" / "previous.ckpt"
    doctor.history.readings = [{"step": 3, "lr/generator": 0.5, "loss": -math.inf}]
    doctor._nonfinite, doctor.rollback_count = torch.tensor(7.0), 2
    players = game()
    players.clock.tick(8)
    line = doctor._diagnose(place(is_global_zero=False), players)
    assert not (tmp_path / "diagnosis.json").exists()
    assert line.endswith(f"see {tmp_path / 'diagnosis.json'}")
    if not first:
        path.mkdir(parents=True)  # no file
        (path.parent / "last.ckpt").touch()
    line = doctor._diagnose(place(), players)
    cause, remedy = likely_cause(doctor.history)
    good = None if first else str(path.parent / "last.ckpt")
    assert json.loads((tmp_path / "diagnosis.json").read_text()) == {
        "step": 1,
        "what": "losses or gradients were not finite for 7 steps",
        "likely_cause": cause,
        "remedy": remedy,
        "last_good_checkpoint": good,
        "rollbacks": 2,
        "readings": [{"step": 3, "lr/generator": 0.5, "loss": "-inf"}],
    }
    assert line.endswith("diagnosis.json" if good is None else f"; {good} is good")


@pytest.mark.parametrize("first", [True, False])
def test_alerts_go_to_the_log_once_and_to_the_loggers_that_take_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, first: bool
) -> None:
    notebook = Notebook()
    trainer = place(loggers=[SimpleNamespace(), notebook], is_global_zero=first)
    Doctor(str(tmp_path))._alert(trainer, "title", "text")
    assert notebook.alerts == [("title", "text")]
    assert caplog.messages == ["text"] * first


def test_values_of_evaluations_are_watched(tmp_path: Path) -> None:
    scores, doctor = metrics(), Doctor(str(tmp_path))
    scores.history = [{"a/coverage": 0.8, "a/class_variety": 0.5}, {"a/coverage": 0.1}]
    notebook = Notebook()
    doctor._warn(place(Checkpoints("x"), scores, loggers=[notebook]), 3)
    assert (doctor.history.coverage, doctor.history.class_variety) == ([0.8, 0.1], [0.5])
    assert notebook.alerts[0][1].startswith("step 3: mode collapse: coverage of samples fell")
    assert doctor.warned == {"mode collapse"}


def test_the_state_is_restored_as_it_was_stored(tmp_path: Path) -> None:
    doctor, other = Doctor(str(tmp_path)), Doctor(str(tmp_path))
    doctor.history = History([{"loss": 1.0}], [0.5], class_diversity=[0.25])
    doctor.warned, doctor.rollback_count, doctor._next = {"b", "a"}, 2, 7
    state = doctor.state_dict()
    assert state["warned"] == ["a", "b"]
    other.load_state_dict(state)
    assert other.state_dict() == state
    assert (other.history, other.warned) == (doctor.history, doctor.warned)
    del state["class_diversity"]  # of an earlier version
    other.load_state_dict(state)
    assert other.history.class_diversity == []


@pytest.mark.parametrize("relief", [0.0, 1.0, -0.5, 1.5])
def test_a_relief_that_does_not_lower_the_rates_is_refused(tmp_path: Path, relief: float) -> None:
    with pytest.raises(InputError, match=rf"doctor\.relief={relief}"):
        Doctor(str(tmp_path), relief=relief)


def test_a_rollback_restores_weights_and_optimizers(tmp_path: Path) -> None:
    def stepped(value: float) -> tuple[GAN, list[torch.optim.Optimizer]]:
        players = game()
        optimizers = players.configure_optimizers()
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
                for weight in group["params"]:
                    weight.grad = torch.full_like(weight, value)
            optimizer.step()
        return players, optimizers

    kept, states = stepped(1.0)
    content = {
        "state_dict": kept.state_dict(),
        "optimizer_states": [optimizer.state_dict() for optimizer in states],
    }
    players, optimizers = stepped(-2.0)
    doctor = Doctor(str(tmp_path), relief=0.25)
    doctor._nonfinite = torch.tensor(3.0)
    doctor._roll_back(place(optimizers=optimizers), players, Path("best.ckpt"), content)
    for one, other in zip(players.parameters(), kept.parameters(), strict=True):
        assert torch.equal(one, other)
    for optimizer, stored in zip(optimizers, states, strict=True):
        (first, *_), (expected, *_) = optimizer.state.values(), stored.state.values()
        assert torch.equal(first["exp_avg"], expected["exp_avg"])
        assert optimizer.param_groups[0]["initial_lr"] == 1e-3 / 4
    assert doctor._nonfinite == 0


def test_a_checkpoint_with_the_optimizers_of_another_game_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    run(game(), 1, Checkpoints(str(folder)))
    content = torch.load(folder / "last.ckpt", weights_only=True)
    torch.save({**content, "optimizer_states": []}, folder / "best.ckpt")
    found = Doctor(str(tmp_path))._read_checkpoint(game())
    assert found is not None
    assert found[0] == folder / "last.ckpt"


def logits(real: float, fake: float) -> dict[str, float]:
    return {"logits/real": real, "logits/fake": fake}


@pytest.mark.parametrize(
    ("symptom", "within", "beyond"),
    [
        (ModeCollapse(), History(diversity=[0.5, 0.25]), History(diversity=[0.5, 0.2499])),
        (ModeCollapse(), History(coverage=[0.5, 0.25]), History(coverage=[0.5, 0.2499])),
        (ModeCollapse(), History(diversity=[0.2] * 6), History(diversity=[0.1999] * 6)),
        (ModeCollapse(), History(diversity=[0.1] * 5), History(diversity=[0.1] * 6)),
        (
            ModeCollapse(),
            History(diversity=[0.15] * 5 + [0.25]),
            History(diversity=[0.25] * 5 + [0.15]),
        ),
        (
            ModeCollapse(fall=0.9, least=0.5, rounds=1),
            History(diversity=[0.5, 0.5]),
            History(diversity=[0.5, 0.46]),
        ),
        (
            ClassCollapse(),
            History(class_diversity=[0.3] * 3, class_variety=[0.3] * 3),
            History(class_variety=[0.2999] * 3),
        ),
        (ClassCollapse(), History(class_variety=[0.1] * 2), History(class_variety=[0.1] * 3)),
        (
            ClassCollapse(),
            History(class_diversity=[0.1] * 3 + [0.4]),
            History(class_diversity=[0.4] * 3 + [0.1]),
        ),
        (
            DeadDiscriminator(),
            repeated(5, discriminator__adversarial=1e-4),
            repeated(5, discriminator__adversarial=-0.99e-4),
        ),
        (DeadDiscriminator(), repeated(5, loss=0.0), repeated(7, discriminator__adversarial=0.0)),
        (ConstantDiscriminator(), History([logits(5, 5.011)] * 5), History([logits(5, 5.009)] * 5)),
        (
            ConstantDiscriminator(gap=0.25, share=1),
            History([logits(5, 5.25)] * 5),
            History([logits(5, 5.24)] * 5),
        ),
        (
            ConstantDiscriminator(gap=1, share=0.25),
            History([logits(-1, -0.75)] * 5),
            History([logits(-1, -0.76)] * 5),
        ),
        (ConstantDiscriminator(), History([{}] * 5), History([logits(0, 0)] * 5)),
        (ExplodingLogits(), History([logits(1000, 0)]), History([logits(0, -1000.1)])),
    ],
)
def test_a_symptom_begins_beyond_its_bound(
    symptom: Symptom, within: History, beyond: History
) -> None:
    assert symptom.detect(within) is None
    assert symptom.detect(beyond) is not None


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        ({"lr/generator": [0.01]}, {"lr/generator": [0.01, 0.0101]}),
        ({"logits/fake": [-1000.0]}, {"logits/fake": [-1001.0, 0.0]}),
        ({"loss_scale/generator": [1.0, 2.0]}, {"loss_scale/generator": [2.0, 0.5]}),
        *(
            (
                {f"gradient_norm/{player}": [1.0, 1.0, 100.0]},
                {f"gradient_norm/{player}": [1.0, 1.0, 101.0]},
            )
            for player in ("generator", "discriminator")
        ),
        ({"lr/generator": [math.nan]}, {"lr/generator": [math.nan, 0.5]}),
    ],
)
def test_a_cause_is_one_beyond_its_bound_alone(
    within: dict[str, list[float]], beyond: dict[str, list[float]]
) -> None:
    def cause(given: dict[str, list[float]]) -> str:
        readings = [{name: value} for name, values in given.items() for value in values]
        return likely_cause(History(readings))[0]

    assert cause(within) == "no reading before gave a sign"
    assert cause(beyond) != "no reading before gave a sign"


def test_values_and_the_largest_of_readings() -> None:
    history = History([{"a/x": 1.0, "b": -3.0}, {"a/y": math.inf, "a/x": -2.0, "c": 9.0}])
    assert [*history.values("a/", "b")] == [("a/x", 1.0), ("b", -3.0), ("a/x", -2.0)]
    assert (history.largest("a/", "b"), history.largest("none")) == (3.0, 0.0)
