import pytest
import torch

from gan.algorithms.directions import affine_maps, move_styles, semantic_directions, stacked_weights
from gan.conditioning.base import Unconditional
from gan.errors import InputError
from gan.layers.equalised import EqualisedLinear
from gan.networks.style import StyleGenerator
from gan.networks.stylegan import StyleGANGenerator
from gan.networks.stylegan2 import StyleGAN2Generator
from gan.schedules import Growth

SIZES = {"style_dim": 6, "depth": 1, "capacity": 64}


def growing(progressive: bool) -> StyleGANGenerator:
    growth = Growth(resolution=16, stable=10, fade=10, progressive=progressive)
    return StyleGANGenerator(5, 1, 16, Unconditional(), growth, True, 1e-8, **SIZES)


def styled(skip: bool = True) -> StyleGAN2Generator:
    return StyleGAN2Generator(5, 1, 16, Unconditional(), skip=skip, **SIZES)


def orthonormal(rows: int, columns: int) -> torch.Tensor:
    found: torch.Tensor = torch.linalg.qr(torch.randn(rows, columns).double())[0]
    return found


def test_directions_are_right_singular_vectors() -> None:
    u, v = orthonormal(9, 4), orthonormal(4, 4)
    a = (u * torch.tensor([1.0, 7.0, 3.0, 5.0])) @ v.T
    found = semantic_directions(a, 3)
    expected = v.T[[1, 3, 2]]
    cosines = (found * expected).sum(1)
    torch.testing.assert_close(cosines.abs(), torch.ones(3).double())
    largest = found.gather(1, found.abs().argmax(1, keepdim=True))
    assert (largest > 0).all()
    torch.testing.assert_close((a @ found.T).norm(dim=0), torch.tensor([7.0, 5, 3]).double())


def test_the_entry_of_largest_size_is_positive() -> None:
    draw = torch.Generator().manual_seed(0)
    for _ in range(20):
        found = semantic_directions(torch.randn(6, 3, generator=draw), 3)
        largest = found.gather(1, found.abs().argmax(1, keepdim=True))
        assert (largest > 0).all()


@pytest.mark.parametrize("count", [0, 5])
def test_as_many_directions_as_w_has(count: int) -> None:
    with pytest.raises(InputError, match=f"count={count}: give a number from 1 to 4"):
        semantic_directions(torch.eye(4), count)


@pytest.mark.parametrize(
    ("generator", "layers"),
    [
        (styled(), [0, 1, 1, 2, 3, 3, 4, 5]),
        (styled(skip=False), [0, 1, 2, 3, 4, 5]),
        (growing(progressive=False), [0, 1, 2, 3, 4, 5]),
        (growing(progressive=True), [0, 1, 2, 3]),
    ],
)
def test_the_maps_of_each_layer(generator: StyleGenerator, layers: list[int]) -> None:
    generator.train()
    maps = affine_maps(generator)
    assert sorted(layer for layer, _ in maps) == layers
    assert {weight.shape[1] for _, weight in maps} == {6}
    assert generator.training
    assert not any(module._forward_pre_hooks for module in generator.modules())


def test_weights_are_those_of_the_styles() -> None:
    generator, w = styled(), torch.randn(6)
    affine = generator.get_submodule("keep.0.convolution.style")
    assert isinstance(affine, EqualisedLinear)
    (weight,) = (weight for layer, weight in affine_maps(generator) if layer == 2)
    torch.testing.assert_close(weight @ w, affine(w) - affine(torch.zeros(6)))


def test_the_weights_of_some_layers() -> None:
    generator = styled()
    maps = affine_maps(generator)
    expected = torch.cat([weight for layer, weight in maps if layer in (2, 3)])
    assert torch.equal(stacked_weights(generator, slice(2, 4)), expected)
    assert len(stacked_weights(generator, slice(0, 6))) == sum(len(weight) for _, weight in maps)


def test_only_the_layers_that_were_chosen_move() -> None:
    styles, direction = torch.randn(2, 5, 3), torch.tensor([1.0, 0, -2])
    found = move_styles(styles, direction, torch.tensor([-1.0, 0, 4]), slice(1, 3))
    assert found.shape == (2, 3, 5, 3)
    assert torch.equal(found[:, 1], styles)
    assert torch.equal(found[:, 2, 1:3], styles[:, 1:3] + 4 * direction)
    assert torch.equal(found[:, 2, [0, 3, 4]], styles[:, [0, 3, 4]])
