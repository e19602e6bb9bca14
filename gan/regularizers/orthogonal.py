"""Orthogonal regularization."""

from collections.abc import Iterable, Iterator

from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from gan.regularizers.base import GeneratorOutputs, Networks, Regularizer


def weight_matrices(modules: Iterable[nn.Module]) -> Iterator[Tensor]:
    """Yield the weights of linear maps and convolutions as matrices, one row per output map.

    A weight under spectral normalisation is the stored one, before its division.
    """
    for module in modules:
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            divided = is_parametrized(module, "weight")
            weight = module.get_parameter(
                "parametrizations.weight.original" if divided else "weight"
            )
            outputs = 1 if isinstance(module, nn.ConvTranspose2d) else 0
            yield weight.movedim(outputs, 0).flatten(1)


def overlap(w: Tensor) -> Tensor:
    """Return |W W' o (1 - I)|_F^2, the squared inner products of different rows of W, (M, N).

    |W W'|_F = |W' W|_F, so that the smaller of the two is built.
    """
    gram = w @ w.T if len(w) <= w.shape[1] else w.T @ w
    return gram.square().sum() - w.square().sum(1).square().sum()


class Orthogonal(Regularizer):
    """beta * sum over G's weight matrices of |W W' o (1 - I)|_F^2 (Brock et al., 2019, eq. 3).

    Rows of W are output maps, as in the authors' code; the diagonal, the lengths of the rows, is
    not penalised. Only linear maps and convolutions count, embeddings do not. This is the paper's
    equation, in G's loss; the authors' code adds half of its gradient, which is ``beta=0.5e-4``
    here.

    Args:
        beta: weight.
        every: as in :class:`Regularizer`.
    """

    def __init__(self, beta: float = 1e-4, every: int = 1) -> None:
        super().__init__(every)
        self.beta = beta

    def generator_penalty(self, out: GeneratorOutputs, networks: Networks) -> Tensor:
        """Return the term, of the weights alone."""
        terms = [overlap(w) for w in weight_matrices(networks.generator.modules())]
        return self.beta * sum(terms, start=out.fake.new_zeros(()))
