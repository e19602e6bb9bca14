import json

from gan.clock import Clock


def test_a_step_adds_its_images() -> None:
    clock = Clock()
    clock.tick(64)
    clock.tick(320)
    assert (clock.step, clock.images) == (2, 384)


def test_the_state_dict_restores_the_clock() -> None:
    clock = Clock(step=7, images=448)
    other = Clock()
    other.load_state_dict(json.loads(json.dumps(clock.state_dict())))
    assert other == clock
