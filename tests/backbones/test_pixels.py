import torch

from gan.backbones.pixels import to_uint8


def test_every_byte_survives_the_round_trip() -> None:
    pixels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(pixels.float() / 127.5 - 1), pixels)


def test_halves_round_up_and_values_outside_are_clamped() -> None:
    images = torch.tensor([-3.0, -1.0, 0.0, 0.49 / 127.5 - 1, 0.51 / 127.5 - 1, 1.0, 3.0])
    assert to_uint8(images).tolist() == [0, 0, 128, 0, 1, 255, 255]


def test_half_precision_is_rounded_once() -> None:
    images = (torch.arange(256) / 127.5 - 1).bfloat16()
    assert torch.equal(to_uint8(images), to_uint8(images.float()))
