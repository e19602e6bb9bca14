"""One of the two players: its network and how the network is optimized."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.optim import Optimizer

from gan.schedules import Schedule


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Keep every parameter and buffer of ``network`` unchanged inside the context.

    Parameters get no gradients, batch normalisation records no statistics, and spectral
    normalisation does no power iteration.
    """
    weights = [p for p in network.parameters() if p.requires_grad]
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    spectra = [m for m in network.modules() if isinstance(m, _SpectralNorm) and m.training]

    def set_active(active: bool) -> None:
        for weight in weights:
            weight.requires_grad_(active)
        for norm in norms:
            norm.track_running_stats = active
        for spectrum in spectra:
            spectrum.training = active

    try:
        set_active(False)
        yield
    finally:
        set_active(True)


@dataclass
class Player:
    """The generator or the discriminator, with the settings of its updates.

    Attributes:
        name: "generator" or "discriminator", the prefix of its log names.
        index: of its optimizer.
        network: that its optimizer trains.
        opponent: the network that is frozen meanwhile.
        schedule: multiplier of the learning rate by images seen.
        clip_norm: largest norm of the gradient, or ``None``.
        beta2: multiplier of Adam's second decay by images seen, or ``None``.
        loss: of the latest update, detached.
    """

    name: str
    index: int
    network: nn.Module
    opponent: nn.Module
    schedule: Schedule
    clip_norm: float | None
    beta2: Schedule | None = None
    loss: Tensor = field(default_factory=lambda: torch.zeros(()))

    def schedule_optimizer(self, optimizer: Optimizer, images: int) -> float:
        """Set learning rate and second decay for an update after ``images`` real images.

        Returns:
            The learning rate of the first parameter group.
        """
        for group in optimizer.param_groups:
            base = group.setdefault("initial_lr", group["lr"])
            group["lr"] = base * self.schedule(images)
            if self.beta2 is not None:
                first, second = group.setdefault("initial_betas", group["betas"])
                group["betas"] = (first, second * self.beta2(images))
        rate: float = optimizer.param_groups[0]["lr"]
        return rate

    def clip_gradient(self) -> Tensor:
        """Clip the gradient to ``clip_norm``, if it is set, and return its norm before."""
        weights = [p for p in self.network.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm([p.grad for p in weights if p.grad is not None])
        if self.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(weights, self.clip_norm, norm)
        return norm

    def replace_nonfinite_gradient(self) -> Tensor:
        """Replace NaN by 0 and infinities by +-1e5 in the gradient; return how many there were.

        On a CPU, a gradient of finite norm is read once. Elsewhere the answer would have to be
        waited for.
        """
        count = torch.zeros((), dtype=torch.int64, device=next(self.network.parameters()).device)
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        if count.is_cpu and nn.utils.get_total_norm(gradients).isfinite():
            return count
        for gradient in gradients:
            count += gradient.isfinite().logical_not().sum()
            gradient.nan_to_num_(nan=0.0, posinf=1e5, neginf=-1e5)
        return count
