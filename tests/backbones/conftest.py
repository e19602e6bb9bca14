import pytest
import torch

from tests.metrics.tiny_data import TinyDataset, tiny_dataset


@pytest.fixture
def dataset() -> TinyDataset:
    return tiny_dataset()


@pytest.fixture
def cpu() -> torch.device:
    return torch.device("cpu")
