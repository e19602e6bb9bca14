"""Maps of vectors in the plane, and the spaces in which images are compared."""

import math

import pytest
import torch
from sklearn.manifold import TSNE

from gan.metrics.feature_space import BackboneSpace, PixelSpace
from gan.metrics.plane import _scaled, plane, principal_plane
from tests.metrics.tiny_data import Corners, tiny_dataset


def test_points_are_scaled_by_one_factor() -> None:
    points = torch.tensor([[0.0, 5.0], [4.0, 5.0], [2.0, 6.0]])
    assert _scaled(points).tolist() == [[-1, -0.25], [1, -0.25], [0, 0.25]]
    assert _scaled(torch.full((3, 2), 7.0)).tolist() == [[0, 0]] * 3
    nan = _scaled(torch.tensor([[math.inf, 0.0], [0.0, 1.0]]))
    assert nan[1, 1] == 1  # not divided by infinity


def test_principal_components_keep_distances_in_their_plane() -> None:
    angle = torch.tensor(0.7)
    axes = torch.tensor([[angle.cos(), angle.sin(), 0.0], [0.0, 0.0, 1.0]])
    flat = torch.tensor([[-3.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    found = principal_plane(flat @ axes + 5)
    torch.testing.assert_close(torch.cdist(found, found), torch.cdist(flat, flat) / 3)
    assert found[:, 0].abs().tolist() == pytest.approx([1, 1, 0, 0], abs=1e-6)
    assert found.dtype == torch.float32


def test_vectors_of_one_number_lie_on_an_axis() -> None:
    found = principal_plane(torch.tensor([[1.0], [3.0], [2.0]]))
    assert found.abs().tolist() == [[1, 0], [1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("shape", "components", "perplexity", "start"),
    [((100, 60), 50, 30.0, "pca"), ((31, 3), 3, 10.0, "pca"), ((7, 1), 1, 2.0, "random")],
)
def test_what_t_sne_is_given(
    monkeypatch: pytest.MonkeyPatch,
    shape: tuple[int, int],
    components: int,
    perplexity: float,
    start: str,
) -> None:
    made: list[TSNE] = []

    def fit(self: TSNE, values: object) -> object:
        made.append(self)
        assert values.shape == (shape[0], components)  # type: ignore[attr-defined]
        return torch.arange(2.0 * shape[0]).view(-1, 2).numpy()

    monkeypatch.setattr(TSNE, "fit_transform", fit)
    vectors = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert plane(vectors, seed=4).abs().max() == 1
    (tsne,) = made
    assert (tsne.perplexity, tsne.init, tsne.random_state) == (perplexity, start, 4)


def test_spaces_of_pixels_and_of_features() -> None:
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    levels = ((images + 1) * 127.5).round().flatten(1) / 255
    pixels = PixelSpace()
    torch.testing.assert_close(pixels.gather(torch.split(images, 2)), levels)
    backbone = Corners()
    space = BackboneSpace(backbone, tiny_dataset(), torch.device("cpu"))
    assert len(backbone.weights_hash) == 64  # prepared
    assert (pixels.name, space.name) == ("pixels", "corners")
    torch.testing.assert_close(space.gather([images]), levels[:, [0, 7, 30, 60]])
