import pytest
import torch
from torch import Tensor, nn

from gan.errors import InputError
from gan.regularizers.mode_seeking import ModeSeeking
from tests.regularizers.passes import generator_pass


def absolute(values: Tensor) -> float:
    """Return the mean magnitude."""
    magnitudes = [abs(float(v)) for v in values.detach().flatten()]
    return sum(magnitudes) / len(magnitudes)


def test_the_inverse_ratio_by_hand() -> None:
    torch.manual_seed(0)
    generator, z = nn.Linear(3, 6).double(), torch.randn(4, 3).double()
    images = generator(z)
    pairs = [(0, 3), (1, 0), (2, 1), (3, 2)]  # each with the one before it
    apart = absolute(torch.stack([images[i] - images[j] for i, j in pairs]))
    latents = absolute(torch.stack([z[i] - z[j] for i, j in pairs]))
    penalty = ModeSeeking(weight=2.0, eps=0.1).generator_penalty(*generator_pass(generator, z))
    assert penalty.item() == pytest.approx(2 / (apart / latents + 0.1))


def test_a_scaled_copy_of_the_latents() -> None:
    scale = nn.Parameter(torch.tensor(4.0))

    class Scaled(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return scale * z

    penalty = ModeSeeking().generator_penalty(*generator_pass(Scaled(), torch.randn(8, 3)))
    assert penalty.item() == pytest.approx(1 / (4 + 1e-5), rel=1e-5)
    (gradient,) = torch.autograd.grad(penalty, scale)
    assert gradient.item() == pytest.approx(-1 / 16, rel=1e-4)  # farther apart is better


def test_one_image_for_all_latents_is_finite() -> None:
    class Collapsed(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return 0 * z

    penalty = ModeSeeking().generator_penalty(*generator_pass(Collapsed(), torch.randn(8, 3)))
    assert penalty.item() == pytest.approx(1e5)


def test_others_are_generated_under_the_labels_of_the_batch() -> None:
    """Two labels that move the image: only z may count as a difference."""

    class Labelled(nn.Module):
        labels = torch.tensor([[0.0], [100.0], [0.0], [100.0]])

        def forward(self, z: Tensor) -> Tensor:
            return z + self.labels

    penalty = ModeSeeking().generator_penalty(*generator_pass(Labelled(), torch.randn(4, 3)))
    assert penalty.item() == pytest.approx(1, rel=1e-3)


def test_one_image_alone_is_refused() -> None:
    with pytest.raises(InputError, match="give a larger batch_size"):
        ModeSeeking().generator_penalty(*generator_pass(nn.Identity(), torch.randn(1, 3)))


def test_two_images_are_enough() -> None:
    penalty = ModeSeeking().generator_penalty(*generator_pass(nn.Linear(3, 6), torch.randn(2, 3)))
    assert penalty.isfinite()


def test_no_eps_is_refused() -> None:
    with pytest.raises(InputError, match=r"regularizers\.mode_seeking\.eps=0: give"):
        ModeSeeking(eps=0)
