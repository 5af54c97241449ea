"""The loss against formulas written by hand in float64, and numerical gradients."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch import Tensor

from semaudit.errors import UsageError
from semaudit.finetuning.distances import DISTANCE_NAMES, DISTANCES, Distance
from semaudit.finetuning.loss import Objective, terms
from semaudit.metric import Activation
from semaudit.metrics.views import View

N, CLASSES = 5, 4


def numbers(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def view(seed: int, activation: Activation = "softmax", width: int = CLASSES) -> View:
    pictures = numbers(N, 1, 2, 2, seed=seed + 50)
    features = numbers(N, 6, seed=seed + 100)
    return View(pictures, 2 * numbers(N, width, seed=seed), features, activation)


def kl(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return (p * (np.log(p) - np.log(q))).sum(-1)


def by_hand(name: str, clean: View, views: list[View]) -> np.ndarray:
    z = clean.logits.numpy()
    others = [each.logits.numpy() for each in views]
    p, qs = softmax(z, -1), [softmax(other, -1) for other in others]
    if name == "jsd":
        return np.mean(
            [(kl(p, (p + q) / 2) + kl(q, (p + q) / 2)) / (2 * math.log(2)) for q in qs], 0
        )
    if name == "jsd-views":
        mean = np.mean([p, *qs], 0)
        return np.mean([kl(each, mean) for each in (p, *qs)], 0) / math.log(1 + len(qs))
    if name == "kl":
        return np.mean([kl(p, q) / math.log(2) for q in qs], 0)
    if name == "prob":
        return np.mean([((p - q) ** 2).sum(-1) for q in qs], 0)
    if name == "logit":
        centred = [x - x.mean(-1, keepdims=True) for x in (z, *others)]
        return np.mean([((centred[0] - other) ** 2).mean(-1) for other in centred[1:]], 0)
    f, gs = clean.features.numpy(), [each.features.numpy() for each in views]
    cosines = [
        (f * g).sum(-1) / np.linalg.norm(f, axis=-1) / np.linalg.norm(g, axis=-1) for g in gs
    ]
    return np.mean([1 - each for each in cosines], 0)


@pytest.mark.parametrize("name", DISTANCE_NAMES)
@pytest.mark.parametrize("views", [1, 3])
def test_distances_are_the_formulas(name: Distance, views: int) -> None:
    clean, others = view(0), [view(seed) for seed in range(1, views + 1)]
    found = DISTANCES[name](clean, others)
    np.testing.assert_allclose(found.numpy(), by_hand(name, clean, others), rtol=1e-12)


@pytest.mark.parametrize("name", DISTANCE_NAMES)
@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "none"])
def test_distances_are_zero_at_equality_with_a_finite_gradient(
    name: Distance, activation: Activation
) -> None:
    logits, features = view(0).logits.requires_grad_(), numbers(N, 6, seed=1).requires_grad_()
    clean = replace(view(0, activation), logits=logits, features=features)
    if name in ("kl", "prob") and activation == "none":
        pytest.skip("probabilities of an embedding mean nothing")
    loss = DISTANCES[name](clean, [replace(clean, logits=logits * 1.0)] * 2)
    assert loss.abs().max() < 1e-12
    loss.sum().backward()  # type: ignore[no-untyped-call]
    for leaf in (logits, features):
        assert leaf.grad is None or torch.isfinite(leaf.grad).all()


@pytest.mark.parametrize("name", DISTANCE_NAMES)
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_gradients_of_distances_are_the_numerical_ones(
    name: Distance, activation: Activation
) -> None:
    clean, other, third = (view(seed, activation) for seed in range(3))

    def distance(z: Tensor, w: Tensor, f: Tensor) -> Tensor:
        changed = replace(other, logits=w)
        return DISTANCES[name](replace(clean, logits=z, features=f), [changed, third])

    assert clean.features is not None
    inputs = [each.requires_grad_() for each in (clean.logits, other.logits, clean.features)]
    assert torch.autograd.gradcheck(distance, inputs)


def test_distances_stay_finite_at_extreme_logits() -> None:
    extreme = torch.tensor([[1e4, 0.0, -1e4, 0.0]], dtype=torch.float64)
    for name in ("jsd", "jsd-views", "prob"):
        z = extreme.clone().requires_grad_()
        clean, other = View(extreme, z, None), View(extreme, -extreme, None)
        loss = DISTANCES[name](clean, [other])  # type: ignore[index]
        loss.sum().backward()  # type: ignore[no-untyped-call]
        assert torch.isfinite(loss).all()
        assert torch.isfinite(z.grad).all()


def test_the_whole_loss_is_the_weighted_sum() -> None:
    clean, other, original = view(0), view(1), view(2)
    labels = torch.tensor([0, 3, 1, -1, 2])
    objective = Objective(alpha=3.0, distance="jsd", cross_entropy=0.25, anchor=0.75)
    found = terms(objective, clean, [other], original, labels)
    log_p = log_softmax(clean.logits.numpy(), -1)
    entropies = -log_p[np.arange(N), labels.clamp_min(0).numpy()] * (labels >= 0).numpy()
    anchors = kl(softmax(original.logits.numpy(), -1), np.exp(log_p)) / math.log(2)
    wanted = 0.25 * entropies + 0.75 * anchors + 3.0 * by_hand("jsd", clean, [other])
    np.testing.assert_allclose(found.total(objective).numpy(), wanted, rtol=1e-12)
    np.testing.assert_allclose(found.sums()[0].item(), entropies.sum(), rtol=1e-12)


def test_augmentation_sets_the_task_on_every_view() -> None:
    clean, other = view(0), view(1)
    labels = torch.arange(N) % CLASSES
    objective = Objective(alpha=0.0, cross_entropy=1.0, anchor=0.0, on_changed=True)
    found = terms(objective, clean, [other], None, labels).cross_entropy
    both = [-log_softmax(each.logits.numpy(), -1)[np.arange(N), labels] for each in (clean, other)]
    np.testing.assert_allclose(found.numpy(), np.mean(both, 0), rtol=1e-12)


def test_a_detached_clean_answer_is_not_pulled() -> None:
    z, w = (view(seed).logits.requires_grad_() for seed in (0, 1))
    clean, other = replace(view(0), logits=z), replace(view(1), logits=w)
    objective = Objective(alpha=1.0, anchor=0.0, detach_clean=True)
    terms(objective, clean, [other], None, torch.zeros(N)).shift.sum().backward()
    assert z.grad is None
    assert w.grad is not None


def test_the_gradient_penalty_is_that_of_a_linear_model_and_has_a_gradient() -> None:
    weight = numbers(CLASSES, 4, seed=7).requires_grad_()
    pictures = numbers(N, 1, 2, 2, seed=8).requires_grad_()

    def penalty(matrix: Tensor) -> Tensor:
        clean = View(pictures, pictures.flatten(1) @ matrix.T, None)
        objective = Objective(alpha=0.0, anchor=0.0, gradient=1.0)
        return terms(objective, clean, [], None, torch.zeros(N)).gradient

    found = penalty(weight).detach().numpy()
    matrix = weight.detach().numpy()
    logits = pictures.detach().flatten(1).numpy() @ matrix.T
    top, p = logits.argmax(-1), softmax(logits, -1)
    np.testing.assert_allclose(found, ((matrix[top] - p @ matrix) ** 2).sum(-1), rtol=1e-10)
    assert torch.autograd.gradcheck(penalty, [weight])


def test_cosine_of_a_model_without_features_is_refused() -> None:
    bare = replace(view(0), features=None)
    with pytest.raises(UsageError, match="--distance cosine"):
        DISTANCES["cosine"](bare, [bare])
