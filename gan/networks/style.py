"""What generators with a mapping network have in common."""

from abc import abstractmethod

import torch
from torch import Tensor

from gan import processes
from gan.conditioning.base import Conditioning
from gan.errors import InputError
from gan.layers.mapping import Mapping
from gan.networks.base import Generator


class StyleGenerator(Generator):
    """Latents to styles w, one a layer, and styles to images (Karras et al., 2019).

    In training a share of the images has the styles of two latents: one up to a layer, the other
    from there on (style mixing, section 3.1). Deviation: layer and partner are drawn for each
    image, not each batch, and the partner is another latent of the batch. Outside training w is
    drawn towards its mean (section 2.2), and images are clipped to [-1, 1].

    Attributes:
        style_dim: numbers in w.
        layers: that hear a style each.
        w_mean: running mean of w over training and devices, (style_dim,).
        psi: how far w may lie from its mean, as a share; 1 leaves it where it is.
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
        """Put on the way from z and the label to styles: the arguments of the generators.

        ``layers`` hear a style each.

        Raises:
            InputError: on an impossible number.
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
        """Return images (B, C, H, W), in [-1, 1] outside training."""
        return self.synthesise(self.styles(z, y))

    def forward_with_styles(self, z: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the styles of z and the images that depend on them."""
        styles = self.styles(z, y)
        return styles, self.synthesise(styles)

    def styles(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return w of each layer, (B, layers, style_dim), of z (B, latent_dim) and labels (B,)."""
        w: Tensor = self.mapping(self.entry(z, y))
        styles = w[:, None].expand(-1, self.layers, -1)
        if not self.training:
            return torch.lerp(self.w_mean.to(w.dtype), styles, self.psi)
        if w.requires_grad:  # its own turn
            self._update_w_mean(w.detach())
        if self.mixing > 0 and len(z) > 1:
            styles = torch.where(
                self._mixing_mask(len(z), z.device), self._other_styles(z, y), styles
            )
        return styles

    def _update_w_mean(self, w: Tensor) -> None:
        """Move the running mean of w over all devices."""
        mean = w.mean(0)
        processes.average([mean])
        self.w_mean.lerp_(mean.to(self.w_mean.dtype), 0.005)

    def _mixing_mask(self, count: int, device: torch.device) -> Tensor:
        """Return which layers of which images hear the other style, (count, layers, 1)."""
        begin = torch.randint(1, self.layers, (count, 1), device=device)
        chosen = torch.rand(count, 1, device=device) < self.mixing
        layer = torch.arange(self.layers, device=device)
        return ((layer >= begin) & chosen)[:, :, None]

    def _other_styles(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Return the styles of other latents under the same labels, (B, 1, style_dim)."""
        other: Tensor = self.mapping(self.entry(z.roll(1, 0), y))
        return other[:, None]

    def synthesise(self, styles: Tensor) -> Tensor:
        """Return images (B, C, H, W) from styles (B, layers, style_dim).

        In [-1, 1] outside training, unbounded in it.
        """
        images = self.compute_images(styles)
        return images if self.training else images.clamp(-1, 1)

    @abstractmethod
    def compute_images(self, styles: Tensor) -> Tensor:
        """Return what the layers make of styles, unbounded images (B, C, H, W)."""
