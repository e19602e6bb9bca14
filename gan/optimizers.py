"""Optimizers that torch does not provide."""

from typing import Any

import torch
from torch.optim.optimizer import ParamsT


class LazyAdam(torch.optim.Adam):
    """Adam for a player with lazy regularization (Karras et al., 2020a, appendix B).

    With c = every / (every + 1), the learning rate is c lr and the decays are beta^c. The authors
    use this because their regularizer takes an additional step. Deviation: here the regularizer is
    a term of the loss, without an additional step, but lr and betas have the published meaning.

    Args:
        params: parameters.
        lr: learning rate without lazy regularization.
        betas: decay rates without lazy regularization.
        every: updates between two uses of the regularizer.
        settings: other arguments of ``torch.optim.Adam``.
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
