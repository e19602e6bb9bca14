"""Spectral normalisation."""

from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm, spectral_norm

WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding)


def apply_spectral_norm(network: nn.Module) -> None:
    """Divide each weight of ``network`` by its spectral norm, in place (Miyato et al., 2018).

    The norm is estimated with one power iteration per forward pass in training mode. A convolution
    kernel counts as a matrix with one row per output channel.
    """
    for module in [m for m in network.modules() if isinstance(m, WEIGHTED)]:
        spectral_norm(module, eps=1e-12)


def has_spectral_norm(network: nn.Module) -> bool:
    """Return whether a weight of the network is divided by its spectral norm."""
    return any(isinstance(module, _SpectralNorm) for module in network.modules())
