import pytest
import torch

from gan.conditioning.concatenation import Concatenation, ConcatenationHead


def head() -> ConcatenationHead:
    """Return a head with two features, two classes, embeddings of size 1 and two hidden units."""
    made = Concatenation(2, embedding_dim=1, hidden=2).head(2)
    assert isinstance(made, ConcatenationHead)
    state = {
        "embedding.weight": [[3.0], [-1.0]],
        "joint.0.weight": [[1.0, 2.0, 1.0], [0.0, 1.0, -2.0]],
        "joint.0.bias": [0.5, 0.0],
        "linear.weight": [[1.0, 10.0]],
        "linear.bias": [0.25],
    }
    made.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    return made


def test_the_logit_equals_its_formula() -> None:
    h = torch.tensor([[1.0, 2.0], [1.0, 2.0], [-4.0, 0.0]])
    logits = head()(h, torch.tensor([0, 1, 1]))
    first = (1 + 4 + 3 + 0.5) + 10 * 0.2 * (2 - 6) + 0.25  # leaky ReLU of a negative input
    second = (1 + 4 - 1 + 0.5) + 10 * (2 + 2) + 0.25
    third = 0.2 * (-4 - 1 + 0.5) + 10 * 2 + 0.25
    assert logits.tolist() == pytest.approx([first, second, third])


def test_the_label_changes_the_logit() -> None:
    torch.manual_seed(0)
    drawn, h = Concatenation(3).head(16), torch.randn(5, 16)
    a, b = (drawn(h, torch.full((5,), label)) for label in (0, 1))
    assert ((a - b).abs() > 1e-4).all()


def test_every_weight_has_a_gradient() -> None:
    made = head()
    made(torch.randn(4, 2), torch.tensor([0, 1, 0, 1])).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in made.parameters())


def test_missing_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="needs labels"):
        head()(torch.randn(1, 2))
    with pytest.raises(ValueError, match="conditioning=concatenation needs labels"):
        Concatenation(0)
