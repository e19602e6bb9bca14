"""Spectral normalisation."""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding)


def apply_spectral_norm(network: nn.Module) -> None:
    """Divide each weight matrix of ``network`` by its largest singular value (Miyato et al., 2018).

    The value is followed by one power iteration a forward pass in training; kernels count as
    matrices of one row a feature map. In place.
    """
    for module in [m for m in network.modules() if isinstance(m, WEIGHTED)]:
        spectral_norm(module, eps=1e-12)
