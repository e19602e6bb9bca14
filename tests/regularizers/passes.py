"""Forward passes of simple networks, without a game."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from gan.batch import LatentBatch
from gan.networks.base import Generator
from gan.regularizers.base import DiscriminatorOutputs, GeneratorOutputs

Map = Callable[[Tensor], Tensor]


def linear(weight: Tensor) -> Map:
    """Return the critic that is an inner product with ``weight``."""
    return lambda images: images.flatten(1) @ weight


class PlainGenerator(nn.Module):
    """A map from latents to images, whose styles are its latents."""

    def __init__(self, network: Map) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.network(z)

    def forward_with_styles(self, z: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z = z.detach().requires_grad_()
        return z, self.network(z)


class PlainNetworks:
    """A generator, a critic whose features are the flat images, and a classifier of these."""

    def __init__(self, generator: nn.Module, critic: Map, classifier: Map | None = None) -> None:
        self.critic, self.classifier = critic, classifier
        self.generator = (
            generator if isinstance(generator, Generator) else PlainGenerator(generator)
        )

    def buffers(self) -> Iterator[Tensor]:
        return self.critic.buffers() if isinstance(self.critic, nn.Module) else iter(())

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.critic.parameters() if isinstance(self.critic, nn.Module) else iter(())

    def features(self, images: Tensor) -> Tensor:
        return images.flatten(1)

    def discriminate(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.critic(images), self.features(images)

    def class_outputs(self, h: Tensor) -> Tensor | None:
        return None if self.classifier is None else self.classifier(h)


def discriminator_pass(
    critic: Map, real: Tensor, fake: Tensor, z: Tensor | None = None, generator: Map | None = None
) -> tuple[DiscriminatorOutputs, PlainNetworks]:
    """Return the outputs of ``critic`` for images, and the networks."""
    real, fake = real.requires_grad_(), fake.requires_grad_()
    z = torch.randn(len(real), 2) if z is None else z
    batch = LatentBatch(real, None, z, torch.rand(len(real)))
    features = real.flatten(1), fake.flatten(1)
    out = DiscriminatorOutputs(batch, real, fake, critic(real), critic(fake), *features)
    return out, PlainNetworks(PlainGenerator(generator or (lambda z: fake)), critic)


def generator_pass(
    generator: nn.Module, z: Tensor, real: Tensor | None = None
) -> tuple[GeneratorOutputs, PlainNetworks]:
    """Return the images of latents, with their sums as logits, and the networks."""
    fake: Tensor = generator(z)
    real = fake.detach() if real is None else real
    batch = LatentBatch(real, None, z, torch.zeros(len(z)))
    features = fake.flatten(1)
    out = GeneratorOutputs(batch, fake, features.sum(1), features)
    return out, PlainNetworks(generator, lambda images: images.flatten(1).sum(1))
