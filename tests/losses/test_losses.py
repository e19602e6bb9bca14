import inspect
import math
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

import gan.losses
from gan.errors import InputError
from gan.losses.base import AdversarialLoss
from gan.losses.hinge import Hinge
from gan.losses.least_squares import LeastSquares
from gan.losses.logistic import Minimax, NonSaturating, SquaredProbability
from gan.losses.multi_hinge import MultiHinge
from gan.losses.none import NoLoss
from gan.losses.own import OwnLoss
from gan.losses.relativistic import RelativisticAverage, RelativisticPairing
from gan.losses.wasserstein import Wasserstein
from tests.configs import ROOT, options

LOG2 = math.log(2)
AT_ZERO: dict[type[AdversarialLoss], tuple[float, float]] = {
    Minimax: (2 * LOG2, -LOG2),
    NonSaturating: (2 * LOG2, LOG2),
    SquaredProbability: (2 * LOG2, 0.25),
    LeastSquares: (0.5, 0.5),
    Hinge: (2.0, 0.0),
    MultiHinge: (2.0, 1.0),
    Wasserstein: (0.0, 0.0),
    RelativisticPairing: (LOG2, LOG2),
    RelativisticAverage: (2 * LOG2, 2 * LOG2),
    NoLoss: (0.0, 0.0),
}
LOSSES = pytest.mark.parametrize(
    "loss", [kind() for kind in AT_ZERO], ids=lambda x: type(x).__name__
)


def logits_shape(loss: AdversarialLoss, images: int) -> tuple[int, ...]:
    """Return the shape of the logits of ``loss``."""
    return (images,) if loss.logits == 1 else (images, loss.logits)


def all_losses() -> set[type[AdversarialLoss]]:
    found: set[type[AdversarialLoss]] = set()
    for path in Path(gan.losses.__path__[0]).glob("*.py"):
        module = import_module(
            f"gan.losses.{path.stem}" if path.stem != "__init__" else "gan.losses"
        )
        kinds = (kind for _, kind in inspect.getmembers(module, inspect.isclass))
        found |= {k for k in kinds if issubclass(k, AdversarialLoss) and not inspect.isabstract(k)}
    return found


def test_every_loss_is_tested_and_has_a_yaml() -> None:
    files = [
        yaml.safe_load((ROOT / f"conf/loss/{name}.yaml").read_text()) for name in options("loss")
    ]
    targets = {file["loss"]["_target_"] for file in files}
    assert all_losses() - {OwnLoss} == set(AT_ZERO)
    assert targets == {f"{kind.__module__}.{kind.__name__}" for kind in AT_ZERO}


@LOSSES
def test_value_at_zero_logits(loss: AdversarialLoss) -> None:
    zeros = torch.zeros(logits_shape(loss, 4))
    discriminator, generator = AT_ZERO[type(loss)]
    assert loss.discriminator(zeros, zeros).item() == pytest.approx(discriminator)
    assert loss.generator(zeros, zeros).item() == pytest.approx(generator)


@pytest.mark.parametrize(
    "loss",
    [kind() for kind in AT_ZERO if kind.logits == 1 and kind.adversarial],
    ids=lambda x: type(x).__name__,
)
def test_gradient_signs_at_zero(loss: AdversarialLoss) -> None:
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    up, down = torch.autograd.grad(loss.discriminator(real, fake), [real, fake], allow_unused=True)
    if type(loss) is LeastSquares:  # the target of fakes is 0
        assert (down == 0).all()
    else:
        assert (down > 0).all()
    assert (up < 0).all()
    (gradient,) = torch.autograd.grad(loss.generator(fake, real.detach()), fake)
    assert (gradient < 0).all()


@pytest.mark.parametrize(
    "loss",
    [kind() for kind in AT_ZERO if kind.logits == 1 and kind.adversarial],
    ids=lambda x: type(x).__name__,
)
def test_who_makes_both_kinds_lowers_reals_and_raises_fakes(loss: AdversarialLoss) -> None:
    real, fake = (torch.full((4,), value, requires_grad=True) for value in (0.1, -0.1))
    down, up = torch.autograd.grad(loss.joint(fake, real), [real, fake])
    assert (down > 0).all()
    assert (up < 0).all()


def test_losses_of_both_kinds() -> None:
    real, fake = torch.randn(5), torch.randn(5)
    flipped = NonSaturating().joint(fake, real), NonSaturating().discriminator(fake, real)
    assert torch.equal(*flipped)
    assert torch.equal(Minimax().joint(fake, real), -Minimax().discriminator(real, fake))
    for loss in (RelativisticPairing(), RelativisticAverage()):
        assert torch.equal(loss.joint(fake, real), loss.generator(fake, real))


def test_multi_hinge_gradients_at_zero() -> None:
    real, fake = torch.zeros(4, 2, requires_grad=True), torch.zeros(4, 2, requires_grad=True)
    loss = MultiHinge()
    pulls = torch.autograd.grad(loss.discriminator(real, fake), [real, fake])
    own, unreal = (torch.tensor(raised).expand(4, 2) / 4 for raised in ([-1.0, 0], [0, -1.0]))
    assert torch.equal(pulls[0], own)  # the label's margin
    assert torch.equal(pulls[1], unreal)  # the margin of "fake"
    assert torch.equal(torch.autograd.grad(loss.generator(fake), fake)[0], own)


def test_multi_hinge_of_known_margins() -> None:
    real, fake = torch.tensor([[3.0, -9.0], [0.5, 9.0]]), torch.tensor([[-2.0, 0.25], [9.0, 2.0]])
    assert MultiHinge().discriminator(real, fake).item() == (0 + 0.5) / 2 + (0.75 + 0) / 2
    assert MultiHinge().generator(fake).item() == (3 + 0) / 2


@LOSSES
def test_losses_are_means_over_the_batch(loss: AdversarialLoss) -> None:
    real, fake = torch.randn(logits_shape(loss, 6)), torch.randn(logits_shape(loss, 6))
    pairs = torch.cat([real, real]), torch.cat([fake, fake])
    assert torch.allclose(loss.discriminator(*pairs), loss.discriminator(real, fake))
    assert torch.allclose(loss.generator(*pairs[::-1]), loss.generator(fake, real))
    assert torch.allclose(loss.joint(*pairs[::-1]), loss.joint(fake, real))


def test_saturation_of_minimax() -> None:
    sure = torch.full((1,), -10.0, requires_grad=True)

    def gradient(loss: AdversarialLoss) -> Tensor:
        return torch.autograd.grad(loss.generator(sure), sure)[0].abs()

    assert gradient(Minimax()) < 1e-4 < 0.99 < gradient(NonSaturating())
    assert gradient(SquaredProbability()) < 1e-4


def test_logistic_losses_equal_probabilities() -> None:
    real, fake = torch.randn(64, dtype=torch.float64), torch.randn(64, dtype=torch.float64)
    p, q = torch.sigmoid(real), torch.sigmoid(fake)
    cross_entropy = -(p.log().mean() + (1 - q).log().mean())
    assert torch.allclose(NonSaturating().discriminator(real, fake), cross_entropy)
    assert torch.allclose(Minimax().generator(fake), (1 - q).log().mean())
    assert torch.allclose(NonSaturating().generator(fake), -q.log().mean())


LOGISTIC = [Minimax, NonSaturating, SquaredProbability]


@pytest.mark.parametrize("loss", LOGISTIC)
def test_label_smoothing_is_cross_entropy_with_soft_targets(loss: type[Minimax]) -> None:
    real, fake = 4 * torch.randn(2, 64, dtype=torch.float64)
    p, q = torch.sigmoid(real), torch.sigmoid(fake)
    expected = -(0.7 * p.log() + 0.3 * (1 - p).log()).mean() - (1 - q).log().mean()
    torch.testing.assert_close(loss(label_smoothing=0.3).discriminator(real, fake), expected)
    torch.testing.assert_close(loss(0.3).generator(fake), loss().generator(fake))


def test_best_discriminator_under_label_smoothing() -> None:
    """(1 - s) p / (p + p_G), at which the gradient by the logit vanishes."""
    p, q, smoothing = 0.6, 0.2, 0.1  # densities of the data and of the fakes at an image
    best = torch.tensor((1 - smoothing) * p / (p + q), dtype=torch.float64).logit()
    logits = best.repeat(8).requires_grad_()  # 6 real images and 2 fakes
    loss = NonSaturating(smoothing)
    value = 6 * loss.discriminator(logits[:6], best) + 2 * loss.discriminator(best, logits[6:])
    (gradient,) = torch.autograd.grad(value, logits)
    assert gradient.sum().item() == pytest.approx(0, abs=1e-12)
    assert gradient[0].abs() > 0.01


def test_label_smoothing_is_of_the_discriminator_alone() -> None:
    """The opponent of BiGAN is not smoothed, that of the game of zero sum has D's loss."""
    real, fake = torch.randn(2, 8, dtype=torch.float64)
    assert torch.equal(NonSaturating(0.1).joint(fake, real), NonSaturating().joint(fake, real))
    smoothed = Minimax(0.1)
    assert torch.equal(smoothed.joint(fake, real), -smoothed.discriminator(real, fake))


@pytest.mark.parametrize("wrong", [-0.1, 1.0, 1.5, float("nan")])
def test_label_smoothing_out_of_range_is_refused(wrong: float) -> None:
    with pytest.raises(InputError, match=r"loss\.label_smoothing="):
        NonSaturating(wrong)


def test_relativistic_loss_depends_on_differences_only() -> None:
    loss, real, fake = RelativisticPairing(), torch.randn(8), torch.randn(8)
    assert torch.allclose(loss.discriminator(real + 3, fake + 3), loss.discriminator(real, fake))
    with pytest.raises(ValueError, match="real images"):
        loss.generator(fake)


@pytest.mark.parametrize("others", [1, 4])
def test_relativistic_loss_refuses_unequal_batches(others: int) -> None:
    loss, real, fake = RelativisticPairing(), torch.randn(8), torch.randn(others)
    for play in (loss.discriminator, loss.generator):
        with pytest.raises(InputError, match=r"shapes \(.*\): give as many fake as real"):
            play(real, fake)


def test_relativistic_average_of_known_logits() -> None:
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 2.0, 0.5])
    loss = RelativisticAverage()
    means = 2.0, 0.5

    def log(x: float) -> float:
        return math.log(1 + math.exp(x))

    expected = sum(log(means[1] - x) for x in (1.0, 3.0)) / 2
    expected += sum(log(x - means[0]) for x in (-1.0, 2.0, 0.5)) / 3
    assert loss.discriminator(real, fake).item() == pytest.approx(expected)
    swapped = sum(log(x - means[1]) for x in (1.0, 3.0)) / 2
    swapped += sum(log(means[0] - x) for x in (-1.0, 2.0, 0.5)) / 3
    assert loss.generator(fake, real).item() == pytest.approx(swapped)
