import math

import pytest
import torch
from torch import Tensor

from gan.augment.corruption import Cutout, Noise

COUNT = 2000


def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(COUNT, 3, 12, 16, generator=generator) + 0.1


@pytest.mark.parametrize("stage", [Noise(), Cutout()])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_images_are_corrupted_with_probability_p(stage: Noise | Cutout, p: float) -> None:
    torch.manual_seed(0)
    hit = (stage(images(), torch.tensor(p)) != images()).flatten(1).any(1).float().mean().item()
    assert abs(hit - p) <= 4 * math.sqrt(p * (1 - p) / COUNT)


def test_noise_is_independent_with_half_normal_standard_deviation() -> None:
    torch.manual_seed(0)
    noise = Noise()(images(), torch.tensor(1.0)) - images()
    strength = noise.std((1, 2, 3))
    assert strength.square().mean().sqrt().item() == pytest.approx(0.1, rel=0.05)
    assert strength.mean().item() == pytest.approx(0.1 * math.sqrt(2 / math.pi), rel=0.05)
    white = noise / strength[:, None, None, None]
    assert white.mean().item() == pytest.approx(0, abs=0.01)
    for shifted in (white.roll(1, 1), white.roll(1, 2), white.roll(1, 3)):
        assert (white * shifted).mean().item() == pytest.approx(0, abs=0.01)


def test_cutout_is_one_rectangle_of_half_the_height_and_width() -> None:
    torch.manual_seed(0)
    x, y = images(), Cutout()(images(), torch.tensor(1.0))
    hole = y == 0
    assert torch.equal(hole, hole[:, :1].expand_as(hole))
    assert torch.equal(y[~hole], x[~hole])
    rows, columns = hole[:, 0].any(2), hole[:, 0].any(1)
    assert torch.equal(hole[:, 0], rows[:, :, None] & columns[:, None, :])
    assert rows.sum(1).max() == 6
    assert columns.sum(1).max() == 8
    assert rows.sum(1).min() == 3  # half of it beyond the border
    assert (rows.diff(dim=1).sum(1) <= 2).all()
    often = rows.float().mean(0)
    assert often.tolist() == pytest.approx(often.flip(0).tolist(), abs=0.06)
    expected = 0.5 - 0.25**2  # of the height or width, on average
    assert rows.float().mean().item() == pytest.approx(expected, rel=0.02)
    assert columns.float().mean().item() == pytest.approx(expected, rel=0.02)
