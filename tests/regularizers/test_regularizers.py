import inspect
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor, nn

import gan.regularizers
from gan.batch import LatentBatch
from gan.errors import InputError
from gan.regularizers.base import DiscriminatorOutputs, Regularizer
from gan.regularizers.gradient import DRAGAN, R1, R2, GradientPenalty
from gan.regularizers.lecam import LeCam
from gan.regularizers.weight_clip import WeightClip
from gan.schedules import Cosine
from tests.configs import ROOT, options
from tests.regularizers.passes import PlainNetworks, discriminator_pass, linear

SHAPE = (5, 3, 4, 4)


def linear_pass(weight: Tensor) -> tuple[DiscriminatorOutputs, PlainNetworks]:
    """Return the outputs of a linear critic for random images, and the networks."""
    return discriminator_pass(linear(weight), torch.randn(SHAPE), torch.randn(SHAPE))


def weight(norm: float) -> Tensor:
    w = torch.randn(48)
    scaled: Tensor = norm * w / w.norm()
    return scaled.requires_grad_()


def test_every_regularizer_has_a_yaml_named_as_its_log_name() -> None:
    kinds: set[str] = set()
    for path in Path(gan.regularizers.__path__[0]).glob("[!_]*.py"):
        for name, kind in inspect.getmembers(
            import_module(f"gan.regularizers.{path.stem}"), inspect.isclass
        ):
            public = not name.startswith("_")
            if public and issubclass(kind, Regularizer) and kind is not Regularizer:
                kinds.add(f"{kind.__module__}.{kind.__name__}")
    nodes = {
        name: yaml.safe_load((ROOT / f"conf/regularizers/{name}.yaml").read_text())["regularizers"]
        for name in options("regularizers")
    }
    assert all(list(node) == [name] for name, node in nodes.items())
    assert {node[name]["_target_"] for name, node in nodes.items()} == kinds


@pytest.mark.parametrize("kind", [R1, R2])
def test_zero_centred_penalties_of_a_linear_critic(kind: type[R1]) -> None:
    w = weight(1.7)
    penalty = kind(gamma=3.0).penalty(*linear_pass(w))
    assert penalty.item() == pytest.approx(3.0 / 2 * 1.7**2, rel=1e-5)
    (gradient,) = torch.autograd.grad(penalty, w)
    assert torch.allclose(gradient, 3.0 * w, rtol=1e-4)


@pytest.mark.parametrize("kind", [R1, R2])
def test_gamma_follows_images_seen(kind: type[R1]) -> None:
    regularizer = kind(gamma=3.0, schedule=Cosine(end=100, final=0.1))
    w = weight(1.7)
    for images, gamma in ((0, 3.0), (50, 1.65), (100, 0.3), (900, 0.3)):
        regularizer.set_progress(images)
        penalty = regularizer.penalty(*linear_pass(w)).item()
        assert penalty == pytest.approx(gamma / 2 * 1.7**2, rel=1e-5)


@pytest.mark.parametrize("kind", [GradientPenalty, DRAGAN])
@pytest.mark.parametrize("norm", [0.4, 1.0, 2.5])
def test_one_centred_penalties_of_a_linear_critic(kind: type[GradientPenalty], norm: float) -> None:
    w = weight(norm)
    penalty = kind(weight=10.0).penalty(*linear_pass(w))
    assert penalty.item() == pytest.approx(10 * (norm - 1) ** 2, rel=1e-4, abs=1e-8)
    (gradient,) = torch.autograd.grad(penalty, w)
    assert torch.allclose(gradient, 20 * (norm - 1) * w / norm, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("norm", "expected"), [(0.4, 0.0), (2.5, 22.5)])
def test_one_sided_penalty(norm: float, expected: float) -> None:
    penalty = GradientPenalty(one_sided=True).penalty(*linear_pass(weight(norm)))
    assert penalty.item() == pytest.approx(expected, rel=1e-4)


def test_penalty_is_finite_at_zero_gradient() -> None:
    w = torch.zeros(48, requires_grad=True)
    (gradient,) = torch.autograd.grad(GradientPenalty().penalty(*linear_pass(w)), w)
    assert gradient.isfinite().all()


def test_interpolates_lie_between_each_real_and_its_fake() -> None:
    v, _ = linear_pass(weight(1.0))
    points = GradientPenalty().points(v)
    mix = (points - v.real) / (v.fake - v.real)
    assert (mix > -1e-3).all()
    assert (mix < 1 + 1e-3).all()
    per_image = mix.flatten(1)
    assert torch.allclose(per_image, per_image[:, :1].expand_as(per_image), atol=1e-2)
    assert per_image[:, 0].std() > 0.01


def test_dragan_points_surround_the_reals() -> None:
    v, _ = linear_pass(weight(1.0))
    torch.manual_seed(0)
    moved = (DRAGAN(spread=0.5).points(v) - v.real).detach()
    torch.manual_seed(0)
    noise = torch.rand_like(v.real)
    deviation = (v.real - v.real.mean()).square().mean().sqrt()
    expected = torch.stack(
        [epsilon * 0.5 * deviation * u for epsilon, u in zip(v.batch.epsilon, noise, strict=True)]
    )
    assert v.batch.epsilon.std() > 0.1
    assert torch.allclose(moved, expected, atol=1e-6)


def test_weight_clip_projects_every_parameter() -> None:
    critic = nn.Linear(48, 1)
    nn.init.constant_(critic.weight, 0.5)
    nn.init.constant_(critic.bias, -0.001)
    clip = WeightClip(bound=0.01)
    clip.project(critic)
    assert torch.allclose(critic.weight, torch.tensor(0.01))
    assert critic.bias.item() == pytest.approx(-0.001)
    assert clip.penalty(*linear_pass(weight(1.0))) is None


def lecam_outputs(real: float, fake: float) -> DiscriminatorOutputs:
    images, logits = torch.zeros(2, 1, 1, 1), (torch.full((2,), real), torch.full((2,), fake))
    batch = LatentBatch(images, None, torch.zeros(2, 1), torch.zeros(2))
    return DiscriminatorOutputs(batch, images, images, *logits, images, images)


def test_lecam_by_hand() -> None:
    _, networks = linear_pass(weight(1.0))
    lecam = LeCam(weight=0.3, decay=0.9, start=1)
    assert lecam.penalty(lecam_outputs(1.0, -2.0), networks).item() == 0
    anchors = (0.9 * 1.0 + 0.1 * 3.0, 0.9 * -2.0 + 0.1 * -1.0)
    expected = 0.3 * ((3.0 - anchors[1]) ** 2 + (-1.0 - anchors[0]) ** 2)
    assert lecam.penalty(lecam_outputs(3.0, -1.0), networks).item() == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize(
    ("real", "fake", "sides"), [(2.0, -2.0, (1, 1)), (-3.0, -2.0, (0, 1)), (2.0, 3.0, (1, 0))]
)
@pytest.mark.parametrize("clamped", [True, False])
def test_lecam_drops_logits_beyond_the_other_side(
    real: float, fake: float, sides: tuple[int, int], clamped: bool
) -> None:
    """Anchors are 1 for reals and -1 for fakes."""
    _, networks = linear_pass(weight(1.0))
    lecam = LeCam(weight=0.3, decay=1.0, start=0, clamped=clamped)
    lecam.real_anchor.fill_(1.0)
    lecam.fake_anchor.fill_(-1.0)
    lecam.uses.fill_(1.0)
    out = lecam_outputs(real, fake)
    both = sides if clamped else (1, 1)
    expected = 0.3 * (both[0] * (real + 1) ** 2 + both[1] * (fake - 1) ** 2)
    assert lecam.penalty(out, networks).item() == pytest.approx(expected, rel=1e-5)


def test_every_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="every=0"):
        R1(every=0)
