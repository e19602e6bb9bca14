"""Optimizers beside those of torch."""

from typing import Any

import torch
from torch.optim.optimizer import ParamsT


class LazyAdam(torch.optim.Adam):
    """Adam for a player whose regularizer is due every ``every``-th of its turns.

    With c = every / (every + 1), the learning rate is c lr and the decays are beta^c, which makes
    up for the further step that the authors take for a lazy regularizer (Karras et al., 2020a,
    appendix B). Here its term joins the loss of a turn without a further step; the settings are
    the authors' all the same, so that published rates mean what they say.

    Args:
        params: weights.
        lr: learning rate of a player without laziness.
        betas: its decays.
        every: turns between two uses of the regularizer.
        settings: see ``torch.optim.Adam``.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.0, 0.99),
        every: int = 16,
        **settings: Any,
    ) -> None:
        share = every / (every + 1)
        first, second = betas
        super().__init__(params, share * lr, (first**share, second**share), **settings)
