import torch
from sklearn.datasets import load_digits

from datamodules.digits import Digits


def build(resolution: int) -> Digits:
    return Digits(channels=1, resolution=resolution, num_classes=10, batch_size=8)


def test_the_levels_are_those_of_scikit_learn() -> None:
    module = build(8)
    parts = [module.split(name) for name in module.splits]
    assert [len(part) for part in parts] == [1437, 360]
    found = torch.cat([part.images(torch.arange(len(part))).flatten(1) for part in parts])
    labels = torch.cat([part.labels for part in parts if part.labels is not None])
    bunch = load_digits()
    expected = (torch.from_numpy(bunch.data) * 255 / 16).round().long()
    rows = sorted(map(tuple, torch.cat([found.long(), labels[:, None]], 1).tolist()))
    target = torch.from_numpy(bunch.target)[:, None]
    assert rows == sorted(map(tuple, torch.cat([expected, target], 1).tolist()))


def test_the_splits_are_fixed_and_resized() -> None:
    assert build(8).fingerprint("train") == build(8).fingerprint("train")
    assert build(16).split("test").images(torch.tensor([0])).shape == (1, 1, 16, 16)
