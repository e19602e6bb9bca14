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
            measured.append(players.log_due)

    run(players, 6, telemetry, Probe(every=4))
    assert measured == [True, False, False, True, False, True]


def test_the_rate_is_of_the_images_since_the_last_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = [t for step in range(1, 6) for t in (100 * step, 100 * step + step)]  # step k takes k s
    monkeypatch.setattr("gan.callbacks.telemetry.time.perf_counter", lambda: times.pop(0))
    notebook = run(game(), 5, Telemetry(every=2))
    rates = [record["images_per_second"] for _, record in notebook.records]
    assert rates == [8 / 1, 8 / 2, 16 / 7, 8 / 5]


def test_no_cadence_is_refused() -> None:
    with pytest.raises(InputError, match=r"callbacks\.telemetry\.every=0"):
        Telemetry(every=0)
