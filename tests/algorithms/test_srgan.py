"""Super-resolution: phases, and the distance of features."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus
from torchvision.models import vgg19

from gan.backbones.perceptual import DomainMaps, FeatureMaps, PerceptualDistance, VGGMaps
from gan.errors import InputError
from gan.losses.none import NoLoss
from gan.losses.relativistic import RelativisticAverage
from gan.schedules import Linear
from tests.algorithms.translating import pairs, sharpening

CPU = torch.device("cpu")


class Squares(FeatureMaps):
    """Features that are the squares of the pixels.

    Args:
        available: whether there are weights.
    """

    def __init__(self, available: bool = True) -> None:
        self.available = available

    def prepare(self, dataset: Any, device: torch.device) -> None:
        if not self.available:
            raise InputError("there are no weights")

    def __call__(self, images: Tensor) -> Tensor:
        return images.square()


class Unlabelled:
    """Images without labels, which are not read."""

    name, channels, resolution, num_classes = "nothing", 1, 8, 0

    def fingerprint(self, split: str) -> str:
        return "0"


UNLABELLED: Any = Unlabelled()


def distance(**maps: FeatureMaps) -> PerceptualDistance:
    """Return a distance that is prepared."""
    made = PerceptualDistance(maps)
    made.prepare(UNLABELLED, CPU)
    return made


def test_terms_by_hand() -> None:
    settings: dict[str, Any] = {"pixel": 2.0, "feature": 3.0, "adversarial": 0.1}
    game, batch = sharpening(**settings, perceptual=distance(squares=Squares())), pairs()
    fake = 0.5 * batch.source + 0.25
    terms = game.generator_loss(batch)
    assert terms.keys() == {"pixel", "feature", "adversarial"}
    assert terms["pixel"].item() == pytest.approx(2 * (fake - batch.real).abs().mean().item())
    feature = 3 * (fake.square() - batch.real.square()).square().mean().item()
    assert terms["feature"].item() == pytest.approx(feature, rel=1e-5)
    adversarial = 0.1 * 0.5 * (game.discriminator(fake) - 1).square().mean().item()
    assert terms["adversarial"].item() == pytest.approx(adversarial, rel=1e-4)


def test_pixels_first_then_a_ramp() -> None:
    game = sharpening(adversarial=0.5, ramp=Linear(begin=100, end=200, start=0.0, final=1.0))
    for images, weight in ((0, 0), (100, 0), (150, 0.25), (175, 0.375), (200, 0.5), (999, 0.5)):
        game.set_progress(images)
        assert game.weight == pytest.approx(weight)
        assert bool(game.opponents) == (weight > 0)
        terms = game.generator_loss(pairs())
        assert ("adversarial" in terms) == (weight > 0)
        if weight:
            fake = 0.5 * pairs().source + 0.25
            own = 0.5 * (game.discriminator(fake) - 1).square().mean().item()
            assert terms["adversarial"].item() == pytest.approx(weight * own, rel=1e-4)


def test_the_relativistic_form() -> None:
    game, batch = sharpening(loss=RelativisticAverage(), adversarial=1.0), pairs()
    fake = 0.5 * batch.source + 0.25
    real, generated = game.discriminator(batch.real), game.discriminator(fake)
    expected = softplus(-(generated - real.mean())) + softplus(real - generated.mean())
    found = game.generator_loss(batch)["adversarial"]
    assert found.item() == pytest.approx(expected.mean().item(), rel=1e-5)
    expected = softplus(-(real - generated.mean())) + softplus(generated - real.mean())
    found = game.discriminator_loss(batch)["adversarial"]
    assert found.item() == pytest.approx(expected.mean().item(), rel=1e-5)


def test_no_adversarial_loss_leaves_the_other_terms() -> None:
    game = sharpening(loss=NoLoss())
    assert game.opponents == []
    assert game.generator_loss(pairs()).keys() == {"pixel"}


def test_distance_of_features() -> None:
    made, images = distance(squares=Squares()), pairs().source
    others = images.clone().requires_grad_()
    assert made(images, images).item() == 0
    shifted = (images + 0.1).requires_grad_()
    loss = made(shifted, others)
    (gradient,) = torch.autograd.grad(loss, shifted, retain_graph=True)
    expected = 2 * (shifted.square() - images.square()) * 2 * shifted / images.numel()
    assert torch.allclose(gradient, expected.detach(), atol=1e-7)
    (of_others,) = torch.autograd.grad(loss, others, allow_unused=True)
    assert of_others is None


def test_the_first_network_that_is_available_is_taken() -> None:
    assert distance(a=Squares(False), b=Squares(), c=Squares()).name == "b"


def test_without_any_network_there_is_a_remedy() -> None:
    with pytest.raises(InputError, match=r"a: there are no weights; .*set model\.perceptual=null"):
        distance(a=Squares(False), b=Squares(False))


def test_neither_a_file_nor_labels(tmp_path: Path) -> None:
    maps = {"vgg19": VGGMaps(str(tmp_path / "none.pth")), "domain": DomainMaps(str(tmp_path))}
    with pytest.raises(InputError, match=r"vgg19: .*none\.pth.*domain: .*model\.perceptual=null"):
        distance(**maps)


@pytest.mark.slow
def test_vgg_up_to_the_last_pooling(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = vgg19(weights=None)
    torch.save(whole.state_dict(), tmp_path / "vgg19.pth")
    state = torch.get_rng_state()
    maps = VGGMaps(str(tmp_path / "vgg19.pth"))
    maps.prepare(UNLABELLED, CPU)
    assert torch.equal(torch.get_rng_state(), state)
    images = (torch.rand(1, 1, 32, 32) * 2 - 1).requires_grad_()
    found = maps(images)
    assert found.shape == (1, 512, 2, 2)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = ((images.repeat(1, 3, 1, 1) + 1) / 2 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    expected = whole.eval().features[:-1](x) / 12.75  # without the last pooling
    assert torch.allclose(found, expected, atol=1e-6)
    (gradient,) = torch.autograd.grad(found.sum(), images)
    assert gradient.abs().sum() > 0
    assert maps.net is not None
    assert not any(p.requires_grad for p in maps.net.parameters())


def test_weights_of_the_distance_are_not_those_of_the_game() -> None:
    game = sharpening(perceptual=distance(squares=Squares()))
    assert not [name for name in game.state_dict() if "perceptual" in name]
