"""The contrast of patches against closed forms."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gan.algorithms.cut import CUT, patch_nce
from gan.batch import PairBatch
from gan.latents import keyed_generator
from gan.networks.cut import PatchProjector
from tests.algorithms.translating import contrastive, pairs


@pytest.mark.parametrize("tau", [0.07, 1.0])
def test_orthonormal_patches(tau: float) -> None:
    patches = torch.eye(6).expand(3, 6, 6)
    own = math.exp(1 / tau)
    expected = -math.log(own / (own + 5))
    assert patch_nce(patches, patches, tau).item() == pytest.approx(expected, rel=1e-4, abs=1e-7)
    wrong = patches.roll(1, 1)  # each query is the key of the next patch
    expected = -math.log(1 / (own + 5))
    assert patch_nce(wrong, patches, tau).item() == pytest.approx(expected, rel=1e-5)


def test_equal_patches_say_nothing() -> None:
    same = torch.ones(2, 7, 1)
    assert patch_nce(same, same, 0.07).item() == pytest.approx(math.log(7), rel=1e-5)


def test_negatives_are_those_of_the_same_image() -> None:
    torch.manual_seed(0)
    queries, keys = (normalize(torch.randn(3, 4, 5), dim=2) for _ in range(2))
    each = [patch_nce(queries[i : i + 1], keys[i : i + 1], 0.1) for i in range(3)]
    whole = patch_nce(queries, keys, 0.1)
    assert whole.item() == pytest.approx(torch.stack(each).mean().item(), rel=1e-5)


def test_keys_get_no_gradient() -> None:
    queries, keys = (torch.randn(2, 4, 3, requires_grad=True) for _ in range(2))
    loss = patch_nce(queries, keys, 0.5)
    of_queries, of_keys = torch.autograd.grad(loss, [queries, keys], allow_unused=True)
    assert of_keys is None
    assert of_queries.abs().sum() > 0


def expected_contrast(game: CUT, images: Tensor, translated: Tensor) -> float:
    """Return the contrast at patches that are chosen here again."""
    draw = keyed_generator(game.seed, game.clock.step, 0, 1)
    keys, queries = game.generator.features(images), game.generator.features(translated)
    terms = []
    for layer, k, q in zip(game.projector.layers, keys, queries, strict=True):
        chosen = torch.randperm(k.shape[2] * k.shape[3], generator=draw)[: game.patches].tolist()
        for image in range(len(images)):
            both = []
            for maps in (q, k):
                places = [(p // maps.shape[3], p % maps.shape[3]) for p in chosen]
                patches = torch.stack([maps[image, :, row, column] for row, column in places])
                projected = layer(patches)
                both.append(projected / projected.norm(dim=1, keepdim=True))
            logits = both[0] @ both[1].T / game.temperature
            terms.append(-(logits.diag() - logits.logsumexp(1)).mean())
    return float(torch.stack(terms).mean())


def test_terms_by_hand() -> None:
    game, batch = contrastive(nce=0.25, identity=0.5), pairs()
    fake, same = game.generator(batch.source), game.generator(batch.real)
    terms = game.generator_loss(batch)
    assert terms.keys() == {"adversarial", "nce", "identity"}
    expected = 0.25 * expected_contrast(game, batch.source, fake)
    assert terms["nce"].item() == pytest.approx(expected, rel=1e-4)
    expected = 0.5 * expected_contrast(game, batch.real, same)
    assert terms["identity"].item() == pytest.approx(expected, rel=1e-4)
    adversarial = 0.5 * (game.discriminator(fake) - 1).square().mean()
    assert terms["adversarial"].item() == pytest.approx(adversarial.item(), rel=1e-5)


def test_maps_with_few_patches_have_all_of_them() -> None:
    game = contrastive(patches=256)
    maps = game.generator.features(pairs().source)
    chosen = game._positions(maps)
    assert [len(p) for p in chosen] == [14 * 14, 64, 16, 4, 4]
    assert all(sorted(p.tolist()) == list(range(len(p))) for p in chosen)


def test_patches_are_drawn_anew_at_every_step() -> None:
    game = contrastive()
    maps = game.generator.features(pairs().source)
    first = game._positions(maps)[0].tolist()
    assert game._positions(maps)[0].tolist() == first
    game.clock.step = 1
    assert game._positions(maps)[0].tolist() != first


def steps(game: CUT, flipped: bool) -> int:
    """Set the game to the first step whose batch is flipped, or is not, and return it."""
    for game.clock.step in range(50):
        if (torch.rand((), generator=keyed_generator(game.seed, game.clock.step, 0, 2)) < 0.5) == (
            flipped
        ):
            return game.clock.step
    raise AssertionError


def test_half_of_the_batches_are_flipped() -> None:
    game, images, flips = contrastive(flip=True), pairs().source, 0
    for game.clock.step in range(400):
        given = game._flip(images)
        flips += torch.equal(given, images.flip(3))
        assert torch.equal(given, images) or torch.equal(given, images.flip(3))
    assert flips == pytest.approx(200, abs=40)
    game.flip = False
    assert torch.equal(game._flip(images), images)


def test_patches_of_a_flipped_batch_are_flipped_back() -> None:
    game = contrastive(flip=True, identity=0.0)
    batch = pairs()
    steps(game, flipped=True)
    fake = game.generator(batch.source.flip(3))
    terms = game.generator_loss(batch)
    assert terms.keys() == {"adversarial", "nce"}
    adversarial = 0.5 * (game.discriminator(fake) - 1).square().mean()
    assert terms["adversarial"].item() == pytest.approx(adversarial.item(), rel=1e-5)
    real_logits, fake_logits = game.discriminator(batch.real), game.discriminator(fake)
    shown = 0.5 * ((real_logits - 1).square().mean() + fake_logits.square().mean())
    assert game.discriminator_loss(batch)["adversarial"].item() == pytest.approx(
        shown.item(), rel=1e-5
    )


class Mirrored(torch.nn.Module):
    """A network that commutes with flips: maps of single pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x

    def features(self, x: Tensor) -> list[Tensor]:
        return [torch.cat([x, x.square(), 1 - x, x**3, x.sin()], 1)]


def test_a_network_that_commutes_with_flips_has_the_same_contrast() -> None:
    """The query of a flipped translation is the translation of the patch at its own place."""
    game, images = contrastive(flip=True, patches=64), pairs().source
    game.generator = Mirrored()  # type: ignore[assignment]
    game.projector = PatchProjector([5], 6)
    flipped = steps(game, flipped=True)
    found = game.contrast(game.generator.features(images), game.generator(images.flip(3)))
    game.flip = False
    assert game.clock.step == flipped
    assert found.item() == pytest.approx(
        game.contrast(game.generator.features(images), game.generator(images)).item(), rel=1e-5
    )
    assert found.item() != pytest.approx(
        game.contrast(game.generator.features(images), game.generator(images.flip(3))).item(),
        rel=1e-3,
    )


def test_the_projector_learns_with_the_generator() -> None:
    game = contrastive()
    generator, discriminator = game.configure_optimizers()
    learned = {id(p) for group in generator.param_groups for p in group["params"]}
    assert {id(p) for p in game.projector.parameters()} <= learned
    others = {id(p) for group in discriminator.param_groups for p in group["params"]}
    assert not others & learned


def test_the_contrast_of_a_part_of_a_batch_is_its_own() -> None:
    game, batch = contrastive(), pairs()
    parts = [game.generator_loss(part)["nce"] for part in batch.chunks(2)]
    whole = game.generator_loss(batch)["nce"]
    assert torch.stack(parts).mean().item() == pytest.approx(whole.item(), rel=1e-5)
    assert isinstance(next(batch.chunks(2)), PairBatch)
