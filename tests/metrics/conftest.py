import pytest
import torch

from tests.metrics.tiny import TinySource, tiny_source


@pytest.fixture
def source() -> TinySource:
    return tiny_source()


@pytest.fixture
def cpu() -> torch.device:
    return torch.device("cpu")
