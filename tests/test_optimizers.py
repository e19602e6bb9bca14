import pytest
import torch
from torch import nn

from gan.optimizers import LazyAdam


def test_lazy_adam_scales_learning_rate_and_decays() -> None:
    """Karras et al. (2020a), appendix B: c = k / (k + 1)."""
    optimizer = LazyAdam([nn.Parameter(torch.zeros(1))], lr=0.0025, betas=(0.2, 0.99), every=16)
    group = optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(0.0025 * 16 / 17)
    assert group["betas"] == pytest.approx((0.2 ** (16 / 17), 0.99 ** (16 / 17)))
