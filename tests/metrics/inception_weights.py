"""Random weights of Inception, of a scale that separates images."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


def random_weights(file: Path) -> Path:
    """Write a file as torch-fidelity does, with activations of constant scale."""
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        patch.setattr(torch, "load", lambda *_, **__: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        net = FeatureExtractorInceptionV3("random", ["2048"], str(file))
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        net.fc.weight.mul_(20)  # classes that differ
    torch.save(net.state_dict(), file)
    return file
