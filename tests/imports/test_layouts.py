"""Tensors of published layouts as this project's, in closed form."""

from pathlib import Path
from typing import Any

import pytest
import torch

from gan.errors import InputError
from gan.imports.files import Source, read
from gan.imports.known import find_layout, load
from gan.imports.layouts import divided, norm, statistics
from tests.imports.test_import import PUBLISHED
from tests.imports.weights import weights


def source(**state: Any) -> Source:
    return Source(Path("G.pth"), {name.replace("__", "."): v for name, v in state.items()})


def test_a_normalised_weight_is_divided_by_its_norm() -> None:
    whole = torch.randn(3, 4, dtype=torch.float64)
    u, s, v = torch.linalg.svd(whole)
    named = {"weight_orig": whole, "weight_u": u[:, 0], "weight_v": v[0]}
    found = divided(source(**{f"a__{name}": value for name, value in named.items()}), "a")
    torch.testing.assert_close(found, whole / s[0])
    assert divided(source(a__weight=whole), "a").equal(whole)


def test_a_larger_epsilon_is_added_to_the_variance() -> None:
    mean, variance, one = torch.zeros(2), torch.ones(2, dtype=torch.float64), torch.ones(2)
    given = source(a__running_mean=mean, a__running_var=variance, a__weight=one, a__bias=mean)
    for found in (dict(statistics(given, "a", "b", 1e-4)), dict(norm(given, "a", "b", 1e-4))):
        torch.testing.assert_close(found["b.running_var"], variance + 9e-5, rtol=1e-12, atol=0)
    assert dict(statistics(given, "a", "b"))["b.running_var"].equal(variance)


@pytest.mark.parametrize("case", PUBLISHED)
def test_values_of_blocks(case: str) -> None:
    """Variances have the epsilon of the layout, gains stand around 1."""
    given = Source(Path("G.pth"), weights(PUBLISHED[case]["shapes"]))
    found = find_layout(given).state(given)
    added = 9e-5 if "studiogan" in case else 0
    means = [float(v.mean()) for k, v in found.items() if k.endswith("running_var")]
    theirs = [float(v.mean()) for k, v in given.state.items() if k.endswith("running_var")]
    assert sorted(means) == pytest.approx(sorted(t + added for t in theirs), abs=1e-9)
    if case == "studiogan_sngan":
        gain, bias = (divided(given, f"blocks.0.0.bn1.{name}").T for name in ("gain", "bias"))
        assert found["blocks.0.norms.0.gain"].equal(1 + gain)
        assert found["blocks.0.norms.0.bias"].equal(bias)


def test_tensors_fit_the_network_or_are_named() -> None:
    network, path = torch.nn.Linear(2, 1), Path("G.pth")
    good = {"weight": torch.ones(1, 2, dtype=torch.float64), "bias": torch.zeros(1)}
    load(network, path, good)
    assert network.weight.dtype == torch.float32
    assert network.weight.tolist() == [[1, 1]]
    for bad, words in (
        ({"weight": torch.ones(1, 2)}, "bias of the network here is absent there"),
        ({**good, "bias": torch.ones(2)}, r"has shape \(2,\) there and \(1,\) here"),
        ({**good, "b": good["bias"], "a": good["bias"]}, "no place for a"),
    ):
        with pytest.raises(InputError, match=words):
            load(network, path, bad)


def test_names_of_a_wrapper_and_of_the_rest(tmp_path: Path) -> None:
    one = torch.ones(1)
    torch.save({"module.a": one, "b": one}, tmp_path / "G.pth")
    assert read(tmp_path / "G.pth").keys() == {"module.a", "b"}
    five = source(**{f"n{k}": one for k in range(5)})
    with pytest.raises(InputError, match="it has n0, n1, n2, n3, n4, which"):
        five.refuse_rest()
    with pytest.raises(InputError, match="n3, n4 and 2 more, which"):
        source(**{f"n{k}": one for k in range(7)}).refuse_rest()
    five.ignore("0", "1")
    for k in (2, 3, 4):
        five.take(f"n{k}")
    five.refuse_rest()


SIZES: dict[str, tuple[tuple[int, int, int], str]] = {
    "mimicry_sngan": (
        (3, 32, 0),
        "generator.width=8 conditioning=none generator.bilinear=true prior.dim=8",
    ),
    "mimicry_cgan_pd": (
        (3, 32, 4),
        "generator.width=8 conditioning=class_norm generator.bilinear=true prior.dim=8",
    ),
    "studiogan_sngan": (
        (3, 64, 4),
        "generator.width=8 prior.dim=8 conditioning=class_norm generator.spectral=False",
    ),
    "studiogan_sagan": (
        (3, 32, 4),
        "generator.width=16 generator.attention=16 prior.dim=8 conditioning=class_norm "
        "generator.spectral=True",
    ),
    "studiogan_biggan": (
        (3, 32, 4),
        "generator.width=16 generator.attention=16 prior.dim=16 conditioning=projection "
        "label_dim=6",
    ),
    "studiogan_biggan_unconditional": (
        (3, 32, 0),
        "generator.width=8 prior.dim=16 conditioning=none generator.attention=null",
    ),
    "studiogan_stylegan2": (
        (3, 16, 4),
        "conditioning=mapped conditioning.embedding_dim=6 prior.dim=8 generator.depth=2 "
        "generator.style_dim=6 generator.most=8 generator.capacity=64",
    ),
}


@pytest.mark.parametrize("case", PUBLISHED)
def test_settings_give_the_generator_the_sizes_of_the_weights(case: str) -> None:
    given = Source(Path("G.pth"), weights(PUBLISHED[case]["shapes"]))
    layout = find_layout(given)
    shape, settings = SIZES[case]
    assert layout.shape(given) == shape
    assert " ".join(layout.settings(given)).replace("model.", "") == settings


@pytest.mark.parametrize("case", PUBLISHED)
def test_counters_are_whole_numbers_and_gains_of_attention_scalars(case: str) -> None:
    given = Source(Path("G.pth"), weights(PUBLISHED[case]["shapes"]))
    for name, value in find_layout(given).state(given).items():
        if name.endswith("num_batches_tracked"):
            assert (value.dtype, value.shape) == (torch.int64, ()), name
        elif name.endswith("gamma"):
            assert value.shape == (), name
        else:
            assert value.dtype == torch.float64, name
