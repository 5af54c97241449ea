"""Oracles: scipy's Jensen-Shannon distance, numerical gradients, cases by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_models import rng
from scipy.spatial.distance import cosine as scipy_cosine
from scipy.spatial.distance import jensenshannon as scipy_distance
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy
from torch import Tensor

from semaudit.divergence import centred, cosine_distance, entropy, jensen_shannon, logit_distance

EXTREMES = [
    ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    ([1e4, 0.0, 0.0], [0.0, 1e4, 0.0]),
    ([1e4, 0.0, 0.0], [1e4, 0.0, 0.0]),
    ([-1e4, 0.0, 50.0], [1e4, 0.0, 50.0]),
    ([700.0, 0.0, -700.0], [-700.0, 0.0, 700.0]),
    ([1e-9, 0.0, 0.0], [0.0, 1e-9, 0.0]),
    ([1e30, -1e30, 0.0], [0.0, 0.0, 0.0]),
]


def logits(*shape: int, seed: int, scale: float = 3.0) -> Tensor:
    return scale * torch.randn(shape, generator=rng(seed), dtype=torch.float64)


def jsd(a: Tensor, b: Tensor) -> Tensor:
    return jensen_shannon(a.log_softmax(-1), b.log_softmax(-1))


def oracle(a: Tensor, b: Tensor) -> np.ndarray:
    p, q = softmax(a.numpy(), -1), softmax(b.numpy(), -1)
    with np.errstate(invalid="ignore"):  # scipy takes the root of rounding below zero
        return np.nan_to_num(scipy_distance(p, q, base=2, axis=-1) ** 2)


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0])
def test_jensen_shannon_is_scipys(classes: int, scale: float) -> None:
    a = logits(50, classes, seed=classes, scale=scale)
    b = logits(50, classes, seed=classes + 1, scale=scale)
    np.testing.assert_allclose(jsd(a, b).numpy(), oracle(a, b), atol=1e-13)


@pytest.mark.parametrize(("one", "other"), EXTREMES)
def test_jensen_shannon_at_extreme_logits_is_scipys(one: list[float], other: list[float]) -> None:
    a, b = (torch.tensor([each], dtype=torch.float64) for each in (one, other))
    np.testing.assert_allclose(jsd(a, b).numpy(), oracle(a, b), atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("one", "other"), EXTREMES)
def test_gradients_are_finite_at_extreme_logits_and_at_equality(
    one: list[float], other: list[float], dtype: torch.dtype
) -> None:
    for function in (jsd, logit_distance, cosine_distance):
        a = torch.tensor([one], dtype=dtype, requires_grad=True)
        b = torch.tensor([other], dtype=dtype, requires_grad=True)
        if dtype == torch.float32 and a.abs().amax() > 1e19:
            continue  # whose squares float32 cannot hold
        function(a, b).sum().backward()
        assert torch.isfinite(a.grad).all(), function
        assert torch.isfinite(b.grad).all(), function


@pytest.mark.parametrize("function", [jsd, logit_distance, cosine_distance])
def test_gradients_are_the_numerical_ones(function) -> None:
    a, b = logits(3, 4, seed=1), logits(3, 4, seed=2)
    assert torch.autograd.gradcheck(function, (a.requires_grad_(), b.requires_grad_()))


def test_a_gradient_step_lowers_the_divergence() -> None:
    a, b = logits(1, 5, seed=3).requires_grad_(), logits(1, 5, seed=4)
    before = jsd(a, b)
    (gradient,) = torch.autograd.grad(before.sum(), a)
    assert jsd(a - 0.1 * gradient, b).item() < before.item()


@given(st.integers(0, 10_000), st.integers(2, 12), st.floats(0.01, 50))
@settings(max_examples=50, deadline=None)
def test_jensen_shannon_is_symmetric_bounded_and_a_squared_metric(
    seed: int, classes: int, scale: float
) -> None:
    a, b, c = logits(3, classes, seed=seed, scale=scale)[:, None]
    assert jsd(a, b).item() == pytest.approx(jsd(b, a).item(), abs=1e-14)
    assert 0 <= jsd(a, b).item() <= 1
    assert jsd(a, a).item() <= 1e-15
    ab, bc, ac = jsd(a, b).sqrt(), jsd(b, c).sqrt(), jsd(a, c).sqrt()
    assert ac <= ab + bc + 1e-7
    # Softmax does not see a common offset.
    assert jsd(a + 5, b).item() == pytest.approx(jsd(a, b).item(), abs=1e-12)


def test_disjoint_answers_are_one_bit_apart() -> None:
    a, b = torch.tensor([[800.0, 0.0]]), torch.tensor([[0.0, 800.0]])
    assert jsd(a.double(), b.double()).item() == 1.0


def test_float32_agrees_to_its_precision() -> None:
    a, b = logits(100, 10, seed=5), logits(100, 10, seed=6)
    np.testing.assert_allclose(jsd(a.float(), b.float()).numpy(), oracle(a, b), atol=1e-6)


def test_entropy_is_scipys() -> None:
    a = logits(20, 7, seed=7)
    expected = scipy_entropy(softmax(a.numpy(), -1), base=2, axis=-1)
    np.testing.assert_allclose(entropy(a.log_softmax(-1)).numpy(), expected, atol=1e-13)
    assert entropy(torch.zeros(8).double().log_softmax(-1)).item() == pytest.approx(3)
    assert entropy(torch.tensor([1e4, 0.0]).double().log_softmax(-1)).item() == 0


def test_logit_distance_ignores_a_common_offset() -> None:
    a, b = logits(20, 7, seed=8), logits(20, 7, seed=9)
    first, second = a.numpy(), b.numpy()
    difference = first - first.mean(1, keepdims=True) - second + second.mean(1, keepdims=True)
    expected = np.sqrt((difference**2).sum(1))
    np.testing.assert_allclose(logit_distance(a, b).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(logit_distance(a, a + 3).numpy(), 0, atol=1e-12)
    np.testing.assert_allclose(centred(a).mean(-1).numpy(), 0, atol=1e-14)


def test_cosine_distance_is_scipys() -> None:
    a, b = logits(20, 7, seed=10), logits(20, 7, seed=11)
    expected = [scipy_cosine(u, v) for u, v in zip(a.numpy(), b.numpy(), strict=True)]
    np.testing.assert_allclose(cosine_distance(a, b).numpy(), expected, atol=1e-13)


def test_cosine_distance_of_special_vectors() -> None:
    zero, one = torch.zeros(1, 4).double(), torch.ones(1, 4).double()
    distances = [
        cosine_distance(zero, zero),
        cosine_distance(one, one),
        cosine_distance(zero, one),
        cosine_distance(one, zero),
        cosine_distance(one, -one),
        cosine_distance(one, 7 * one),
    ]
    assert [each.item() for each in distances] == pytest.approx([0, 0, 1, 1, 2, 0], abs=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cosine_distance_of_a_dead_layer_has_finite_gradients(dtype: torch.dtype) -> None:
    dead = torch.zeros(2, 4, dtype=dtype, requires_grad=True)
    alive = torch.tensor([[9.0, 1.0, 0.0, 30.0], [0.0] * 4], dtype=dtype, requires_grad=True)
    cosine_distance(dead, alive).sum().backward()
    assert torch.isfinite(dead.grad).all()
    assert torch.isfinite(alive.grad).all()
