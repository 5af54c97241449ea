"""Oracles: the published definition of the top-5 distance, scipy, cases by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_models import rng, view
from scipy.spatial.distance import cosine, jensenshannon
from scipy.special import softmax
from scipy.stats import rankdata
from torch import Tensor

from semaudit.metrics import METRICS, Rung, View
from semaudit.metrics.outputs import (
    confidence,
    entropy,
    feature_distance,
    flip,
    logit_distance,
    logit_norm,
    shift,
    top5_distance,
)


def outputs(n: int, classes: int, seed: int) -> Tensor:
    return torch.randn((n, classes), generator=rng(seed), dtype=torch.float64)


def imagenet_p_distance(clean: np.ndarray, perturbed: np.ndarray) -> float:
    """d(tau, tau') of Hendrycks and Dietterich 2019, section 4, as their evaluation computes it.

    Ranks count from 1. With cum = cumsum(0, 1, 1, 1, 1, 1, 0, ...), a sum over the five first
    places of |cum[place] - cum[new rank of the class that held the place]|.
    """
    classes = len(clean)
    cumulative = np.cumsum(([0] + [1] * 5 + [0] * classes)[:classes])
    before = rankdata(-clean, method="ordinal").astype(np.int64)
    after = rankdata(-perturbed, method="ordinal").astype(np.int64)
    moved = after[np.argsort(before)]  # the new rank of each class, in the old order
    return float(np.abs(cumulative[:5] - cumulative[moved - 1][:5]).sum())


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 6, 7, 10, 1000])
def test_top5_distance_is_imagenet_ps_for_permutations(classes: int) -> None:
    generator = np.random.default_rng(classes)
    clean = np.stack([generator.permutation(classes) for _ in range(200)]).astype(np.float64)
    moved = np.stack([generator.permutation(classes) for _ in range(200)]).astype(np.float64)
    expected = [imagenet_p_distance(a, b) for a, b in zip(clean, moved, strict=True)]
    got = top5_distance(Rung(view(torch.from_numpy(clean)), view(torch.from_numpy(moved))))
    np.testing.assert_array_equal(got.numpy(), expected)


@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_top5_distance_is_imagenet_ps_with_ties(seed: int, classes: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    clean, moved = generator.integers(0, levels + 1, (2, 8, classes)).astype(np.float64)
    expected = [imagenet_p_distance(a, b) for a, b in zip(clean, moved, strict=True)]
    got = top5_distance(Rung(view(torch.from_numpy(clean)), view(torch.from_numpy(moved))))
    np.testing.assert_array_equal(got.numpy(), expected)


def test_top5_distance_by_hand() -> None:
    clean = torch.tensor([[9.0, 8, 7, 6, 5, 4, 3, 2, 1, 0]]).double()
    swapped = torch.tensor([[8.0, 9, 7, 6, 5, 4, 3, 2, 1, 0]]).double()
    assert top5_distance(Rung(view(clean), view(swapped))).item() == 2
    # All five fall out of the top five: 5 + 4 + 3 + 2 + 1.
    assert top5_distance(Rung(view(clean), view(-clean))).item() == 15
    # The order below the top five does not count.
    below = torch.tensor([[9.0, 8, 7, 6, 5, 0, 1, 2, 3, 4]]).double()
    assert top5_distance(Rung(view(clean), view(below))).item() == 0


def test_shift_is_scipys_squared_distance() -> None:
    a, b = outputs(30, 9, 1), outputs(30, 9, 2)
    expected = jensenshannon(softmax(a.numpy(), 1), softmax(b.numpy(), 1), base=2, axis=1) ** 2
    np.testing.assert_allclose(shift(Rung(view(a), view(b))).numpy(), expected, atol=1e-13)


def test_flip_compares_the_first_classes() -> None:
    a = torch.tensor([[2.0, 1, 0], [0, 1, 2], [1, 1, 0], [1, 1, 0]]).double()
    b = torch.tensor([[9.0, 8, 7], [2, 1, 0], [1, 0, 1], [0, 1, 1]]).double()
    # Of equal logits the lowest index is first.
    assert flip(Rung(view(a), view(b))).tolist() == [0, 1, 0, 1]


def test_feature_distance_is_the_cosine_distance() -> None:
    a, b, logits = outputs(12, 5, 3), outputs(12, 5, 4), outputs(12, 3, 5)
    rung = Rung(view(logits, features=a), view(logits, features=b))
    expected = [cosine(u, v) for u, v in zip(a.numpy(), b.numpy(), strict=True)]
    np.testing.assert_allclose(feature_distance(rung).numpy(), expected, atol=1e-13)


def test_feature_distance_is_nan_without_features() -> None:
    rung = Rung(view(outputs(3, 4, 6)), view(outputs(3, 4, 7)))
    assert feature_distance(rung).isnan().tolist() == [True] * 3


def test_logit_distance_and_norm_are_those_of_centred_logits() -> None:
    a, b = outputs(12, 5, 8), outputs(12, 5, 9)
    centre = np.eye(5) - 1 / 5
    moved = np.linalg.norm((a - b).numpy() @ centre, axis=1)
    np.testing.assert_allclose(logit_distance(Rung(view(a), view(b))).numpy(), moved, atol=1e-12)
    norm = np.linalg.norm(a.numpy() @ centre, axis=1)
    np.testing.assert_allclose(logit_norm(view(a)).numpy(), norm, atol=1e-12)
    np.testing.assert_allclose(logit_norm(view(a + 4)).numpy(), norm, atol=1e-12)


def test_confidence_and_entropy() -> None:
    a = outputs(12, 5, 10)
    p = softmax(a.numpy(), 1)
    np.testing.assert_allclose(confidence(view(a)).numpy(), p.max(1), atol=1e-13)
    bits = -(p * np.log2(p)).sum(1)
    np.testing.assert_allclose(entropy(view(a)).numpy(), bits, atol=1e-13)


def test_the_bound_of_the_top5_distance_is_reached() -> None:
    ranks = itertools.permutations(range(10), 5)
    largest = max(sum(abs(i - min(rank, 5)) for i, rank in enumerate(each)) for each in ranks)
    assert METRICS["top5_distance"].bounds == (0, largest)
    # Places 0 to 3 fall out, and the fifth becomes the first.
    clean = torch.tensor([[9.0, 8, 7, 6, 5, 4, 3, 2, 1, 0]]).double()
    worst = torch.tensor([[0.0, 0, 0, 0, 9, 8, 7, 6, 5, 4]]).double()
    assert top5_distance(Rung(view(clean), view(worst))).item() == largest


def test_of_labels_a_common_offset_counts() -> None:
    """Centred, the one logit of a binary model would be zero whatever it says."""
    images = torch.zeros(2, 3, 4, 4)
    one = View(images, torch.tensor([[3.0], [-1.0]]).double(), None, "sigmoid")
    other = View(images, torch.tensor([[1.0], [-1.5]]).double(), None, "sigmoid")
    assert logit_distance(Rung(one, other)).tolist() == [2.0, 0.5]
    assert logit_norm(one).tolist() == [3.0, 1.0]
    softmax = View(images, torch.tensor([[3.0, 5.0], [1.0, 1.0]]).double(), None)
    assert logit_norm(softmax).tolist() == [2**0.5, 0.0]
