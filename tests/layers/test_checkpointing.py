"""Activations computed anew."""

import torch
from torch import Tensor, nn

from gan.layers.checkpointing import blocks, recompute_activations
from gan.layers.spectral import apply_spectral_norm
from gan.regularizers.gradient_norm import squared_gradient_norm


class Block(nn.Module):
    """Layers with running means and random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(6, 6), nn.BatchNorm1d(6)
        self.dropout, self.last = nn.Dropout(0.5), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.last(self.dropout(self.norm(self.first(x)).tanh()))
        return maps


def network(recompute: bool, spectral: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(Block(), Block(), nn.Linear(6, 1)).double()
    if spectral:
        apply_spectral_norm(made)
    if recompute:
        recompute_activations(made)
    return made


def state(network: nn.Module) -> list[Tensor]:
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return [*gradients, *(b.clone() for b in network.buffers())]


def test_gradients_buffers_and_random_numbers_are_the_same() -> None:
    found = []
    for recompute in (False, True):
        made = network(recompute)
        torch.manual_seed(1)
        x = torch.randn(2, 5, 6, dtype=torch.float64)
        (made(x[0]).sum() - made(x[1]).square().sum()).backward()
        found.append([*state(made), torch.rand(2)])
    assert len(found[0]) > 10
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_second_derivatives_are_the_same() -> None:
    found = []
    for recompute in (False, True):
        made = network(recompute)
        torch.manual_seed(1)
        x = torch.randn(5, 6, dtype=torch.float64).requires_grad_()
        logits = made(x).squeeze(1)
        (logits.exp().mean() + squared_gradient_norm(logits, x).mean()).backward()
        found.append([*state(made), x.grad])
    assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(*found, strict=True))


def test_only_the_inputs_of_blocks_are_kept() -> None:
    kept = []
    for recompute in (False, True):
        made, sizes = network(recompute, spectral=False), list[int]()

        def pack(x: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(x.numel())
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            made(torch.randn(500, 6, dtype=torch.float64))
        kept.append(sum(size for size in sizes if size >= 3000))
    assert kept[1] < kept[0] / 3


def test_the_blocks_of_a_network() -> None:
    inner = nn.Sequential(Block(), nn.Linear(6, 6))
    outer = nn.Sequential(inner, nn.Linear(6, 6), nn.Tanh())
    assert blocks(outer) == [inner]
    assert blocks(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))) == []
    made = network(False)
    assert blocks(made) == [made[0], made[1]]
    alone = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.ModuleList([nn.Tanh()]))
    assert blocks(alone) == []
    two = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 2)))
    assert blocks(nn.Sequential(two)) == [two]
    normed = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 6))
    assert blocks(nn.Sequential(normed, normed)) == []
