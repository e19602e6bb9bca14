"""2C (Kang & Park, 2020, eq. 8) and D2D-CE (Kang et al., 2021, eq. 6), image by image."""

from collections.abc import Callable
from math import exp, log

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gan.conditioning.contrastive import (
    Contrastive,
    ContrastiveHead,
    DataToData,
    DataToDataHead,
    conditional_contrastive_loss,
    data_to_data_cross_entropy,
)

TEMPERATURE, MARGIN = 0.7, 0.6
LABELS = torch.tensor([0, 1, 0, 2, 1, 0])  # class 2 has one member
Contrast = Callable[[Tensor, Tensor, Tensor], Tensor]


def random_embeddings(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return embeddings of a batch and the class proxy of each, of unit length."""
    generator = torch.Generator().manual_seed(seed)
    e, proxies = (
        normalize(torch.randn(count, 4, generator=generator, dtype=torch.float64))
        for count in (len(LABELS), 3)
    )
    return e, proxies[LABELS]


def head_2c(e: Tensor, proxy: Tensor, y: Tensor) -> Tensor:
    return conditional_contrastive_loss(e, proxy, y, TEMPERATURE)


def proxy_2c(e: Tensor, proxy: Tensor, y: Tensor) -> Tensor:
    return conditional_contrastive_loss(e, proxy, y, TEMPERATURE, positives=False)


def head_d2d_ce(e: Tensor, proxy: Tensor, y: Tensor) -> Tensor:
    return data_to_data_cross_entropy(e, proxy, y, TEMPERATURE, MARGIN, shifted=True)


def paper_d2d_ce(e: Tensor, proxy: Tensor, y: Tensor) -> Tensor:
    return data_to_data_cross_entropy(e, proxy, y, TEMPERATURE, MARGIN)


ALL = pytest.mark.parametrize("contrast", [head_2c, proxy_2c, head_d2d_ce, paper_d2d_ce])


def dot(a: Tensor, b: Tensor) -> float:
    return float(sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True)))


@pytest.mark.parametrize("attracted", [True, False])
def test_2c_equals_its_definition(attracted: bool) -> None:
    e, proxy = random_embeddings()
    total = 0.0
    for i in range(len(e)):
        own = exp(dot(e[i], proxy[i]) / TEMPERATURE)
        others = {j: exp(dot(e[i], e[j]) / TEMPERATURE) for j in range(len(e)) if j != i}
        positives = sum(value for j, value in others.items() if LABELS[j] == LABELS[i])
        total -= log((own + attracted * positives) / (own + sum(others.values())))
    contrast = head_2c if attracted else proxy_2c
    assert contrast(e, proxy, LABELS).item() == pytest.approx(total / len(e))


def largest_pairs(e: Tensor) -> list[float]:
    """Return for each image the largest of (e_i.e_j - m_n) / tau, over all other images j."""
    others = [[j for j in range(len(e)) if j != i] for i in range(len(e))]
    return [
        max((dot(e[i], e[j]) - (1 - MARGIN)) / TEMPERATURE for j in row)
        for i, row in enumerate(others)
    ]


@pytest.mark.parametrize("shifted", [False, True])
def test_d2d_ce_equals_its_definition(shifted: bool) -> None:
    e, proxy = random_embeddings()
    shifts = largest_pairs(e) if shifted else len(e) * [0.0]
    assert not shifted or (min(shifts) < 0 < max(shifts))
    total = 0.0
    for i in range(len(e)):
        near = exp(min(dot(e[i], proxy[i]) - MARGIN, 0) / TEMPERATURE)
        negatives = [
            exp(max(dot(e[i], e[j]) - (1 - MARGIN), 0) / TEMPERATURE - shifts[i])
            for j in range(len(e))
            if LABELS[j] != LABELS[i]
        ]
        total -= log(near / (near + sum(negatives)))
    contrast = head_d2d_ce if shifted else paper_d2d_ce
    assert contrast(e, proxy, LABELS).item() == pytest.approx(total / len(e))


def test_the_shift_of_d2d_ce_is_a_constant() -> None:
    e, proxy = (x.requires_grad_() for x in random_embeddings())
    shifts = torch.tensor(largest_pairs(e.detach()), dtype=torch.float64)

    def with_constant_shifts(e: Tensor, proxy: Tensor) -> Tensor:
        near = ((e * proxy).sum(1) - MARGIN).clamp(max=0) / TEMPERATURE
        far = ((e @ e.T - (1 - MARGIN)).clamp(min=0) / TEMPERATURE - shifts[:, None]).exp()
        others = (far * (LABELS[:, None] != LABELS)).sum(1)
        return -(near - (near.exp() + others).log()).mean()

    expected = torch.autograd.grad(with_constant_shifts(e, proxy), [e, proxy])
    for gradient, other in zip(
        torch.autograd.grad(head_d2d_ce(e, proxy, LABELS), [e, proxy]), expected, strict=True
    ):
        assert torch.allclose(gradient, other, atol=1e-12)


@ALL
def test_losses_do_not_depend_on_the_order_of_the_batch(contrast: Contrast) -> None:
    e, proxy = random_embeddings()
    order = torch.tensor([4, 0, 5, 3, 1, 2])
    moved = contrast(e[order], proxy[order], LABELS[order])
    assert torch.allclose(moved, contrast(e, proxy, LABELS))


@ALL
def test_losses_do_not_depend_on_the_order_of_the_classes(contrast: Contrast) -> None:
    e, proxy = random_embeddings()
    named = torch.tensor([7, 3, 5])[LABELS]
    assert torch.allclose(contrast(e, proxy, named), contrast(e, proxy, LABELS))


@pytest.mark.parametrize("contrast", [head_2c, proxy_2c, paper_d2d_ce])
def test_gradients_equal_finite_differences(contrast: Contrast) -> None:
    e, proxy = (x.requires_grad_() for x in random_embeddings())
    assert torch.autograd.gradcheck(lambda a, b: contrast(a, b, LABELS), (e, proxy))


@ALL
def test_a_class_with_one_image_uses_its_proxy_only(contrast: Contrast) -> None:
    """The single image has no positive but its proxy; all other images are negatives."""
    e, proxy = (x.requires_grad_() for x in random_embeddings())
    (pull,) = torch.autograd.grad(contrast(e, proxy, LABELS), proxy)
    assert pull[3].abs().sum() > 0
    assert contrast(e[3:4], proxy[3:4], LABELS[3:4]).item() == pytest.approx(0, abs=1e-12)


def test_2c_is_low_for_labels_that_draw_the_images_of_each_other_only_with_positives() -> None:
    """Two classes change places: the images of a label are alike, and far from its proxy."""
    y = torch.arange(2).repeat(16)
    proxies = torch.eye(2, dtype=torch.float64)
    right, exchanged = proxies[y], proxies[1 - y]

    def excess(contrast: Contrast) -> float:
        return (contrast(exchanged, proxies[y], y) / contrast(right, proxies[y], y)).item()

    assert excess(head_2c) < 1.3
    assert excess(proxy_2c) > 1.4


def test_2c_of_one_class_is_zero() -> None:
    e, proxy = random_embeddings()
    assert head_2c(e, proxy, torch.zeros_like(LABELS)).item() == pytest.approx(0, abs=1e-12)


def two_classes(near: float, far: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return two images of two classes, their proxies and labels.

    The cosine is ``near`` between image and proxy, and ``far`` between the images.
    """
    e = torch.tensor([[1.0, 0, 0, 0], [far, (1 - far**2) ** 0.5, 0, 0]], dtype=torch.float64)
    aside = torch.tensor([0, 0, (1 - near**2) ** 0.5, 0], dtype=torch.float64)
    return e.requires_grad_(), (near * e + aside).detach().requires_grad_(), torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("near", "far", "learns"),
    [
        (0.99, 0.01, (False, False)),  # easy positives, easy negatives
        (0.5, 0.01, (True, True)),  # hard positives
        (0.99, 0.5, (True, False)),  # hard negatives; proxies have no gradient
    ],
)
def test_easy_positives_and_negatives_have_no_gradient_in_d2d_ce(
    near: float, far: float, learns: tuple[bool, bool]
) -> None:
    e, proxy, y = two_classes(near, far)
    loss = data_to_data_cross_entropy(e, proxy, y, temperature=0.5, margin=0.95)
    pulls = torch.autograd.grad(loss, [e, proxy])
    assert tuple(bool(pull.abs().sum() > 0) for pull in pulls) == learns


def test_2c_always_has_a_gradient() -> None:
    e, proxy, y = two_classes(0.99, 0.01)
    assert all(p.abs().sum() > 0 for p in torch.autograd.grad(head_2c(e, proxy, y), [e, proxy]))


@pytest.mark.parametrize(
    ("conditioning", "kind"),
    [
        (Contrastive(3, dim=5), head_2c),
        (Contrastive(3, dim=5, positives=False), proxy_2c),
        (DataToData(3, dim=5, shifted=True), head_d2d_ce),
        (DataToData(3, dim=5), paper_d2d_ce),
    ],
)
def test_heads_normalise_embeddings_and_proxies(
    conditioning: Contrastive | DataToData, kind: Contrast
) -> None:
    torch.manual_seed(0)
    head = conditioning.head(7)
    assert isinstance(head, ContrastiveHead)
    head.temperature = TEMPERATURE
    if isinstance(head, DataToDataHead):
        head.margin = MARGIN
    h = torch.randn(6, 7)
    e = h @ head.embed.weight.T + head.embed.bias
    proxy = head.proxy.weight[LABELS]
    e, proxy = (x / x.square().sum(1, keepdim=True).sqrt() for x in (e, proxy))
    assert torch.allclose(head.class_loss(h, LABELS), kind(e, proxy, LABELS), rtol=1e-5)
    assert torch.allclose(head.class_outputs(h), e)


def test_defaults_of_the_papers() -> None:
    two, d2d = Contrastive(3), DataToData(3)
    assert (two.dim, two.temperature) == (512, 1.0)
    assert (d2d.dim, d2d.temperature, d2d.margin, d2d.shifted) == (512, 0.5, 0.98, False)


def test_the_logit_ignores_the_label() -> None:
    head, h = Contrastive(3).head(7), torch.randn(2, 7)
    assert torch.equal(head(h, torch.tensor([0, 1])), head(h))


def test_illegal_arguments_are_refused() -> None:
    for dim, temperature in ((5, 0.0), (0, 1.0)):
        with pytest.raises(ValueError, match=r"conditioning=contrastive: .* must be positive"):
            Contrastive(3, dim=dim, temperature=temperature)
    with pytest.raises(ValueError, match=r"conditioning=data_to_data: margin=1\.5 must lie"):
        DataToData(3, margin=1.5)
    with pytest.raises(ValueError, match="conditioning=contrastive needs labels"):
        Contrastive(0)


@pytest.mark.parametrize("conditioning", [Contrastive(5, dim=12), DataToData(5, dim=12)])
def test_proxies_are_orthogonal_at_initialisation(conditioning: Contrastive | DataToData) -> None:
    head = conditioning.head(7)
    assert isinstance(head, ContrastiveHead)
    proxies = head.proxy.weight
    assert torch.allclose(proxies @ proxies.T, torch.eye(5), atol=1e-5)
