"""The base class of generators with a mapping network."""

from abc import abstractmethod

import torch
from torch import Tensor

from gan import processes
from gan.conditioning.base import Conditioning
from gan.errors import InputError
from gan.layers.mapping import Mapping
from gan.networks.base import Generator


class StyleGenerator(Generator):
    """A generator that maps latents to styles w, one per layer, and styles to images.

    Karras et al., 2019. In training, a fraction of the images mixes the styles of two latents: the
    first latent up to a random layer, the second from there on (style mixing, section 3.1).
    Deviation: layer and second latent are chosen per image, not per batch, and the second latent is
    another one of the batch. In evaluation mode, w is truncated towards its mean (section 2.2), and
    images are clipped to [-1, 1].

    Attributes:
        style_dim: dimension of w.
        layers: number of layers that take a style.
        w_mean: running mean of w over training and devices, (style_dim,).
        psi: truncation psi; w is w_mean + psi (w - w_mean), and 1 is no truncation.
    """

    w_mean: Tensor
    style_dim: int
    layers: int

    def build_mapping(
        self,
        latent_dim: int,
        conditioning: Conditioning,
        style_dim: int,
        depth: int,
        layers: int,
        mixing: float,
    ) -> None:
        """Build the mapping network; the arguments are those of the generators.

        Raises:
            InputError: if an argument is out of range.
        """
        if min(depth, style_dim) < 1 or not 0 <= mixing <= 1:
            raise InputError(
                f"model.generator: depth={depth} and style_dim={style_dim} must be 1 or more, "
                f"mixing={mixing} a probability"
            )
        self.build_entry(latent_dim, conditioning)
        self.mapping = Mapping(self.entry.width, style_dim, depth)
        self.style_dim, self.layers, self.mixing, self.psi = style_dim, layers, mixing, 1.0
        self.register_buffer("w_mean", torch.zeros(style_dim))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W), in [-1, 1] in evaluation mode."""
        return self.synthesise(self.styles(z, y))

    def forward_with_styles(self, z: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the styles of z, (B, layers, style_dim), and the images."""
        styles = self.styles(z, y)
        return styles, self.synthesise(styles)

    def styles(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the styles, (B, layers, style_dim), of z, (B, latent_dim), and labels y, (B,)."""
        w: Tensor = self.mapping(self.entry(z, y))
        styles = w[:, None].expand(-1, self.layers, -1)
        if not self.training:
            return torch.lerp(self.w_mean.to(w.dtype), styles, self.psi)
        if w.requires_grad:  # generator update
            self._update_w_mean(w.detach())
        if self.mixing > 0 and len(z) > 1:
            styles = torch.where(
                self._mixing_mask(len(z), z.device), self._other_styles(z, y), styles
            )
        return styles

    def _update_w_mean(self, w: Tensor) -> None:
        """Update the running mean of w with a batch over all devices."""
        mean = w.mean(0)
        processes.average([mean])
        self.w_mean.lerp_(mean.to(self.w_mean.dtype), 0.005)

    def _mixing_mask(self, count: int, device: torch.device) -> Tensor:
        """Return which layers of which images take the second style, (count, layers, 1)."""
        begin = torch.randint(1, self.layers, (count, 1), device=device)
        chosen = torch.rand(count, 1, device=device) < self.mixing
        layer = torch.arange(self.layers, device=device)
        return ((layer >= begin) & chosen)[:, :, None]

    def _other_styles(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Return the styles of other latents with the same labels, (B, 1, style_dim)."""
        other: Tensor = self.mapping(self.entry(z.roll(1, 0), y))
        return other[:, None]

    def synthesise(self, styles: Tensor) -> Tensor:
        """Return images (B, C, H, W) from styles (B, layers, style_dim).

        They are in [-1, 1] in evaluation mode and unbounded in training mode.
        """
        images = self.compute_images(styles)
        return images if self.training else images.clamp(-1, 1)

    @abstractmethod
    def compute_images(self, styles: Tensor) -> Tensor:
        """Return unbounded images (B, C, H, W) from styles (B, layers, style_dim)."""
