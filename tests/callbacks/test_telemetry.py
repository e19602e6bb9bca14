import math

import pytest

from gan.callbacks.telemetry import Telemetry
from gan.errors import InputError
from tests.callbacks.stage import game, run


def test_first_every_kth_and_last_step_are_logged() -> None:
    assert run(game(), 7, Telemetry(every=3)).steps == [1, 3, 6, 7]


def test_a_record_holds_the_readings_and_the_images_seen() -> None:
    notebook = run(game(n_critic=2), 3, Telemetry(every=1))
    assert [record["images"] for _, record in notebook.records] == [16, 32, 48]
    for _, record in notebook.records:
        assert set(record) == {
            "images",
            "images_per_second",
            "generator/adversarial",
            "discriminator/adversarial",
            "logits/real",
            "logits/fake",
            "gradient_norm/generator",
            "gradient_norm/discriminator",
            "lr/generator",
            "lr/discriminator",
        }
        assert all(isinstance(v, int | float) and math.isfinite(v) for v in record.values())
        assert record["images_per_second"] > 0


def test_gradient_norms_are_measured_for_records_alone() -> None:
    telemetry, players = Telemetry(every=4), game()
    measured = []

    class Probe(Telemetry):
        def on_train_batch_end(self, *args: object) -> None:
            measured.append(players.measuring)

    run(players, 6, telemetry, Probe(every=4))
    assert measured == [True, False, False, True, False, True]


def test_the_rate_is_of_the_images_since_the_last_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter(range(0, 1000, 2))
    monkeypatch.setattr("gan.callbacks.telemetry.time.perf_counter", lambda: next(ticks))
    notebook = run(game(), 5, Telemetry(every=2))
    assert [record["images_per_second"] for _, record in notebook.records] == [4.0] * 4


def test_no_cadence_is_refused() -> None:
    with pytest.raises(InputError, match=r"callbacks\.telemetry\.every=0"):
        Telemetry(every=0)
