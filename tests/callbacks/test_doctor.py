import json
import math
from collections.abc import Container
from pathlib import Path
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
from tests.callbacks.stage import game, metrics, run

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
