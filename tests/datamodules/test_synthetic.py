from typing import Any

import pytest
import torch

from datamodules.synthetic import Synthetic


def build(**changes: Any) -> Synthetic:
    facts = {"channels": 3, "resolution": 32, "num_classes": 3, "batch_size": 8}
    return Synthetic(**(facts | {"train_size": 300, "test_size": 60} | changes))


@pytest.mark.parametrize("channels", [1, 3])
def test_factors_agree_with_the_pixels(channels: int) -> None:
    module = build(channels=channels)
    factors = module.factors("train")
    images = module.split("train").images(torch.arange(300)).float()
    shape, radius, x, y = factors[:, :4].unbind(1)
    assert images.amax((2, 3)).equal(factors[:, 4:])
    cover = images[:, 0] / factors[:, 4, None, None]
    area = cover.sum((1, 2)) * (2 / 32) ** 2
    side = torch.tensor([torch.pi, 1.7**2, 0.75 * 3**0.5])[shape.long()]
    assert area.sub(side * radius**2).abs().max().item() < 0.02
    grid = (torch.arange(32) + 0.5) / 16 - 1
    mass = cover.sum((1, 2))
    assert ((cover.sum(1) * grid).sum(1) / mass).sub(x).abs().max().item() < 0.02
    assert ((cover.sum(2) * grid).sum(1) / mass).sub(y).abs().max().item() < 0.02


def test_the_label_is_the_shape_and_all_shapes_occur() -> None:
    module = build()
    labels = module.split("train").labels
    assert labels is not None
    assert labels.equal(module.factors("train")[:, 0].long())
    assert set(labels.tolist()) == {0, 1, 2}


def test_images_depend_on_content_seed_only() -> None:
    assert build(seed=5).fingerprint("train") == build().fingerprint("train")
    assert build(content_seed=5).fingerprint("train") != build().fingerprint("train")
    assert build(test_size=300).fingerprint("test") != build().fingerprint("train")
