"""Games whose generator turns images of one domain into images of another."""

import copy
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan.algorithms.compatibility import check_critic
from gan.algorithms.critic import Critic
from gan.algorithms.latent import SAMPLE_BATCH, evaluating
from gan.algorithms.player import Player
from gan.algorithms.two_player import Pair, Terms, TwoPlayerGame
from gan.augment.base import Augmentation
from gan.batch import PairBatch
from gan.errors import InputError
from gan.latents import keyed_generator
from gan.losses.base import AdversarialLoss
from gan.losses.own import with_defaults
from gan.networks.base import Discriminator, Translator
from gan.regularizers.base import DiscriminatorOutputs, GeneratorOutputs, Regularizer


class TranslationGame(TwoPlayerGame[PairBatch]):
    """A two-player game on images of domain A, the sources, and of domain B.

    Args:
        generator: images to images; several networks where it translates both ways.
        discriminator: images to logits; several networks where there are several domains to judge.
        loss: the adversarial loss.
        regularizers: terms of the players' losses, by log name.
        augment: applied to all images that a discriminator is given.
        settings: see :class:`~gan.algorithms.two_player.TwoPlayerGame`.

    Attributes:
        directions: in which it translates: "ab", "ba".
        critics: the discriminators with their regularizers.

    Raises:
        InputError: if the ingredients do not go together.
    """

    directions: ClassVar[tuple[str, ...]] = ("ab",)

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: AdversarialLoss,
        regularizers: Mapping[str, Regularizer] | None = None,
        augment: Augmentation | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(generator, discriminator, **settings)
        self.loss = with_defaults(loss)
        self._given = dict(regularizers or {}), augment or Augmentation()  # each critic has copies
        self.critic_state = nn.ModuleDict()
        self.critics: list[Critic] = []

    def add_critic(self, network: Discriminator, generator: nn.Module, suffix: str = "") -> Critic:
        """Return a discriminator with regularizers and an augmentation of its own.

        Args:
            network: of the game's ``discriminator``.
            generator: whose images it judges.
            suffix: of its log names, where there are several.

        Raises:
            InputError: if it does not go with the loss or the regularizers.
        """
        regularizers, augment = copy.deepcopy(self._given)
        critic = Critic(generator, network, regularizers, augment, suffix=suffix)
        check_critic(critic, self.loss)
        state = {"augment": augment, "regularizers": nn.ModuleDict(regularizers)}
        self.critic_state[suffix or "critic"] = nn.ModuleDict(state)
        self.critics.append(critic)
        return critic

    @abstractmethod
    def forward(self, images: Tensor, direction: str = "ab") -> Tensor:
        """Return images translated by the averaged weights, without a graph."""

    def make_batch(self, images: Pair, turn: int) -> PairBatch:
        """Return the images of both domains, with epsilon for the points of a penalty."""
        (source, labels), (real, _) = images
        key = keyed_generator(self.seed, self.clock.step, turn + 1)
        epsilon = torch.rand(len(real) * self.trainer.world_size, generator=key)
        return PairBatch(real, labels, source, self.own_share(epsilon).to(real))

    @property
    def has_adversary(self) -> bool:
        """Return whether the generator is trained against the discriminators."""
        return self.loss.adversarial

    @property
    def trains_discriminator(self) -> bool:
        """Return whether the loss has an adversarial term."""
        return self.loss.adversarial and super().trains_discriminator

    @property
    def opponents(self) -> list[Player]:
        """Return the discriminators' player, unless there is no adversarial term."""
        return super().opponents if self.has_adversary else []

    def discriminator_terms(self, critic: Critic, batch: PairBatch, fake: Tensor) -> Terms:
        """Return the adversarial term and those of regularizers of a critic's loss.

        Args:
            critic: of the images.
            batch: of the update, whose real images are those of the critic's domain.
            fake: as many translated images, without a graph.
        """
        due = critic.due(self.clock.step * self.n_critic + self.turn)
        real, fake = due.attach(critic.augment.substitute_reals(batch.real, fake), fake)
        real_logits, h_real = critic.discriminate(real, None)
        fake_logits, h_fake = critic.discriminate(fake, None)
        self._observe(critic, real_logits.detach(), fake_logits.detach())
        adversarial = self.loss.discriminator(real_logits, fake_logits)
        out = DiscriminatorOutputs(batch, real, fake, real_logits, fake_logits, h_real, h_fake)
        return critic.named({"adversarial": adversarial, **due.penalties(out, critic)})

    def generator_terms(self, critic: Critic, batch: PairBatch, fake: Tensor) -> Terms:
        """Return the adversarial term and those of regularizers of the generator's loss, if any.

        Args:
            critic: of the images.
            batch: of the update, whose real images are those of the critic's domain.
            fake: as many translated images.
        """
        if not self.has_adversary:
            return {}
        due = critic.due(self.clock.step)
        fake_logits, h_fake = critic.discriminate(fake, None)
        real_logits = None
        if self.loss.relativistic:
            with torch.no_grad():
                real_logits, _ = critic.discriminate(batch.real, None)
        selected = due.select(fake_logits, self.clock.images)
        adversarial = self.loss.generator(selected, real_logits)
        out = GeneratorOutputs(batch, fake, fake_logits, h_fake)
        return critic.named({"adversarial": adversarial, **due.generator_penalties(out, critic)})

    def _observe(self, critic: Critic, real_logits: Tensor, fake_logits: Tensor) -> None:
        """Let the augmentation observe the logits of an update, and log their means."""
        critic.augment.observe(real_logits)
        means = {"logits/real": real_logits.mean(), "logits/fake": fake_logits.mean()}
        self.readings |= critic.named(means)

    def after_discriminator_update(self) -> None:
        """Adapt augmentations; project weights, if a regularizer that is due does so."""
        for critic in self.critics:
            critic.augment.adapt()
            self.readings |= critic.named(critic.augment.readings())
            critic.due(self.clock.step * self.n_critic + self.turn).project(critic.network)

    @property
    def scale(self) -> int:
        """Return the height of a translated image over that of its source."""
        networks = (m for m in self.averaged.modules() if isinstance(m, Translator))
        return max((network.scale for network in networks), default=1)

    @property
    def convolutional(self) -> bool:
        """Return whether it takes images of other sizes than those of training."""
        networks = (m for m in self.averaged.modules() if isinstance(m, Translator))
        return all(network.convolutional for network in networks)

    def check_direction(self, direction: str) -> None:
        """Refuse a direction that the game does not have.

        Raises:
            InputError: with those that it has.
        """
        if direction not in self.directions:
            known = " or ".join(self.directions)
            raise InputError(f"direction={direction}: this model translates {known}")

    def translate(self, images: Tensor, direction: str = "ab") -> Tensor:
        """Return translated images (n, C, H, W) in [-1, 1], float32 on the CPU.

        Args:
            images: (n, C, H, W) in [-1, 1], of the size of the training images.
            direction: "ab", from A to B, or "ba".

        Raises:
            InputError: on a direction that the game does not have.
        """
        self.check_direction(direction)
        with evaluating(self.averaged):
            parts = [
                self(part.to(self.device), direction) for part in torch.split(images, SAMPLE_BATCH)
            ]
        return torch.cat([part.float().cpu() for part in parts])

    def restore(self, images: Tensor) -> Tensor:
        """Return restored images: those translated from A to B."""
        return self.translate(images)

    def validation_step(self, batch: Pair, batch_idx: int) -> dict[str, Tensor]:
        """Return the images of domain B and the translated ones of domain A."""
        (source, _), (real, _) = batch
        with evaluating(self.averaged):
            return {"real": real, "fake": self(source)}
