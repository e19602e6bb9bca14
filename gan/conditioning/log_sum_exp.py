"""A head whose logit of "real" follows from its class logits (Salimans et al., 2016)."""

from torch import Tensor

from gan.conditioning.auxiliary import ClassHead
from gan.layers.gaussian_noise import GaussianNoise
from gan.layers.precision import at_least_float32
from gan.layers.weight_norm import weight_norm


class LogSumExpHead(ClassHead):
    """K class logits l; class K + 1, "fake", has the logit 0.

    The logit is log sum exp l: its sigmoid is 1 - p(fake) (their section 5).

    Args:
        features: size of the features h.
        num_classes: K.
        noise: standard deviation of normal noise on the features in training.
        std: standard deviation of the class logits after their initialisation from data.

    Raises:
        ValueError: if there are fewer than two classes.
    """

    def __init__(
        self, features: int, num_classes: int, noise: float = 0.0, std: float = 1.0
    ) -> None:
        if num_classes < 2:
            raise ValueError(
                f"model: this discriminator classifies, but data.num_classes={num_classes}: choose "
                "labelled data, or another model"
            )
        super().__init__(features, num_classes)
        self.num_classes, self.noise = num_classes, GaussianNoise(noise)
        weight_norm(self.linear, learned=True, std=std)

    def classify(self, h: Tensor) -> Tensor:
        """Return class logits, (B, num_classes), of features h, (B, F)."""
        logits: Tensor = self.linear(self.noise(h))
        return logits

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return logits, (B,), of features h, (B, F); y is ignored."""
        return at_least_float32(self.classify(h)).logsumexp(1)
