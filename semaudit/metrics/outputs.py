"""Metrics of the output: how far the answer moved."""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit import divergence
from semaudit.metrics.registry import image_metric, rung_metric
from semaudit.metrics.views import Rung, View

INF = float("inf")


@rung_metric(bounds=(0, 1))
def shift(rung: Rung) -> Tensor:
    """Semantic shift: Jensen-Shannon divergence of the outputs, bits; of embeddings, by cosine."""
    return rung.clean.shift_to(rung.current)


@rung_metric(bounds=(0, 1), name="flip_rate", needs_classes=True)
def flip(rung: Rung) -> Tensor:
    """Whether the top-1 class, or the set of labels, differs from the clean one: 1 or 0."""
    return rung.clean.flipped(rung.current.decision)


@rung_metric(bounds=(0, 18), needs_classes=True)
def top5_distance(rung: Rung) -> Tensor:
    """Top-5 distance of ImageNet-P: how far the clean top five moved in the ranking.

    sum over i < 5 of |min(i, 5) - min(rank'(i), 5)|, rank'(i) the new rank, from 0, of the class
    that ranked i (Hendrycks and Dietterich 2019, the published definition's cumulative form). At
    most 18: four of the top five fall out of it, and the fifth becomes the first.
    """
    if rung.clean.activation == "none":
        return rung.clean.not_applicable
    best = rung.clean.ranking
    logits = rung.current.logits
    scores = logits.gather(1, best)
    above = (logits[:, None, :] > scores[:, :, None]).sum(-1)
    # Ties rank by index, as the clean ranking does.
    index = torch.arange(logits.shape[1], device=logits.device)
    tied = (logits[:, None, :] == scores[:, :, None]) & (index < best[:, :, None])
    ranks = (above + tied.sum(-1)).clamp_max(5)
    places = torch.arange(best.shape[1], device=logits.device)
    return (places - ranks).abs().sum(-1).to(logits.dtype)


@rung_metric(bounds=(0, 2))
def feature_distance(rung: Rung) -> Tensor:
    """Cosine distance of the penultimate features; NaN where the model shows none."""
    if rung.clean.features is None or rung.current.features is None:
        return rung.clean.not_applicable
    return divergence.cosine_distance(rung.clean.features, rung.current.features)


@rung_metric(bounds=(0, INF))
def logit_distance(rung: Rung) -> Tensor:
    """Euclidean distance of the logits, centred under softmax."""
    if rung.clean.activation == "softmax":
        return divergence.logit_distance(rung.clean.logits, rung.current.logits)
    distance: Tensor = torch.linalg.vector_norm(rung.current.logits - rung.clean.logits, dim=-1)
    return distance


@image_metric(bounds=(0, 1), needs_classes=True)
def confidence(view: View) -> Tensor:
    """Probability of the clean top-1 class or label."""
    if view.activation == "none":
        return view.not_applicable
    return view.log_probabilities.amax(-1).exp()


@image_metric(bounds=(0, INF), needs_classes=True)
def entropy(view: View) -> Tensor:
    """Entropy of the clean output, bits; of labels, the sum of theirs."""
    if view.activation == "none":
        return view.not_applicable
    return divergence.entropy(view.distributions).sum(-1)


@image_metric(bounds=(0, INF))
def logit_norm(view: View) -> Tensor:
    """Euclidean norm of the clean logits, centred under softmax."""
    norm: Tensor = torch.linalg.vector_norm(view.scores, dim=-1)
    return norm
